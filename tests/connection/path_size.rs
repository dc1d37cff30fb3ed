//! The datagram size of the path: what the handshake shows, and the search for it (RFC 8899).

use harness::extended::*;
use rdt_proto::Instant;
use rdt_proto::connection::{
    CloseReason, Config, Connection, ConnectionTypes, Event, HandshakeParameters, Mode, SendError, Storage,
};
use rdt_proto::store::SendSource;
use rdt_proto::wire::{Datagram, Framing, MIN_CONNECT, Packet};

/// The header of INFO.
const HEADER: usize = 20;
/// A body in the smallest datagram that every path must carry.
const SMALL: usize = 512 - HEADER;
/// A full body of the default configuration.
const FULL: usize = 1_200;

static BYTES: [u8; 40_000] = [7; 40_000];

/// The length of the body of the next INFO, or of the padding of the next PROBE.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Body(usize),
    Probe(usize),
}

/// The next INFO or PROBE of the machine, with its counter.
fn next<T: ConnectionTypes>(trace: &mut ExtendedTrace<T>) -> Option<(Sent, u32, Vec<u8>)> {
    loop {
        let datagram = trace.next_datagram()?;
        let Datagram { counter, packet } = Framing::tagged(PEER).decode_datagram(&datagram).unwrap();
        let sent = match packet {
            Packet::Info { body, .. } => Sent::Body(body.len()),
            Packet::Probe { .. } => Sent::Probe(datagram.len()),
            Packet::Sack(_) | Packet::Echo { .. } => continue,
            packet => panic!("{packet:?}"),
        };
        return Some((sent, counter.unwrap(), datagram));
    }
}

fn all_sent<T: ConnectionTypes>(trace: &mut ExtendedTrace<T>) -> Vec<Sent> {
    std::iter::from_fn(|| next(trace)).map(|(sent, ..)| sent).collect()
}

/// Takes a PROBE of `len` bytes, and delivers its ECHO.
#[track_caller]
fn answers_probe<T: ConnectionTypes>(trace: &mut ExtendedTrace<T>, len: usize) {
    let (sent, counter, datagram) = next(trace).expect("no PROBE was sent");
    assert_eq!(sent, Sent::Probe(len));
    let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(PEER).decode(&datagram) else { panic!() };
    trace.peer_sends(Packet::Echo { nonce, counter });
}

/// A client that has written before CONNACK, which answers its CONNECT number `attempt`.
fn client_answered(attempt: u8) -> ExtendedTrace {
    let mut client = ExtendedTrace::client(Config::default());
    answered_after(&mut client, 10_000, HandshakeParameters { attempt, ..PARAMETERS });
    client
}

/// Writes `len` bytes, and delivers the CONNACK that answers the CONNECT with the number of `parameters`.
fn answered_after<T: ConnectionTypes>(client: &mut ExtendedTrace<T>, len: usize, parameters: HandshakeParameters) {
    let attempt = parameters.attempt;
    assert_eq!(client.machine.send(&BYTES[..len]), Ok(len));
    client.learns_tag();
    for interval in [250, 250].iter().take(attempt.into()) {
        client.sleep(*interval, interval + 16);
        client.next_datagram().unwrap();
    }
    client.peer_sends_connack(parameters);
}

#[test]
fn an_answered_large_connect_lets_the_first_bodies_be_full() {
    let mut client = client_answered(0);
    assert_eq!(next(&mut client).unwrap().0, Sent::Body(FULL));
}

/// An interface may take more than the path behind it: a lost CONNECT costs a timeout, a lost PROBE nothing.
#[test]
fn the_first_two_connects_are_large_but_not_larger_than_an_ethernet_packet() {
    for (segment, large) in [(1_200, FULL + HEADER), (8_932, 1_452)] {
        let mut client = ExtendedTrace::client(Config { segment, ..Config::default() });
        let mut lens = vec![client.learns_tag().len()];
        for interval in [250, 250, 500, 500, 1_000] {
            client.sleep(interval, interval + interval / 16 + 1);
            lens.push(client.next_datagram().unwrap().len());
        }
        assert_eq!(lens, [large, large, MIN_CONNECT, MIN_CONNECT, MIN_CONNECT, MIN_CONNECT]);
    }
}

