//! SACKs that name the transmission that they answer (RFC 3522).

use harness::base::storage as stop_and_wait;
use harness::extended::*;
use rdt_proto::Duration;
use rdt_proto::connection::{Config, HandshakeParameters};

fn ms(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

/// The original of INFO 1 is late: its SACK comes after a probe and a timeout.
#[test]
fn a_late_original_starts_the_estimate_again() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    let original = client.peer.machine_counter - 1;
    client.sleep(205, 205);
    client.expect(info(1, b"x"));
    client.sleep(305, 325);
    client.expect(info(1, b"x"));
    client.elapse(100);
    client.peer_sends(sack_of(2, 1, original, 2, &[]));
    let srtt = client.machine.rtt().srtt();
    assert!(srtt >= ms(610) && srtt <= ms(630), "{srtt:?}");
    assert_eq!(client.machine.path().spurious, 1);
    assert_eq!(client.machine.rtt().min(), ms(100));
}

#[test]
fn the_last_of_several_transmissions_gives_its_own_round_trip() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    client.sleep(205, 205);
    client.expect(info(1, b"x"));
    client.elapse(100);
    client.peer_sends(sack(2, 1, 2, &[]));
    assert_eq!((client.machine.rtt().srtt(), client.machine.path().spurious), (ms(100), 0));
}

#[test]
fn a_counter_that_never_carried_the_number_gives_no_sample() {
    let mut client = ExtendedTrace::established(Config::default());
    client.sends(1, 1);
    client.sleep(205, 205);
    client.expect(info(1, b"x"));
    client.elapse(50);
    // 70 datagrams ago: older than the 64 times that are kept.
    client.peer_sends(sack_of(2, 1, client.peer.machine_counter.wrapping_sub(71), 2, &[]));
    assert_eq!(client.machine.rtt().srtt(), ms(100));
}

#[test]
fn stop_and_wait_knows_the_first_and_the_last_transmission() {
    for (ago, srtt) in [(3, Some(500)), (2, None), (1, Some(100))] {
        let config = Config::default();
        let mut client = ExtendedTrace::client_with(config, stop_and_wait(&config, 4).unwrap());
        client.learns_tag();
        client.peer_sends_connack(PARAMETERS);
        client.expect(info(0, b""));
        client.sleep(200, 220);
        client.expect(info(0, b""));
        // Before the first sample each interval counts twice.
        client.sleep(200, 220);
        client.expect(info(0, b""));
        client.elapse(100);
        client.peer_sends(sack_of(1, 0, 3 - ago, 1, &[]));
        let sampled = client.machine.rtt().srtt().map(Duration::as_millis);
        let near = |sampled: u64, srtt: u64| sampled >= srtt && sampled < srtt + 60;
        assert!(srtt.map_or(sampled.is_none(), |srtt| near(sampled.unwrap(), srtt)), "{ago}: {sampled:?}");
        assert_eq!(client.machine.path().spurious, u64::from(ago > 1));
    }
}

#[test]
fn a_server_measures_from_connack_to_info_0() {
    for (counter, rto_ms) in [(0, 300 + 5), (1, 1_000)] {
        let mut server = ExtendedTrace::server(Config::default(), HandshakeParameters { window: 4, ..PARAMETERS });
        server.learns_tag();
        server.elapse(100);
        server.peer.counter = counter;
        server.peer_sends(info(0, b""));
        assert_eq!(server.machine.rtt().rto().as_millis(), rto_ms, "INFO 0 with the counter {counter}");
    }
}
