//! The limits on silence: idle, quiet, and the packets that restart them.

use harness::base::*;
use rdt_proto::connection::{CloseReason, Config, Event, Ignored, SendError};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};

/// Expects this packet at each deadline until the connection ends. Returns the elapsed milliseconds.
#[track_caller]
fn repeat_until_the_end(side: &mut BaseTrace, packet: Packet<'_>) -> u64 {
    let start = side.now;
    while repeat(side, packet) {}
    side.now.saturating_since(start).as_millis()
}

/// Expects one repetition of this packet. Returns whether the connection is still open.
#[track_caller]
fn repeat(side: &mut BaseTrace, packet: Packet<'_>) -> bool {
    side.sleep(1, 70_000);
    if side.machine.ended().is_none() {
        side.expect(packet);
    }
    side.machine.ended().is_none()
}

#[test]
fn silence_with_unanswered_data_ends_at_the_idle_limit() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.expect(info(1, b"x"));
    assert_eq!(repeat_until_the_end(&mut client, info(1, b"x")), 30_000);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
    client.expect_no_event();
    client.expect_nothing();
    assert_eq!(client.machine.poll_timeout(), None);
    assert!(client.machine.is_drained());
    assert_eq!(client.machine.send(b"x"), Err(SendError::Closed));
    client.ignores(ack(1), Ignored::Closed);
}

#[test]
fn the_idle_limit_follows_the_config_and_bounds_the_timeout() {
    let mut client = BaseTrace::established_client(Config { idle_limit: Duration::from_secs(4), ..Config::base() });
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.expect(info(1, b"x"));
    for _ in 0..6 {
        assert!(repeat(&mut client, info(1, b"x")));
    }
    client.sleep(1_000, 1_063);
    client.expect(info(1, b"x"));
    repeat_until_the_end(&mut client, info(1, b"x"));
    client.expect_event(Event::Closed(CloseReason::TimedOut));
}

#[test]
fn each_sign_of_life_restarts_the_idle_limit() {
    for sign in [info(0, b"x"), info(5, b"beyond the window"), ack(0), CONNACK, FIN, FINACK] {
        let mut client = BaseTrace::established_client(Config::base());
        assert_eq!(client.machine.send(b"x"), Ok(1));
        client.expect(info(1, b"x"));
        let start = client.now;
        while client.now < start + Duration::from_secs(20) {
            assert!(repeat(&mut client, info(1, b"x")));
        }
        let heard = client.now;
        client.receive(sign);
        let mut answer = [0; 64];
        if matches!(sign, Packet::Fin | Packet::Info { .. }) {
            let _ = client.machine.poll_transmit(client.now, &mut answer);
        }
        repeat_until_the_end(&mut client, info(1, b"x"));
        assert_eq!(client.now, heard + Duration::from_secs(30), "{sign:?}");
    }
}

#[test]
fn noise_is_no_sign_of_life() {
    let mut server = BaseTrace::established_server(Config::base());
    let start = server.now;
    assert_eq!(server.machine.send(b"x"), Ok(1));
    server.expect(info(0, b"x"));
    for _ in 0..5 {
        assert!(repeat(&mut server, info(0, b"x")));
    }
    // The CONNECT of a restarted client must not keep its old connection alive.
    server.ignores(CONNECT, Ignored::LateConnect);
    server.ignores(CONNACK, Ignored::Role);
    server.ignores(ack(7), Ignored::NeverSent);
    server.ignores(Packet::Reset { code: 0 }, Ignored::Mode);
    server.machine.handle_datagram(server.now, b"nonsense");
    repeat_until_the_end(&mut server, info(0, b"x"));
    assert_eq!(server.now, start + Duration::from_secs(30));
}

#[test]
fn a_restarted_client_does_not_keep_a_quiet_connection_alive() {
    let mut server = BaseTrace::established_server(Config::base());
    for _ in 0..7 {
        server.elapse(8_000);
        server.ignores(CONNECT, Ignored::LateConnect);
    }
    server.sleep(4_000, 4_000);
    server.expect_event(Event::Closed(CloseReason::Quiet));
}

#[test]
fn a_quiet_connection_lives_until_the_quiet_limit() {
    for mut side in [BaseTrace::established_client(Config::base()), BaseTrace::established_server(Config::base())] {
        side.elapse(59_999);
        assert!(side.machine.is_established());
        side.sleep(1, 1);
        side.expect_event(Event::Closed(CloseReason::Quiet));
        side.expect_no_event();
        side.expect_nothing();
        assert_eq!(side.machine.poll_timeout(), None);
    }
}

#[test]
fn each_packet_of_the_peer_restarts_the_quiet_limit() {
    let mut server = BaseTrace::established_server(Config::base());
    for number in 1..5 {
        server.elapse(59_000);
        server.peer_sends(info(number, b"x"));
        server.expect(ack(number));
    }
    server.sleep(60_000, 60_000);
    server.expect_event(Event::Readable);
    server.expect_event(Event::Closed(CloseReason::Quiet));
}