/// CONNACK, its repeat and a RESET are together as long as CONNECT.
#[test]
fn connack_is_nearly_as_long_as_connect() {
    for (connect, connack) in [(MIN_CONNECT, 44), (580, 44), (581, 513), (1_220, 1_152), (9_000, FULL + HEADER)] {
        let parameters = PARAMETERS.with_datagram_len(connect);
        let mut server = ExtendedTrace::server(Config::default(), parameters);
        assert_eq!(server.learns_tag().len(), connack);
        server.sleep(125, 133);
        assert_eq!(server.next_datagram().unwrap().len(), 44);
    }
}

#[test]
fn the_first_bodies_of_a_server_are_as_long_as_its_connack() {
    let parameters = PARAMETERS.with_datagram_len(FULL + HEADER);
    let mut server = ExtendedTrace::server(Config::default(), parameters);
    let connack = server.learns_tag().len();
    server.machine.send(&BYTES[..10_000]).unwrap();
    server.peer_sends(info(0, b""));
    let Some((Sent::Body(len), ..)) = next(&mut server) else { panic!() };
    assert!(len > 500 && len <= connack - HEADER, "{len}");
    assert_eq!(next(&mut server).unwrap().0, Sent::Probe(FULL + HEADER));
}

#[test]
fn after_a_small_connack_the_first_bodies_of_a_server_are_small() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS.with_datagram_len(FULL + HEADER));
    server.learns_tag();
    server.sleep(125, 133);
    server.next_datagram().unwrap();
    server.machine.send(&BYTES[..10_000]).unwrap();
    server.peer_sends(info(0, b""));
    assert_eq!(next(&mut server).unwrap().0, Sent::Body(400), "INFO 0 may answer the small one");
}

#[test]
fn a_socket_that_refuses_connack_makes_a_small_one_due() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS.with_datagram_len(FULL + HEADER));
    let refused = server.learns_tag().len();
    server.machine.handle_datagram_too_large(server.now, refused);
    assert_eq!(server.next_datagram().unwrap().len(), 44);
    server.machine.send(&BYTES[..10_000]).unwrap();
    server.peer_sends(info(0, b""));
    assert_eq!(next(&mut server).unwrap().0, Sent::Body(400));
}

/// A segment that one datagram cannot carry yet takes several, without other bytes.
#[test]
fn send_segment_fills_packets_of_its_own_while_the_path_is_small() {
    let mut client = client_answered(2);
    let first = all_sent(&mut client);
    assert!(first.iter().all(|sent| matches!(sent, Sent::Body(..=SMALL) | Sent::Probe(_))), "{first:?}");
    let too_large = SendError::TooLarge { length: FULL + 1, limit: FULL };
    assert_eq!(client.machine.send_segment(&[8; FULL + 1]), Err(too_large));
    assert_eq!(client.machine.send_segment(&[8; FULL]), Err(SendError::Full), "earlier pieces are in flight");
    let end = u32::try_from(first.iter().filter(|sent| matches!(sent, Sent::Body(_))).count()).unwrap();
    client.peer_sends(sack(end, end - 1, end, &[]));
    client.expect_event(Event::Connected);
    client.expect_event(Event::Writable);
    client.machine.send(b"before").unwrap();
    assert_eq!(client.machine.send_segment(&[8; FULL]), Ok(()));
    client.machine.send(b"after").unwrap();
    let bodies: Vec<_> = all_sent(&mut client).into_iter().filter(|sent| matches!(sent, Sent::Body(_))).collect();
    assert_eq!(bodies, [6, 400, 400, 400, 5].map(Sent::Body));
}

#[test]
fn after_a_small_connect_bodies_are_small_until_an_echo() {
    let mut client = client_answered(2);
    let (first, ..) = next(&mut client).unwrap();
    assert_eq!(first, Sent::Body(400), "a body of 1,200 is cut into three equal pieces");
    answers_probe(&mut client, FULL + HEADER);
    let sent = [vec![first], all_sent(&mut client)].concat();
    assert!(sent.iter().all(|sent| matches!(sent, Sent::Body(..=SMALL))), "what is cut stays cut: {sent:?}");
    client.machine.send(&BYTES[..6_000]).unwrap();
    let end = u32::try_from(sent.len()).unwrap();
    client.peer_sends(sack(end, end - 1, end, &[]));
    assert_eq!(all_sent(&mut client).last(), Some(&Sent::Body(FULL)));
}

