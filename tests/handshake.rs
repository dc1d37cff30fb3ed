//! How a connection opens: CONNECT, CONNACK, INFO 0, and what happens when each of them is lost.

mod common;

use common::*;
use rdt_proto::connection::{Config, Event, Ignored, Reason};

#[test]
fn a_client_connects_and_confirms_at_once() {
    let mut client = Trace::client(Config::default());
    client.expect(CONNECT);
    client.expect_nothing();
    client.peer_sends(CONNACK);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    client.expect_nothing();
    client.peer_sends(ack(0));
    client.expect_nothing();
}

#[test]
fn a_lost_connect_is_repeated_with_doubled_intervals_until_the_handshake_limit() {
    let mut client = Trace::client(Config::default());
    client.expect(CONNECT);
    client.sleep(1_000, 1_063);
    client.expect(CONNECT);
    client.sleep(2_000, 2_125);
    client.expect(CONNECT);
    client.sleep(2_500, 2_657);
    client.expect(CONNECT);
    client.sleep(2_500, 2_657);
    client.expect(CONNECT);
    client.sleep(1_400, 2_000);
    client.expect_event(Event::Closed(Reason::HandshakeTimedOut));
    client.expect_no_event();
    client.expect_nothing();
    assert!(client.machine.is_drained());
}

#[test]
fn what_was_written_before_the_answer_goes_with_info_0() {
    let mut client = Trace::client(Config::default());
    assert_eq!(client.machine.send(b"hello"), Ok(5));
    client.expect(CONNECT);
    client.expect_nothing();
    client.peer_sends(CONNACK);
    client.expect(info(0, b"hello"));
}

#[test]
fn a_late_connect_is_ignored() {
    let mut server = Trace::established_server(Config::default());
    server.ignores(CONNECT, Ignored::LateConnect);
    server.expect_nothing();
}
