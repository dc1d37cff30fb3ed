//! How a connection opens: CONNECT, CONNACK, INFO 0, and the loss of each.

use harness::base::*;
use rdt_proto::Seq;
use rdt_proto::connection::{CloseReason, Config, Event, Ignored, Role, SendError};
use rdt_proto::wire::{Options, Packet, Sack, SackDelay};
use rdt_proto::{Duration, Instant};

/// A configuration without time limits.
fn unlimited() -> Config {
    let (handshake_limit, idle_limit, quiet_limit) = (Duration::MAX, Duration::MAX, Duration::MAX);
    Config { handshake_limit, idle_limit, quiet_limit, ..Config::base() }
}

#[test]
fn a_client_connects_and_confirms_at_once() {
    let mut client = BaseTrace::client(Config::base());
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
fn connect_repeats_at_least_seven_times_until_the_limit() {
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.sleep(1_000, 1_063);
    client.expect(CONNECT);
    for _ in 2..=7 {
        // The interval is at most an eighth of the handshake limit, so that eight CONNECTs are sent.
        client.sleep(1_250, 1_329);
        client.expect(CONNECT);
    }
    client.sleep(1, 1_329);
    client.expect_event(Event::Closed(CloseReason::HandshakeTimedOut));
    client.expect_no_event();
    client.expect_nothing();
    assert!(client.machine.is_drained());
}

#[test]
fn data_written_before_the_answer_goes_with_info_0() {
    let mut client = BaseTrace::client(Config::base());
    assert_eq!(client.machine.send(b"hello"), Ok(5));
    client.expect(CONNECT);
    client.expect_nothing();
    client.peer_sends(CONNACK);
    client.expect(info(0, b"hello"));
}

#[test]
fn a_server_repeats_connack_until_the_handshake_limit() {
    let mut server = BaseTrace::server(Config::base());
    server.expect(CONNACK);
    server.sleep(1_000, 1_063);
    server.expect(CONNACK);
    for _ in 2..=7 {
        // The interval is at most an eighth of the handshake limit, so that eight CONNACKs are sent.
        server.sleep(1_250, 1_329);
        server.expect(CONNACK);
    }
    server.sleep(1, 1_329);
    assert_eq!(server.now, Instant::from_millis(11_000));
    server.expect_event(Event::Closed(CloseReason::HandshakeTimedOut));
    server.expect_no_event();
    server.expect_nothing();
    assert_eq!(server.machine.poll_timeout(), None);
    assert_eq!(server.machine.send(b"x"), Err(SendError::Closed));
}

#[test]
fn a_server_answers_each_connect_until_info_0_comes() {
    let mut server = BaseTrace::server(Config::base());
    server.expect(CONNACK);
    for _ in 0..3 {
        server.peer_sends(CONNECT);
        server.peer_sends(CONNECT);
        server.expect(CONNACK);
        server.expect_nothing();
    }
    server.peer_sends(info(0, b""));
    server.expect(ack(0));
    server.ignores(CONNECT, Ignored::LateConnect);
    server.expect_nothing();
}

#[test]
fn connack_after_a_repeated_connect_gives_no_rtt_sample() {
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.sleep(1_000, 1_063);
    client.expect(CONNECT);
    client.peer_sends(CONNACK);
    client.expect(info(0, b""));
    // RFC 6298 §3 (Karn's algorithm): it is unknown which CONNECT was answered.
    assert_eq!(client.machine.rtt().srtt(), None);
}

#[test]
fn a_lost_info_0_is_repeated_and_the_server_waits_for_it() {
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.peer_sends(CONNACK);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    client.sleep(1_000, 1_063);
    client.expect(info(0, b""));
    client.sleep(2_000, 2_125);
    client.expect(info(0, b""));
    client.peer_sends(ack(0));
    client.expect_nothing();

    let mut server = BaseTrace::server(Config::base());
    assert_eq!(server.machine.send(b"early"), Ok(5));
    server.expect(CONNACK);
    server.expect_nothing();
    server.expect_no_event();
    server.ignores(info(1, b"overtook"), Ignored::BeyondWindow);
    server.ignores(ack(0), Ignored::State);
    server.expect_nothing();
    server.peer_sends(info(0, b"hi"));
    server.expect_event(Event::Connected);
    server.expect_event(Event::Readable);
    server.expect(ack(0));
    server.expect(info(0, b"early"));
    assert_eq!(server.read(), b"hi");
}

#[test]
fn a_second_connack_changes_nothing() {
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.peer_sends(CONNACK);
    client.expect_event(Event::Connected);
    client.ignores(CONNACK, Ignored::State);
    client.expect(info(0, b""));
    client.ignores(CONNACK, Ignored::State);
    client.expect_no_event();
    client.expect_nothing();
}

#[test]
fn a_connack_before_connect_is_sent_is_ignored() {
    let mut client = BaseTrace::client(Config::base());
    client.ignores(CONNACK, Ignored::State);
    client.expect(CONNECT);
    client.expect_nothing();
}

#[test]
fn data_before_connack_is_not_acknowledged() {
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.ignores(info(0, b"early"), Ignored::State);
    client.ignores(ack(0), Ignored::State);
    client.ignores(FIN, Ignored::State);
    client.ignores(FINACK, Ignored::State);
    client.expect_nothing();
    client.expect_no_event();
    client.peer_sends(CONNACK);
    client.expect(info(0, b""));
    client.peer_sends(info(0, b"early"));
    client.expect(ack(0));
    assert_eq!(client.read(), b"early");
}

#[test]
fn a_client_ignores_connect_and_a_server_ignores_connack() {
    let mut client = BaseTrace::client(Config::base());
    client.ignores(CONNECT, Ignored::Role);
    let mut client = BaseTrace::established_client(Config::base());
    client.ignores(CONNECT, Ignored::Role);
    let mut server = BaseTrace::server(Config::base());
    server.ignores(CONNACK, Ignored::Role);
    let mut server = BaseTrace::established_server(Config::base());
    server.ignores(CONNACK, Ignored::Role);
    server.expect_nothing();
}

#[test]
fn a_late_connect_is_ignored_once_established_and_at_the_end() {
    let mut server = BaseTrace::established_server(Config::base());
    server.ignores(CONNECT, Ignored::LateConnect);
    server.expect_nothing();
    server.peer_sends(FIN);
    server.expect(FINACK);
    server.machine.close();
    server.expect(FIN);
    server.ignores(CONNECT, Ignored::LateConnect);
    server.peer_sends(FINACK);
    server.ignores(CONNECT, Ignored::Closed);
    server.elapse(10_000);
    assert!(server.machine.is_drained());
    server.ignores(CONNECT, Ignored::Closed);
    server.expect_nothing();
}

#[test]
fn a_client_that_closes_early_delivers_its_data() {
    let mut client = BaseTrace::client(Config::base());
    assert_eq!(client.machine.send(b"last words"), Ok(10));
    client.machine.close();
    assert_eq!(client.machine.send(b"!"), Err(SendError::Closing));
    client.expect(CONNECT);
    client.expect_nothing();
    client.peer_sends(CONNACK);
    client.expect(info(0, b"last words"));
    client.expect_nothing();
    client.peer_sends(ack(0));
    client.expect(FIN);
}

#[test]
fn a_client_that_closes_early_without_data_confirms_first() {
    let mut client = BaseTrace::client(Config::base());
    client.machine.close();
    client.expect(CONNECT);
    client.peer_sends(CONNACK);
    client.expect(info(0, b""));
    client.expect_nothing();
    client.peer_sends(ack(0));
    client.expect(FIN);
}

#[test]
fn a_server_that_closes_before_info_0_delivers_its_data() {
    let mut server = BaseTrace::server(Config::base());
    assert_eq!(server.machine.send(b"no, thanks"), Ok(10));
    server.machine.close();
    server.expect(CONNACK);
    server.expect_nothing();
    server.peer_sends(info(0, b"please"));
    server.expect(ack(0));
    server.expect(info(0, b"no, thanks"));
    server.expect_nothing();
    server.peer_sends(ack(0));
    server.expect(FIN);
    assert_eq!(server.read(), b"please");
}

#[test]
fn abort_during_the_handshake_sends_nothing() {
    for mut side in [BaseTrace::client(Config::base()), BaseTrace::server(Config::base())] {
        side.machine.abort(0);
        side.expect_nothing();
        side.expect_event(Event::Closed(CloseReason::Aborted));
        side.expect_no_event();
        assert!(side.machine.is_drained());
        assert_eq!(side.machine.poll_timeout(), None);
        side.ignores(CONNACK, Ignored::Closed);
        side.ignores(info(0, b""), Ignored::Closed);
        side.expect_nothing();
    }
}

#[test]
fn the_idle_limit_ends_a_handshake_too() {
    let config = Config { idle_limit: Duration::from_secs(2), ..Config::base() };
    for mut side in [BaseTrace::client(config), BaseTrace::server(config)] {
        let opening = if side.machine.role() == Role::Client { CONNECT } else { CONNACK };
        side.expect(opening);
        // The timeout is at most a quarter of the idle limit.
        for _ in 0..3 {
            side.sleep(500, 532);
            side.expect(opening);
        }
        side.sleep(400, 500);
        side.expect_event(Event::Closed(CloseReason::HandshakeTimedOut));
    }
}

/// Regression: without a handshake limit, the idle limit ended a handshake whose client still repeated CONNECT.
#[test]
fn a_repeated_connect_is_a_sign_of_life() {
    let config = Config { handshake_limit: Duration::MAX, ..Config::base() };
    let mut server = BaseTrace::server(config);
    server.expect(CONNACK);
    for _ in 0..10 {
        server.sleep(1_000, 8_000);
        server.expect(CONNACK);
        server.peer_sends(CONNECT);
        server.expect(CONNACK);
    }
    server.peer_sends(info(0, b""));
    server.expect_event(Event::Connected);
}

#[test]
fn without_limits_a_handshake_repeats_every_minute_for_ever() {
    for mut side in [BaseTrace::client(unlimited()), BaseTrace::server(unlimited())] {
        let opening = if side.machine.role() == Role::Client { CONNECT } else { CONNACK };
        side.expect(opening);
        for doubled in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000] {
            side.sleep(doubled, doubled + doubled / 16 + 1);
            side.expect(opening);
        }
        for _ in 0..1_000 {
            side.sleep(60_000, 63_751);
            side.expect(opening);
        }
        assert_eq!(side.machine.ended(), None);
    }
}

