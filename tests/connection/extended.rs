//! Extended mode: tags, options, SACK, PROBE and ECHO, RESET.

use harness::extended::*;
use rdt_proto::connection::{
    CloseReason, Config, Connection, Event, Handled, HandshakeParameters, Ignored, Mode, SendError, Storage,
};
use rdt_proto::store::{RecvSlots, StoreError};
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, Options, OptionsWriter, Packet, Tag, VERSION};
use rdt_proto::{Duration, Instant};

#[test]
fn connect_announces_parameters_and_repeats_with_its_number() {
    let mut client = ExtendedTrace::client(Config::default());
    let first = client.learns_tag();
    assert_eq!(first.len(), Config::default().max_datagram_len(), "the first is as large as a full INFO");
    let Packet::Connect(options) = Framing::NOTE.decode(&first).unwrap() else { panic!("{first:?}") };
    let parameters = HandshakeParameters::from_options(&options);
    assert_eq!((parameters.segment, parameters.window), (1_200, 32));
    assert_eq!(parameters.idle_limit, Some(Duration::from_secs(30)));
    client.sleep(250, 266);
    let second = client.next_datagram().unwrap();
    let Packet::Connect(options) = Framing::NOTE.decode(&second).unwrap() else { panic!("{second:?}") };
    assert_eq!(HandshakeParameters::from_options(&options), HandshakeParameters { attempt: 1, ..parameters });
    assert_eq!(second.len(), first.len());
}

#[test]
fn each_packet_is_under_the_tag_of_its_receiver() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    client.expect_event(Event::Connected);
    assert!(client.machine.is_extended());
    client.expect(info(0, b""));
}

#[test]
fn a_packet_under_a_wrong_tag_changes_nothing() {
    let mut client = ExtendedTrace::established(Config::default());
    let wrong_tag = Framing::tagged(Tag::new(*b"stranger"));
    for packet in [info(0, b"forged"), sack(1, 0, 1, &[]), Packet::Fin, Packet::FinAck, Packet::Reset { code: 1 }] {
        let before = client.machine.poll_timeout();
        assert_eq!(client.receive_under(&wrong_tag, packet), Handled::Ignored(Ignored::Malformed(DecodeError::Prefix)));
        assert_eq!(client.machine.poll_timeout(), before);
        client.expect_nothing();
    }
    for packet in [info(0, b"base"), Packet::Fin, Packet::ConnAck(Options::NONE)] {
        assert_eq!(client.receive_under(&Framing::NOTE, packet), Handled::Ignored(Ignored::Mode));
    }
    assert_eq!(client.machine.stats().ignored.total(), 8);
}

#[test]
fn a_server_sends_connack_twice_in_answer_to_each_connect() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    let connack = server.learns_tag();
    assert!(2 * connack.len() < MIN_CONNECT, "both are smaller than CONNECT");
    server.sleep(125, 133);
    assert_eq!(server.next_datagram(), Some(connack.clone()));
    server.elapse(5_000);
    let mut buf = [0; MIN_CONNECT];
    let options = OptionsWriter::new(&mut buf).tag(PEER).unwrap().pad_to(MIN_CONNECT).unwrap().finish();
    assert_eq!(server.receive_under(&Framing::NOTE, Packet::Connect(options)), Handled::Accepted);
    assert_eq!(server.next_datagram(), Some(connack.clone()));
    server.sleep(125, 133);
    assert_eq!(server.next_datagram(), Some(connack));
    server.elapse(1_000);
    server.peer_sends(info(0, b""));
    server.expect_event(Event::Connected);
    assert_eq!(server.receive_under(&Framing::NOTE, Packet::Connect(options)), Handled::Ignored(Ignored::LateConnect));
}

#[test]
fn a_connect_with_another_tag_is_ignored() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    let mut buf = [0; 80];
    let options = OptionsWriter::new(&mut buf).tag(Tag::new(*b"another!")).unwrap().finish();
    let handled = server.receive_under(&Framing::NOTE, Packet::Connect(options));
    assert_eq!(handled, Handled::Ignored(Ignored::State));
}

