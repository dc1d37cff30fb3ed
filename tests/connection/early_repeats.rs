//! Extended mode: the first repeats come early, and then back off.

use harness::extended::*;
use rdt_proto::connection::{Config, Connection, HandshakeParameters, HeapStopAndWait};
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet};
use rdt_proto::{Duration, Instant};

/// When the machine sends in the next `seconds`, in ms from now, while the peer is silent.
fn sends_at(
    connection: &mut Connection<impl rdt_proto::connection::ConnectionTypes>,
    start: Instant,
    seconds: u64,
) -> Vec<u64> {
    let (mut now, mut times, mut buf) = (start, Vec::new(), [0; 2_048]);
    loop {
        while connection.poll_transmit(now, &mut buf).unwrap().is_some() {
            times.push(now.saturating_since(start).as_millis());
        }
        let next = connection.poll_timeout().filter(|&due| due < start + Duration::from_secs(seconds));
        let Some(due) = next else { return times };
        now = due;
        connection.handle_timeout(now);
    }
}

/// Asserts that each time is one of `expected` with the jitter of the intervals before it, up to 1/16.
#[track_caller]
fn assert_times(times: &[u64], expected: &[u64]) {
    let near = |(&time, &expected): (&u64, &u64)| (expected..=expected + expected / 16 + 1).contains(&time);
    assert!(times.len() == expected.len() && times.iter().zip(expected).all(near), "{times:?}, not {expected:?}");
}

#[test]
fn three_connects_leave_in_the_first_second_and_then_fewer() {
    let mut client = ExtendedTrace::client(Config::default());
    // An eighth of the handshake limit is the longest interval.
    let expected = [0, 250, 500, 1_000, 1_500, 2_500, 3_500, 4_750, 6_000, 7_250, 8_500];
    let times = sends_at(&mut client.machine, client.now, 11);
    assert!(times[3] >= 1_000);
    assert_times(&times[..11], &expected);
    assert!(times.len() <= 12, "{times:?}");
}

#[test]
fn a_short_handshake_limit_still_means_eight_connects() {
    let config = Config { handshake_limit: Duration::from_millis(800), ..Config::default() };
    let mut client = ExtendedTrace::client(config);
    let times = sends_at(&mut client.machine, client.now, 2);
    assert_times(&times, &[0, 100, 200, 300, 400, 500, 600, 700]);
}

/// The round trip of the handshake is 10 ms, so the timeout is 200 ms.
#[test]
fn a_first_flight_is_repeated_each_interval_twice() {
    let config = Config::default();
    let storage = HeapStopAndWait::stop_and_wait_on_heap(&config).unwrap();
    let mut one = ExtendedTrace::client_with(config, storage);
    let mut many = ExtendedTrace::client(config);
    one.learns_tag();
    many.learns_tag();
    one.elapse(10);
    many.elapse(10);
    one.peer_sends_connack(PARAMETERS);
    many.peer_sends_connack(PARAMETERS);
    let expected = [0, 200, 400, 800, 1_200, 2_000, 2_800];
    assert_times(&sends_at(&mut one.machine, one.now, 3), &expected);
    assert_times(&sends_at(&mut many.machine, many.now, 3), &expected);
}

/// A serial line takes longer for a full datagram than for the handshake. Its queue would grow by the whole flight.
///
/// Regression: the probe carried the last number. If the server has no room for it, it answers nothing, and INFO 0
/// never left again.
#[test]
fn a_timeout_of_a_first_flight_sends_one_probe() {
    let mut client = ExtendedTrace::client(Config::default());
    client.machine.send(&[7; 3_600]).unwrap();
    client.learns_tag();
    client.elapse(10);
    client.peer_sends_connack(PARAMETERS);
    (0..3).for_each(|number| client.expect(info(number, &[7; 1_200])));
    for _ in 0..2 {
        client.sleep(200, 213);
        client.expect(info(0, &[7; 1_200]));
        client.expect_nothing();
    }
    // The probe shows that the others are lost.
    client.elapse(10);
    client.peer_sends(sack(1, 0, 1, &[]));
    client.expect(info(1, &[7; 1_200]));
    client.expect(info(2, &[7; 1_200]));
    client.expect_nothing();
}

