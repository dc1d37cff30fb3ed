//! INFO that asks for an acknowledgement at once.

use harness::base::storage as stop_and_wait;
use harness::extended::*;
use rdt_proto::Seq;
use rdt_proto::connection::{Config, HandshakeParameters};
use rdt_proto::wire::Packet;

/// INFO `number` of one byte that asks for an answer at once.
fn urgent(number: u32) -> Packet<'static> {
    Packet::Info { number: Seq::new(number), body: b"x", request: rdt_proto::wire::AckRequest::AT_ONCE }
}

/// Writes a body, and returns whether its INFO asks for an answer at once.
fn asks<T: rdt_proto::connection::ConnectionTypes>(client: &mut ExtendedTrace<T>) -> bool {
    let sent = client.next_datagram().expect("an INFO is due");
    let Ok(Packet::Info { request, .. }) = rdt_proto::wire::Framing::tagged(PEER).decode(&sent) else {
        panic!("{sent:?}")
    };
    request.at_once
}

#[test]
fn an_info_that_asks_is_acknowledged_at_once() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(urgent(0));
    client.expect_sack(1, &[]);
    client.peer_sends(info(1, b"x"));
    client.expect_nothing();
    client.peer_sends(info(3, b"x"));
    client.expect_sack(2, &[3]);
    client.peer_sends(urgent(4));
    client.expect_sack(2, &[3, 4]);
}

#[test]
fn a_lone_info_asks_and_a_full_flight_does_not() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.send_segment(b"x").unwrap();
    assert!(asks(&mut client), "the only INFO in flight");
    client.machine.send_segment(b"x").unwrap();
    assert!(!asks(&mut client), "two are in flight");
    client.peer_sends(sack(3, 2, 3, &[]));
    (0..2).for_each(|_| client.machine.send_segment(b"x").unwrap());
    assert!(!asks(&mut client), "another INFO follows at once");
}

#[test]
fn the_last_info_that_the_window_permits_asks() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { window: 1, ..PARAMETERS });
    client.machine.send(b"waits").unwrap();
    assert!(asks(&mut client));
    client.expect_nothing();
}

#[test]
fn a_tail_loss_probe_asks() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 2);
    client.sleep(200, 206);
    assert!(asks(&mut client));
}

#[test]
fn stop_and_wait_always_asks() {
    let config = Config::default();
    let mut client = ExtendedTrace::client_with(config, stop_and_wait(&config, 4).unwrap());
    client.learns_tag();
    client.machine.send(&[7; 3_000]).unwrap();
    client.peer_sends_connack(PARAMETERS);
    assert!(asks(&mut client));
    client.sleep(200, 220);
    assert!(asks(&mut client), "a repeat asks too");
}
