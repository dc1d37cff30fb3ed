//! How data flows: INFO and ACK both ways, what is lost and repeated, and what the application sees.

mod common;

use common::*;
use rdt_proto::connection::{Config, SendError};

/// What was lent as the rest of an open packet was once committed to the next one, whose memory the application had not
/// filled in: old bytes went out.
#[test]
fn what_send_slot_lent_is_void_once_its_packet_has_left() {
    let mut client = Trace::established_client(Config::default());
    assert_eq!(client.machine.send(b"ab"), Ok(2));
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"cd");
    client.expect(info(1, b"ab"));
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent));
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"cd");
    assert_eq!(client.machine.commit(2), Ok(()));
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent), "once");
    client.peer_sends(ack(1));
    client.expect(info(2, b"cd"));
}

/// The same with a CONNACK, for which the connection sends an INFO 0 of its own.
#[test]
fn what_send_slot_lent_is_void_once_its_number_is_used() {
    let mut client = Trace::client(Config::default());
    client.expect(CONNECT);
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"ab");
    client.peer_sends(CONNACK);
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent));
    client.expect(info(0, b""));
    client.machine.send_slot().unwrap()[..2].copy_from_slice(b"ab");
    assert_eq!(client.machine.send(b"xyz"), Ok(3));
    assert_eq!(client.machine.commit(2), Err(SendError::NotLent));
    client.peer_sends(ack(0));
    client.expect(info(1, b"xyz"));
}