#[test]
fn a_socket_that_refuses_connect_makes_a_small_one_due() {
    let mut client = ExtendedTrace::client(Config::default());
    let refused = client.learns_tag();
    client.machine.handle_datagram_too_large(client.now, refused.len());
    assert_eq!(client.next_datagram().unwrap().len(), MIN_CONNECT);
    client.expect_nothing();
    client.machine.handle_datagram_too_large(client.now, MIN_CONNECT);
    client.expect_nothing();
    for interval in [250, 500] {
        client.sleep(interval, interval + interval / 16 + 1);
        assert_eq!(client.next_datagram().unwrap().len(), MIN_CONNECT);
    }
}

#[test]
fn a_socket_that_refuses_a_probe_lowers_the_next_probe() {
    let mut client = client_answered(2);
    assert_eq!(next(&mut client).unwrap().0, Sent::Body(400));
    assert_eq!(next(&mut client).unwrap().0, Sent::Probe(FULL + HEADER));
    client.machine.handle_datagram_too_large(client.now, FULL + HEADER);
    all_sent(&mut client);
    client.peer_sends(sack(2, 1, 2, &[]));
    answers_probe(&mut client, 866);
}

#[test]
fn a_server_probes_when_it_has_a_full_body() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    server.machine.send(b"small").unwrap();
    server.peer_sends(info(0, b""));
    assert_eq!(all_sent(&mut server), [Sent::Body(5)], "a small body gains nothing from a search");
    server.peer_sends(sack(1, 0, 1, &[]));
    server.machine.send(&BYTES[..10 * SMALL]).unwrap();
    assert_eq!(next(&mut server).unwrap().0, Sent::Body(SMALL));
    answers_probe(&mut server, FULL + HEADER);
}

#[test]
fn three_timeouts_while_the_peer_is_heard_shrink_the_unsent_bodies() {
    let config = Config::default();
    let mut client = ExtendedTrace::client_with(config, storage(&config, 32, 4));
    answered_after(&mut client, 10_000, PARAMETERS);
    assert_eq!(all_sent(&mut client), [const { Sent::Body(FULL) }; 4]);
    for timeouts in 1..=3 {
        while client.machine.stats().timeouts < timeouts {
            // The peer is heard, but acknowledges nothing.
            client.peer_sends(Packet::Probe { nonce: 1, for_window: false, padding: &[] });
            while client.next_datagram().is_some() {}
            client.now = client.now.max(client.machine.poll_timeout().unwrap());
            client.machine.handle_timeout(client.now);
        }
        let segment = client.machine.path().segment;
        assert_eq!(segment, if timeouts < 3 { FULL } else { SMALL }, "after {timeouts} timeouts");
    }
}

#[test]
fn a_socket_that_refuses_512_bytes_ends_the_connection() {
    let mut client = client_answered(0);
    all_sent(&mut client);
    let segment = client.machine.path().segment;
    client.machine.handle_datagram_too_large(client.now, 0);
    assert_eq!(client.machine.path().segment, segment, "no datagram is empty");
    client.machine.handle_datagram_too_large(client.now, 513);
    assert_eq!(client.machine.ended(), None);
    client.machine.handle_datagram_too_large(client.now, 512);
    assert_eq!(client.machine.ended(), Some(CloseReason::NoProgress));
}

#[test]
fn the_report_of_the_socket_is_legal_at_any_time() {
    let mut client = client_answered(0);
    client.machine.handle_datagram_too_large(Instant::ZERO, usize::MAX);
    client.machine.handle_datagram_too_large(client.now, 1_000);
    client.machine.abort(1);
    client.machine.handle_datagram_too_large(client.now, 600);
    assert_eq!(client.machine.ended(), Some(CloseReason::Aborted));
}