#[test]
fn packets_of_extended_mode_are_ignored() {
    let number = Seq::ZERO;
    let sack = Sack {
        next: number,
        window: 1,
        latest: number,
        counter: 0,
        ce: 0,
        delay: SackDelay::NO_SAMPLE,
        base: number,
        bitmap: &[],
    };
    let extended = [
        Packet::Sack(sack),
        Packet::Retry { cookie: b"cookie" },
        Packet::Reset { code: 1 },
        Packet::Probe { nonce: 7, for_window: false, padding: b"" },
        Packet::Echo { nonce: 7, counter: 0 },
    ];
    let mut opening = BaseTrace::client(Config::base());
    opening.expect(CONNECT);
    let mut confirming = BaseTrace::server(Config::base());
    confirming.expect(CONNACK);
    let established = [BaseTrace::established_client(Config::base()), BaseTrace::established_server(Config::base())];
    for mut side in [opening, confirming].into_iter().chain(established) {
        for packet in extended {
            side.ignores(packet, Ignored::Mode);
            side.expect_nothing();
            side.expect_no_event();
        }
    }
}

#[test]
fn options_without_a_tag_are_skipped() {
    let padding = Options::parse(b"\x06\x02ab").unwrap();
    let mut server = BaseTrace::server(Config::base());
    server.expect(CONNACK);
    server.peer_sends(Packet::Connect(padding));
    server.expect(CONNACK);
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.peer_sends(Packet::ConnAck(padding));
    client.expect_event(Event::Connected);
}

#[test]
fn in_base_mode_options_are_skipped() {
    let options = Options::parse(TAG_OPTION).unwrap();
    let mut client = BaseTrace::client(Config::base());
    client.expect(CONNECT);
    client.peer_sends(Packet::ConnAck(options));
    client.expect(info(0, b""));
    let mut server = BaseTrace::server(Config::base());
    server.expect(CONNACK);
    server.peer_sends(Packet::Connect(options));
    server.expect(CONNACK);
}