#[test]
fn a_client_of_both_modes_falls_back_to_base_mode_after_an_rto() {
    let config = Config { mode: Mode::Both, ..Config::default() };
    let mut client = ExtendedTrace::client(config);
    client.learns_tag();
    assert_eq!(client.receive_under(&Framing::NOTE, Packet::ConnAck(Options::NONE)), Handled::Accepted);
    client.elapse_with_loss(1_000);
    client.expect_event(Event::Connected);
    assert!(!client.machine.is_extended());
    // From now on the intervals are those of base mode.
    client.sleep(1_000, 1_063);
    let sent = client.next_datagram().unwrap();
    assert_eq!(Framing::NOTE.decode(&sent), Ok(info(0, b"")));
}

#[test]
fn an_extended_answer_within_an_rto_replaces_a_base_answer() {
    let config = Config { mode: Mode::Both, ..Config::default() };
    let mut client = ExtendedTrace::client(config);
    client.learns_tag();
    assert_eq!(client.receive_under(&Framing::NOTE, Packet::ConnAck(Options::NONE)), Handled::Accepted);
    client.elapse_with_loss(900);
    client.peer_sends_connack(PARAMETERS);
    assert!(client.machine.is_extended());
    client.expect(info(0, b""));
    // The base answer has restarted the wait, so the handshake gives no sample.
    client.sleep(250, 266);
    client.expect(info(0, b""));
}

#[test]
fn an_extended_client_ignores_an_answer_in_base_mode() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    let handled = client.receive_under(&Framing::NOTE, Packet::ConnAck(Options::NONE));
    assert_eq!(handled, Handled::Ignored(Ignored::Mode));
}

#[test]
fn bodies_are_no_larger_than_the_peers_segment() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { segment: 100, ..PARAMETERS });
    client.expect(info(0, b""));
    client.machine.send(&[7; 250]).unwrap();
    for (number, len) in [(1, 100), (2, 100), (3, 50)] {
        client.expect(info(number, &vec![7; len]));
    }
}

/// Regression: the slot stayed lent, so 250 bytes could be committed as a body that the peer never accepts.
#[test]
fn a_slot_larger_than_the_peers_segment_is_void_after_connack() {
    let mut client = ExtendedTrace::client(Config::default());
    client.machine.send_segment(&[7; 10]).unwrap();
    client.machine.send_slot().unwrap()[..250].fill(8);
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { segment: 100, ..PARAMETERS });
    assert_eq!(client.machine.commit(250), Err(SendError::NotLent));
    client.expect(info(0, &[7; 10]));
    client.expect_nothing();
    assert_eq!(client.machine.send_slot().unwrap().len(), 100);
}

#[test]
fn the_smaller_idle_limit_applies() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { idle_limit: Some(Duration::from_secs(3)), ..PARAMETERS });
    client.expect_event(Event::Connected);
    let start = client.now;
    while client.machine.ended().is_none() {
        client.pass_with_loss();
    }
    assert_eq!(client.machine.ended(), Some(CloseReason::TimedOut));
    assert_eq!(client.now.saturating_since(start), Duration::from_secs(3));
}

#[test]
fn a_sack_waits_for_a_second_info_at_most_five_milliseconds() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(info(0, b"a"));
    client.sleep(5, 5);
    client.expect_sack(1, &[]);
    client.peer_sends(info(1, b"b"));
    client.peer_sends(info(2, b"c"));
    client.expect_sack(3, &[]);
    client.expect_nothing();
}

#[test]
fn reordered_repeated_and_gap_filling_infos_get_a_sack_at_once() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(info(1, b"b"));
    client.expect_sack(0, &[1]);
    client.peer_sends(info(3, b"d"));
    client.expect_sack(0, &[1, 3]);
    client.peer_sends(info(3, b"d"));
    client.expect_sack(0, &[1, 3]);
    client.peer_sends(info(0, b"a"));
    client.expect_sack(2, &[3]);
    client.peer_sends(info(2, b"c"));
    client.expect_sack(4, &[]);
    let mut data = [0; 8];
    assert_eq!((client.machine.recv(&mut data), &data[..4]), (4, &b"abcd"[..]));
}

/// Datagrams under such a tag would look like those of base mode to others.
#[test]
fn a_connack_whose_tag_begins_with_the_prefix_is_refused() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    let mut buf = [0; 80];
    let options = OptionsWriter::new(&mut buf).version(VERSION).unwrap().tag(Tag::new(*b"RDT1abcd")).unwrap();
    client.ignores(Packet::ConnAck(options.finish()), Ignored::Malformed(DecodeError::Options));
    client.peer_sends_connack(PARAMETERS);
    client.expect_event(Event::Connected);
}