/// Regression: CONNECT of 104 bytes counted as a large one.
#[test]
fn a_client_of_both_modes_learns_no_size_from_its_small_connect() {
    let mut client = ExtendedTrace::client(Config { mode: Mode::Both, ..Config::default() });
    answered_after(&mut client, 10_000, PARAMETERS);
    let sent = all_sent(&mut client);
    assert_eq!(sent[..2], [Sent::Body(400), Sent::Probe(FULL + HEADER)]);
    assert!(sent.iter().skip(2).all(|sent| *sent == Sent::Body(400)), "{sent:?}");
}

/// Regression: its number counted as that of a large CONNECT after the RETRY.
#[test]
fn the_answer_to_a_connect_before_retry_shows_no_size() {
    let mut client = ExtendedTrace::client(Config::default());
    client.machine.send(&BYTES[..10_000]).unwrap();
    client.learns_tag();
    for interval in [250, 250] {
        client.sleep(interval, interval + 16);
        client.next_datagram().unwrap();
    }
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    assert_eq!(client.next_datagram().unwrap().len(), FULL + HEADER);
    client.peer_sends_connack(HandshakeParameters { attempt: 2, ..PARAMETERS });
    assert_eq!(next(&mut client).unwrap().0, Sent::Body(400));
}

/// Regression: the ECHO of a small PROBE counted as that of a padded one that was sent between.
#[test]
fn the_echo_of_a_window_probe_shows_no_size() {
    let mut client = ExtendedTrace::client(Config::default());
    answered_after(&mut client, 2_400, HandshakeParameters { attempt: 2, window: 6, ..PARAMETERS });
    let sent = all_sent(&mut client);
    assert!(sent.contains(&Sent::Probe(FULL + HEADER)), "{sent:?}");
    // The padded PROBE is lost. The data arrives, and the window is closed.
    client.peer_sends(closed(6));
    client.machine.send(&BYTES[..400]).unwrap();
    let (probe, counter, datagram) = loop {
        let due = client.machine.poll_timeout().unwrap();
        client.now = client.now.max(due);
        client.machine.handle_timeout(client.now);
        if let Some(sent) = next(&mut client) {
            break sent;
        }
    };
    assert_eq!(probe, Sent::Probe(23));
    let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(PEER).decode(&datagram) else { panic!() };
    client.peer_sends(sack(6, 5, 6, &[]));
    assert_eq!(all_sent(&mut client), [Sent::Body(400), Sent::Probe(FULL + HEADER)]);
    client.peer_sends(Packet::Echo { nonce, counter });
    client.machine.send(&BYTES[..12_000]).unwrap();
    let sent = all_sent(&mut client);
    assert!(sent.iter().all(|sent| matches!(sent, Sent::Body(..=SMALL))), "{sent:?}");
}

/// Regression: bodies behind pieces in flight kept a size that the path no longer carried.
#[test]
fn bodies_that_cannot_be_cut_yet_wait_for_the_pieces_before_them() {
    let config = Config::default();
    let mut client = ExtendedTrace::client_with(config, storage(&config, 32, 1));
    answered_after(&mut client, 1_200, HandshakeParameters { attempt: 2, ..PARAMETERS });
    assert_eq!(next(&mut client).unwrap().0, Sent::Body(400));
    answers_probe(&mut client, FULL + HEADER);
    assert_eq!(all_sent(&mut client), [Sent::Body(400), Sent::Body(400)]);
    client.machine.send(&BYTES[..6_000]).unwrap();
    client.machine.handle_datagram_too_large(client.now, FULL + HEADER);
    assert_eq!(all_sent(&mut client), [], "three pieces are in flight");
    client.peer_sends(sack(2, 1, 2, &[]));
    assert_eq!(all_sent(&mut client), [Sent::Probe(866)]);
    assert!(client.machine.poll_timeout().is_some_and(|due| due > client.now), "nothing can be sent");
    client.peer_sends(sack(3, 2, 3, &[]));
    let bodies: Vec<_> = all_sent(&mut client).into_iter().filter(|sent| matches!(sent, Sent::Body(_))).collect();
    assert_eq!(bodies, [const { Sent::Body(400) }; 3]);
}

