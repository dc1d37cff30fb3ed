//! The version of extended mode, and the counter of each datagram.

use harness::extended::*;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, HandshakeParameters, Ignored};
use rdt_proto::wire::{DecodeError, Framing, Options, OptionsWriter, Packet, VERSION};

const fn other_version(theirs: u32) -> CloseReason {
    CloseReason::Version { ours: VERSION, theirs }
}

/// A CONNACK or CONNECT with only a version, as a side of another version sends it.
fn only_version(buf: &mut [u8; 8], version: u32) -> Options<'_> {
    OptionsWriter::new(buf).version(version).unwrap().finish()
}

#[test]
fn a_connack_of_another_version_ends_the_handshake_at_once() {
    for theirs in [0, VERSION + 1, u32::MAX] {
        let mut client = ExtendedTrace::client(Config::default());
        client.learns_tag();
        client.peer_sends_connack(HandshakeParameters { version: theirs, ..PARAMETERS });
        client.expect_event(Event::Closed(other_version(theirs)));
        client.expect_nothing();
        assert!(client.machine.is_drained());
    }
    let names_both = "the peer speaks version 7 of extended mode, this side version 1";
    assert_eq!(other_version(7).to_string(), names_both);
}

#[test]
fn a_connack_with_only_a_version_needs_no_tag() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends(Packet::ConnAck(only_version(&mut [0; 8], 9)));
    client.expect_event(Event::Closed(other_version(9)));
    let mut other = ExtendedTrace::client(Config::default());
    other.learns_tag();
    other.ignores(Packet::ConnAck(only_version(&mut [0; 8], VERSION)), Ignored::Malformed(DecodeError::Options));
}

#[test]
fn a_forged_connack_of_another_version_changes_nothing() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    let handled = client.receive_under(&Framing::tagged(PEER), Packet::ConnAck(only_version(&mut [0; 8], 9)));
    assert_eq!(handled, Handled::Ignored(Ignored::Malformed(DecodeError::Prefix)));
    assert_eq!(client.machine.ended(), None);
}

#[test]
fn a_server_sends_its_version_to_a_client_of_another() {
    for theirs in [0, VERSION + 1] {
        let parameters = HandshakeParameters { version: theirs, ..PARAMETERS };
        let mut server = ExtendedTrace::server(Config::default(), parameters);
        server.expect_event(Event::Closed(other_version(theirs)));
        server.expect(Packet::ConnAck(only_version(&mut [0; 8], VERSION)));
        server.expect_nothing();
        assert!(server.machine.is_drained());
    }
}

#[test]
fn the_counter_counts_repeats_and_every_kind_of_packet() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, b""));
    assert_eq!(client.peer.machine_counter, 1, "the handshake does not count");
    client.sleep(200, 220);
    client.expect(info(0, b""));
    client.peer_sends(sack(1, 0, 1, &[]));
    client.peer_sends(Packet::Probe { nonce: 1, for_window: true, padding: &[] });
    client.expect_sack(0, &[]);
    client.peer_sends(Packet::Probe { nonce: 1, for_window: false, padding: &[] });
    client.expect(Packet::Echo { nonce: 1, counter: 2 });
    client.machine.close();
    client.expect(FIN);
    assert_eq!(client.peer.machine_counter, 5);
}

#[test]
fn a_sack_names_the_counter_of_the_latest_arrival() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer.counter = 41;
    client.peer_sends(info(1, b"b"));
    client.peer_sends(info(1, b"b"));
    let sent = client.next_datagram().unwrap();
    let Ok(Packet::Sack(sack)) = Framing::tagged(PEER).decode(&sent) else { panic!("{sent:?}") };
    assert_eq!((sack.latest.value(), sack.counter, sack.ce), (1, 42, 0));
}
