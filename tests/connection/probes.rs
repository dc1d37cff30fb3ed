//! PROBE and ECHO: the closed window, and keep-alive.

use harness::extended::*;
use rdt_proto::connection::{CloseReason, Config, Ignored};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};

#[test]
fn a_zero_window_is_probed_with_backoff_until_it_opens() {
    let mut client = ExtendedTrace::established(Config::default());
    // The right edge of the window is 65. The peer acknowledges all numbers before it, and keeps the window closed.
    client.sends(1, 32);
    client.peer_sends(closed(33));
    client.sends(33, 32);
    client.peer_sends(closed(65));
    client.machine.send_segment(b"waits").unwrap();
    // The first two PROBEs follow after one RTO each, the third after two. RTO = SRTT + 4 RTTVAR + 5 ms.
    client.machine.handle_timeout(client.now);
    client.sleep(80, 400);
    let probe = client.next_datagram().unwrap();
    assert!(matches!(Framing::tagged(PEER).decode(&probe), Ok(Packet::Probe { for_window: true, .. })));
    client.sleep(80, 400);
    assert!(client.next_datagram().is_some());
    client.sleep(160, 800);
    assert!(client.next_datagram().is_some());
    client.peer_sends(sack(65, 64, 65, &[]));
    client.expect(info(65, b"waits"));
}

#[test]
fn a_probe_is_answered_with_echo_or_sack() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(Packet::Probe { nonce: 0x0123_4567_89AB_CDEF, for_window: false, padding: &[0; 40] });
    client.expect(Packet::Echo { nonce: 0x0123_4567_89AB_CDEF, counter: 1 });
    client.expect_nothing();
    client.peer_sends(Packet::Probe { nonce: 1, for_window: true, padding: &[] });
    client.expect_sack(0, &[]);
    client.expect_nothing();
}

#[test]
fn an_echo_without_a_probe_is_ignored() {
    let mut client = ExtendedTrace::established(Config::default());
    client.ignores(Packet::Echo { nonce: 1, counter: 0 }, Ignored::NeverSent);
}

#[test]
fn keep_alive_probes_after_a_silence_and_detects_a_lost_peer() {
    let config = Config { keep_alive: Duration::from_secs(10), ..Config::default() };
    let mut client = ExtendedTrace::established(config);
    client.sleep(9_900, 10_000);
    let probe = client.next_datagram().unwrap();
    let probe = Framing::tagged(PEER).decode(&probe);
    let Ok(Packet::Probe { nonce, for_window: false, .. }) = probe else { panic!("{probe:?}") };
    client.peer_sends(Packet::Echo { nonce, counter: 0 });
    client.sleep(9_900, 10_000);
    let start = client.now;
    while client.machine.ended().is_none() {
        client.pass_with_loss();
    }
    assert_eq!(client.machine.ended(), Some(CloseReason::TimedOut));
    assert_eq!(client.now.saturating_since(start), Duration::from_secs(30));
}

#[test]
fn keep_alive_probes_early_once_the_peers_data_stops() {
    let config = Config { keep_alive: Duration::from_secs(10), ..Config::default() };
    let mut client = ExtendedTrace::established(config);
    client.peer_sends(info(0, b"data"));
    client.elapse_with_loss(30);
    client.sleep(500, 600);
    let probe = client.next_datagram().unwrap();
    let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(PEER).decode(&probe) else { panic!("{probe:?}") };
    client.peer_sends(Packet::Echo { nonce, counter: 0 });
    // The next one waits twice as long, and so on up to the keep-alive time.
    client.sleep(1_100, 1_300);
    client.next_datagram().unwrap();
    client.peer_sends(info(1, b"more"));
    client.elapse_with_loss(30);
    client.sleep(500, 600);
}

#[test]
fn a_closed_window_is_probed_after_an_rto_despite_keep_alive() {
    let config = Config { keep_alive: Duration::from_secs(10), ..Config::default() };
    let mut client = ExtendedTrace::established(config);
    client.sends(1, 32);
    client.peer_sends(closed(33));
    client.sends(33, 32);
    client.peer_sends(closed(65));
    client.elapse(3_000);
    assert_eq!(client.machine.send(b"more"), Ok(4));
    client.machine.handle_timeout(client.now);
    client.sleep(80, 400);
    let probe = client.next_datagram().unwrap();
    assert!(matches!(Framing::tagged(PEER).decode(&probe), Ok(Packet::Probe { .. })));
}

#[test]
fn without_keep_alive_a_quiet_connection_lives() {
    let mut client = ExtendedTrace::established(Config::default());
    client.expect_nothing();
    assert_eq!(client.machine.poll_timeout(), None);
    client.now = Instant::from_millis(3_600_000);
    client.machine.handle_timeout(client.now);
    assert!(client.machine.is_established());
}