/// Regression: an empty INFO 0, answered in 10 ms, gave a timeout of 31 ms to datagrams that take a second on a serial
/// line. The whole flight was then declared lost, and sent again.
#[test]
fn the_answer_to_a_small_packet_times_no_large_one() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.elapse(10);
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, b""));
    client.machine.send(&[7; 3_600]).unwrap();
    (1..4).for_each(|number| client.expect(info(number, &[7; 1_200])));
    client.elapse(10);
    client.peer_sends(sack(1, 0, 1, &[]));
    client.expect_nothing();
    // The intervals are those before a first sample, and one packet leaves in each.
    for _ in 0..2 {
        client.sleep(200, 213);
        client.expect(info(1, &[7; 1_200]));
        client.expect_nothing();
    }
    assert_eq!(client.machine.rtt().srtt(), None);
    client.elapse(300);
    client.peer_sends(sack(2, 1, 2, &[]));
    let srtt = client.machine.rtt().srtt();
    assert!(srtt >= Some(Duration::from_millis(300)), "the first full datagram gives the sample: {srtt:?}");
}

/// As above, if the small packets came long before: their timeout holds, but it declares nothing lost.
#[test]
fn a_timeout_measured_with_small_packets_sends_one_probe() {
    let mut client = ExtendedTrace::established(Config::default());
    client.machine.send(&[7; 3_600]).unwrap();
    (1..4).for_each(|number| client.expect(info(number, &[7; 1_200])));
    // The tail loss probe, then the timeout.
    client.sleep(200, 320);
    client.expect(info(3, &[7; 1_200]));
    client.expect_nothing();
    client.sleep(300, 330);
    client.expect(info(1, &[7; 1_200]));
    client.expect_nothing();
}

/// CONNACK answers the second of three CONNECTs, and gives no sample.
#[test]
fn without_any_sample_info_0_is_repeated_as_connect_is() {
    let mut client = ExtendedTrace::client(Config::default());
    client.elapse_with_loss(600);
    client.peer.tag = Some(rdt_proto::wire::Tag::new([8, 9, 10, 11, 12, 13, 14, 15]));
    client.peer_sends_connack(HandshakeParameters { attempt: 1, ..PARAMETERS });
    assert_times(&sends_at(&mut client.machine, client.now, 2), &[0, 250, 500, 1_000, 1_500]);
}

#[test]
fn after_a_sample_the_interval_doubles_each_time() {
    let config = Config::default();
    let mut client = ExtendedTrace::established_with(config, HeapStopAndWait::stop_and_wait_on_heap(&config).unwrap());
    client.machine.send(b"x").unwrap();
    // RTO = 100 + 4 × 50 + 5 ms.
    assert_times(&sends_at(&mut client.machine, client.now, 3), &[0, 305, 915, 2_135]);
}

#[test]
fn a_repeated_connect_is_answered_at_once_with_its_number() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    server.elapse(100);
    let mut buf = [0; MIN_CONNECT];
    let options =
        OptionsWriter::new(&mut buf).tag(PEER).unwrap().attempt(1).unwrap().pad_to(MIN_CONNECT).unwrap().finish();
    server.receive_under(&Framing::NOTE, Packet::Connect(options));
    let connack = server.next_datagram().unwrap();
    let Ok(Packet::ConnAck(options)) = Framing::tagged(PEER).decode(&connack) else { panic!("{connack:?}") };
    assert_eq!(options.attempt(), Some(1));
    // The timer starts again.
    server.sleep(125, 133);
    assert_eq!(server.next_datagram(), Some(connack));
    server.elapse(2_000);
}

#[test]
fn a_short_connect_is_answered_by_one_connack() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    let mut buf = [0; MIN_CONNECT];
    let options = OptionsWriter::new(&mut buf).tag(PEER).unwrap().finish();
    server.receive_under(&Framing::NOTE, Packet::Connect(options));
    assert!(server.next_datagram().is_some());
    server.elapse(2_000);
}

#[test]
fn info_0_stops_the_repeat_of_connack() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    server.elapse(100);
    server.peer_sends(info(0, b""));
    server.elapse_with_loss(20);
    server.elapse(1_000);
}

/// The timer has repeated CONNACK. The wait counts from the first one.
#[test]
fn a_slow_info_0_still_gives_the_server_a_sample() {
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    let (connack, start) = (server.learns_tag(), server.now);
    server.sleep(125, 133);
    assert_eq!(server.next_datagram(), Some(connack));
    server.elapse(175);
    server.peer_sends(info(0, b""));
    let waited = server.now.saturating_since(start);
    // SRTT + 4 × SRTT / 2 + 5 ms, in whole microseconds.
    assert_eq!(server.machine.rtt().rto().as_millis(), waited.saturating_mul(3).as_millis() + 5);
}