#[test]
fn abort_sends_one_reset_and_a_reset_ends_at_once() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.abort(42);
    client.expect_event(Event::Closed(CloseReason::Aborted));
    client.expect(Packet::Reset { code: 42 });
    client.expect_nothing();
    assert!(client.machine.is_drained());
    let mut other = ExtendedTrace::established(Config::default());
    other.sends(1, 3);
    other.peer_sends(Packet::Reset { code: 42 });
    other.expect_event(Event::Closed(CloseReason::Reset { code: 42 }));
    other.expect_nothing();
}

#[test]
fn a_reset_instead_of_connack_ends_as_refused() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends(Packet::Reset { code: 7 });
    client.expect_event(Event::Closed(CloseReason::Refused { code: 7 }));
    client.expect_nothing();
}

#[test]
fn an_acknowledgement_of_what_never_left_ends_the_connection() {
    // The client has sent the numbers 0 to 3, with the counters 0 to 3.
    let unsent_counters = [4, 1_000, 1 << 31].map(|counter| sack_of(1, 0, counter, 1, &[]));
    for lie in [sack(5, 4, 5, &[]), sack(2, 1, 2, &[0b100]), sack(1, 0, 1_000, &[1])].into_iter().chain(unsent_counters)
    {
        let mut client = ExtendedTrace::established(Config::default());
        client.sends(1, 3);
        client.peer_sends(lie);
        client.expect_event(Event::Closed(CloseReason::AcknowledgedUnsent));
        client.expect(Packet::Reset { code: 0 });
        client.expect_nothing();
    }
}

#[test]
fn a_server_keeps_data_that_overtakes_info_0_and_sacks_it() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    server.peer_sends(info(1, b"b"));
    assert!(!server.machine.is_established());
    server.expect_sack(0, &[1]);
    assert_eq!((server.machine.poll_event(), server.machine.recv(&mut [0; 9])), (None, 0));
    server.peer_sends(info(0, b"a"));
    server.expect_event(Event::Connected);
    server.expect_event(Event::Readable);
    server.expect_sack(2, &[]);
    let mut buf = [0; 9];
    assert_eq!((server.machine.recv(&mut buf), &buf[..2]), (2, &b"ab"[..]));
}

#[test]
fn info_0_is_repeated_after_an_rto_measured_in_the_handshake() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.elapse(100);
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, b""));
    client.sleep(305, 325);
    client.expect(info(0, b""));
}

#[test]
fn only_the_answer_to_the_first_connect_gives_a_sample() {
    // The third CONNECT leaves after 500 to 532 ms, and CONNACK arrives 100 ms later.
    for (attempt, least, most) in [(0, 1_800, 2_020), (1, 250, 266), (2, 250, 266), (3, 250, 266), (255, 250, 266)] {
        let mut client = ExtendedTrace::client(Config::default());
        client.learns_tag();
        for _ in 0..2 {
            client.sleep(250, 266);
            client.next_datagram().unwrap();
        }
        client.elapse(100);
        client.peer_sends_connack(HandshakeParameters { attempt, ..PARAMETERS });
        client.expect(info(0, b""));
        client.sleep(least, most);
        client.expect(info(0, b""));
    }
}

#[test]
fn storage_of_another_connection_is_refused() {
    let config = Config::default();
    let used = || ExtendedTrace::established(config).machine.into_storage();
    let now = Instant::from_millis(1_000);
    assert_eq!(Connection::connect(now, config, [7; 32], used()).err(), Some(StoreError::Used));
    assert_eq!(Connection::accept(now, config, [8; 32], PARAMETERS, used()).err(), Some(StoreError::Used));
}

#[test]
fn extended_mode_needs_a_receive_store_for_64_bytes() {
    let now = Instant::from_millis(1_000);
    let small = || Storage { recv: RecvSlots::with_slots(4, 63).unwrap(), ..storage(&Config::default(), 4, 4) };
    let too_small = Some(StoreError::SegmentTooSmall { needed: 64, available: 63 });
    assert_eq!(Connection::connect(now, Config::default(), [7; 32], small()).err(), too_small);
    assert_eq!(Connection::accept(now, Config::default(), [8; 32], PARAMETERS, small()).err(), too_small);
    let mut base = Connection::connect(now, Config::base(), [7; 32], small()).expect("base mode announces no segment");
    assert!(base.poll_transmit(now, &mut [0; 2_048]).unwrap().is_some());
}