#[test]
fn a_quiet_connection_that_sends_gets_a_full_idle_limit() {
    let mut client = BaseTrace::established_client(Config::base());
    client.elapse(29_000);
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.expect(info(1, b"x"));
    assert_eq!(repeat_until_the_end(&mut client, info(1, b"x")), 30_000);
    client.expect_event(Event::Closed(CloseReason::TimedOut));

    let mut client = BaseTrace::established_client(Config::base());
    client.elapse(59_000);
    client.machine.close();
    client.expect(FIN);
    assert_eq!(repeat_until_the_end(&mut client, FIN), 30_000);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
}

#[test]
fn after_the_answer_the_quiet_limit_applies_again() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.expect(info(1, b"x"));
    client.peer_sends(ack(1));
    client.sleep(60_000, 60_000);
    client.expect_event(Event::Closed(CloseReason::Quiet));

    let mut client = BaseTrace::established_client(Config::base());
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.sleep(60_000, 60_000);
    client.expect_event(Event::Closed(CloseReason::Quiet));
}

#[test]
fn without_a_quiet_limit_a_quiet_connection_has_no_deadline() {
    let config = Config { quiet_limit: Duration::MAX, ..Config::base() };
    for mut side in [BaseTrace::established_client(config), BaseTrace::established_server(config)] {
        assert_eq!(side.machine.poll_timeout(), None);
        side.elapse(1_000_000_000);
        assert!(side.machine.is_established());
        // The other limits still apply.
        let number = side.machine.stats().infos_sent.try_into().unwrap();
        assert_eq!(side.machine.send(b"x"), Ok(1));
        side.expect(info(number, b"x"));
        assert_eq!(repeat_until_the_end(&mut side, info(number, b"x")), 30_000);
    }
}

#[test]
fn without_an_idle_limit_data_repeats_each_minute_for_ever() {
    let mut client = BaseTrace::established_client(Config { idle_limit: Duration::MAX, ..Config::base() });
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.expect(info(1, b"x"));
    for _ in 0..11 {
        assert!(repeat(&mut client, info(1, b"x")));
    }
    for _ in 0..1_000 {
        client.sleep(60_000, 63_751);
        client.expect(info(1, b"x"));
    }
    client.peer_sends(ack(1));
    client.machine.close();
    client.expect(FIN);
    for _ in 0..1_000 {
        assert!(repeat(&mut client, FIN));
    }
    client.peer_sends(FINACK);
}

#[test]
fn a_deadline_that_is_handled_late_counts_once() {
    let mut client = BaseTrace::established_client(Config::base());
    assert_eq!(client.machine.send(b"x"), Ok(1));
    client.expect(info(1, b"x"));
    client.now = client.now + Duration::from_secs(29);
    client.machine.handle_timeout(client.now);
    client.machine.handle_timeout(client.now);
    client.expect(info(1, b"x"));
    client.expect_nothing();
    assert_eq!(client.machine.stats().timeouts, 1);
    client.now = Instant::from_micros(u64::MAX);
    client.machine.handle_timeout(client.now);
    client.expect_event(Event::Closed(CloseReason::TimedOut));
    client.expect_nothing();
}

/// Regression: CONNECT was overdue in the instant in which it was sent, so the deadline did not lie in the future.
#[test]
fn an_idle_limit_of_zero_ends_a_handshake_after_a_millisecond() {
    let mut client = BaseTrace::client(Config { idle_limit: Duration::ZERO, ..Config::base() });
    client.expect(CONNECT);
    client.sleep(1, 1);
    client.expect_event(Event::Closed(CloseReason::HandshakeTimedOut));
    client.expect_nothing();
}

#[test]
fn a_handshake_ends_at_a_shorter_idle_limit() {
    let config = Config { handshake_limit: Duration::from_secs(300), ..Config::base() };
    let mut client = BaseTrace::client(config);
    client.expect(CONNECT);
    assert_eq!(repeat_until_the_end(&mut client, CONNECT), 30_000);
    client.expect_event(Event::Closed(CloseReason::HandshakeTimedOut));
}

/// Regression: a linger of `Duration::MAX` never ended.
#[test]
fn a_linger_without_bound_ends_after_four_minutes() {
    let mut client = BaseTrace::established_client(Config { linger: Duration::MAX, ..Config::base() });
    client.machine.close();
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.peer_sends(FIN);
    client.expect(FINACK);
    client.expect_event(Event::PeerClosed);
    client.expect_event(Event::Closed(CloseReason::Finished));
    client.elapse(239_999);
    assert!(!client.machine.is_drained());
    client.elapse(1);
    assert!(client.machine.is_drained());
}