/// Regression: one body of the earlier size in flight prevented the growth for the rest of the source.
#[test]
fn a_source_grows_once_its_smaller_bodies_are_acknowledged() {
    let config = Config::default();
    let Storage { recv, arq, .. } = storage(&config, 32, 32);
    let send = SendSource::new(&BYTES[..], config.segment).unwrap();
    let mut client = ExtendedTrace::client_with(config, Storage { send, recv, arq });
    answered_after(&mut client, 0, HandshakeParameters { attempt: 2, ..PARAMETERS });
    assert_eq!(next(&mut client).unwrap().0, Sent::Body(SMALL));
    assert_eq!(next(&mut client).unwrap().0, Sent::Probe(FULL + HEADER));
    client.machine.handle_datagram_too_large(client.now, FULL + HEADER);
    let sent = 1 + u32::try_from(all_sent(&mut client).len()).unwrap();
    client.elapse_with_loss(50);
    client.peer_sends(sack(1, 0, 1, &[]));
    answers_probe(&mut client, 866);
    let (probe, counter, datagram) = next(&mut client).unwrap();
    assert_eq!(probe, Sent::Probe(1_043));
    assert_eq!(next(&mut client).unwrap().0, Sent::Body(846));
    let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(PEER).decode(&datagram) else { panic!() };
    client.peer_sends(Packet::Echo { nonce, counter });
    all_sent(&mut client);
    client.peer_sends(sack(sent, sent - 1, sent, &[]));
    let later = all_sent(&mut client);
    assert!(later.contains(&Sent::Body(1_023)), "{later:?}");
}

/// Regression: a cut left the loan, and `commit` added bytes that were never written. Later growth ended it as well.
#[test]
fn a_cut_ends_the_loan_of_memory_and_growth_does_not() {
    let config = Config::default();
    let mut client = ExtendedTrace::client_with(config, storage(&config, 32, 1));
    answered_after(&mut client, 1_200, HandshakeParameters { attempt: 2, ..PARAMETERS });
    next(&mut client).unwrap();
    client.machine.send_slot().unwrap()[..3].copy_from_slice(b"ABC");
    answers_probe(&mut client, FULL + HEADER);
    assert_eq!(client.machine.commit(3), Ok(()));
    all_sent(&mut client);
    client.machine.send(&BYTES[..6_000]).unwrap();
    client.machine.handle_datagram_too_large(client.now, FULL + HEADER);
    let slot = client.machine.send_slot().unwrap();
    slot[..3].copy_from_slice(b"XYZ");
    // The cut of the waiting bodies gives them other numbers.
    client.peer_sends(sack(3, 2, 3, &[]));
    assert_eq!(client.machine.commit(3), Err(SendError::NotLent));
}

/// Regression: a report about a neighbour ended a connection that needs only small datagrams.
#[test]
fn a_report_of_a_size_that_is_never_sent_has_no_effect() {
    let mut client = ExtendedTrace::client(Config::default());
    answered_after(&mut client, 100, HandshakeParameters { segment: 64, ..PARAMETERS });
    for len in [512, 85, 0] {
        client.machine.handle_datagram_too_large(client.now, len);
        assert_eq!(client.machine.ended(), None, "{len}");
    }
    client.machine.handle_datagram_too_large(client.now, 84);
    assert_eq!(client.machine.ended(), Some(CloseReason::NoProgress));
}

/// Regression: CONNECT of base mode was repeated at once.
#[test]
fn in_base_mode_the_report_has_no_effect() {
    let config = Config::base();
    let storage = rdt_proto::connection::HeapStopAndWait::stop_and_wait_on_heap(&config).unwrap();
    let mut client = Connection::connect(Instant::ZERO, config, [7; 32], storage).unwrap();
    let mut buf = [0; 2_048];
    assert!(client.poll_transmit(Instant::ZERO, &mut buf).unwrap().is_some());
    let before = client.poll_timeout();
    client.handle_datagram_too_large(Instant::ZERO, 1_500);
    assert_eq!(client.poll_timeout(), before);
    assert_eq!(client.poll_transmit(Instant::ZERO, &mut buf), Ok(None));
}
