//! RETRY: the server keeps no state for an unvalidated address, and the client validates its address with a cookie.

use harness::extended::*;
use rdt_proto::Instant;
use rdt_proto::connection::{
    CloseReason, Config, Connection, Event, Handled, HandshakeParameters, HeapStorage, Ignored,
};
use rdt_proto::listener::{Dispatch, FixedPeers, Listener, ListenerConfig, Retry};
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, Options, Packet, Tag};

/// The options of a CONNECT.
fn options(connect: &[u8]) -> Options<'_> {
    let Packet::Connect(options) = Framing::NOTE.decode(connect).unwrap() else { panic!("{connect:?}") };
    options
}

/// Asserts that the next datagram is a CONNECT with this cookie, and returns it.
#[track_caller]
fn expect_connect(client: &mut ExtendedTrace, cookie: &[u8]) -> Vec<u8> {
    let connect = client.next_datagram().expect("no CONNECT");
    assert_eq!(options(&connect).cookie(), Some(cookie));
    connect
}

#[test]
fn a_client_sends_connect_again_at_once_with_the_cookie() {
    let mut client = ExtendedTrace::client(Config::default());
    let first = client.learns_tag();
    client.elapse(100);
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    let second = expect_connect(&mut client, b"cookie");
    assert!(second.len() >= MIN_CONNECT);
    let (first, second) = (options(&first), options(&second));
    assert_eq!(
        (first.tag(), first.segment(), first.window(), first.idle_ms()),
        (second.tag(), second.segment(), second.window(), second.idle_ms())
    );
    client.expect_nothing();
    client.peer_sends_connack(PARAMETERS);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
}

#[test]
fn the_longest_cookie_fits() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends(Packet::Retry { cookie: &[7; 64] });
    let connect = expect_connect(&mut client, &[7; 64]);
    assert!(connect.len() <= Config::default().max_datagram_len());
    assert_eq!(options(&connect).tag(), client.peer.tag);
}

#[test]
fn after_a_lost_retry_connect_is_repeated() {
    let mut client = ExtendedTrace::client(Config::default());
    let first = client.learns_tag();
    client.sleep(250, 266);
    let second = client.next_datagram().unwrap();
    assert_eq!((options(&first).attempt(), options(&second).attempt()), (Some(0), Some(1)));
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    expect_connect(&mut client, b"cookie");
}

#[test]
fn connect_with_a_cookie_repeats_after_the_initial_timeout() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.sleep(250, 266);
    client.next_datagram().unwrap();
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    let connect = expect_connect(&mut client, b"cookie");
    client.sleep(250, 266);
    let repeated = expect_connect(&mut client, b"cookie");
    assert_eq!((options(&connect).attempt(), options(&repeated).attempt()), (Some(2), Some(3)));
}

/// On a slow path the server has answered several CONNECTs before the cookie arrives.
#[test]
fn a_retry_with_the_same_cookie_is_a_repeat() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.sleep(250, 266);
    client.next_datagram().unwrap();
    client.elapse(150);
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    expect_connect(&mut client, b"cookie");
    client.elapse(240);
    client.ignores(Packet::Retry { cookie: b"cookie" }, Ignored::State);
    client.expect_nothing();
}

#[test]
fn two_retries_are_followed_and_a_third_is_ignored() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends(Packet::Retry { cookie: b"one" });
    expect_connect(&mut client, b"one");
    client.peer_sends(Packet::Retry { cookie: b"another" });
    expect_connect(&mut client, b"another");
    client.ignores(Packet::Retry { cookie: b"third" }, Ignored::State);
    client.sleep(250, 266);
    expect_connect(&mut client, b"another");
}

#[test]
fn retries_do_not_extend_the_handshake_limit() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    let limit = client.now + Config::default().handshake_limit;
    while client.machine.ended().is_none() {
        let _ = client.receive_under(&Framing::tagged(client.peer.tag.unwrap()), Packet::Retry { cookie: b"c" });
        client.pass_with_loss();
    }
    assert_eq!((client.machine.ended(), client.now), (Some(CloseReason::HandshakeTimedOut), limit));
}

#[test]
fn a_retry_without_a_pending_connect_is_ignored() {
    // An attacker that did not see the CONNECT does not know its tag.
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    let forged = client.receive_under(&Framing::tagged(Tag::new(*b"stranger")), Packet::Retry { cookie: b"c" });
    assert_eq!(forged, Handled::Ignored(Ignored::Malformed(DecodeError::Prefix)));
    client.expect_nothing();
    // After CONNACK.
    let mut client = ExtendedTrace::established(Config::default());
    client.ignores(Packet::Retry { cookie: b"late" }, Ignored::State);
    client.expect_nothing();
    // Before the first CONNECT: a RETRY for an earlier connection with the same entropy.
    let mut client = ExtendedTrace::client(Config::default());
    client.peer.tag = Some(Tag::new([8, 9, 10, 11, 12, 13, 14, 15]));
    client.ignores(Packet::Retry { cookie: b"early" }, Ignored::State);
    assert_eq!(options(&client.learns_tag()).cookie(), None);
    // Only a client follows RETRY.
    let mut server = ExtendedTrace::server(Config::default(), PARAMETERS);
    server.learns_tag();
    server.ignores(Packet::Retry { cookie: b"c" }, Ignored::Role);
    server.expect_nothing();
}

/// RFC 6298 §3: after RETRY, CONNACK can only answer the CONNECT with the cookie, so the sample is unambiguous.
#[test]
fn the_connect_with_the_cookie_gives_an_rtt_sample() {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.elapse(200);
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    expect_connect(&mut client, b"cookie");
    client.sleep(250, 266);
    expect_connect(&mut client, b"cookie");
    client.elapse(34);
    client.peer_sends_connack(HandshakeParameters { attempt: 1, ..PARAMETERS });
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    // After a handshake of about 300 ms, the RTO is 300 + 4 × 150 ms, plus the peer's delay and the jitter.
    client.sleep(850, 962);
}

/// The handshake takes one more round trip, and all data arrives.
#[test]
fn a_client_connects_to_a_listener_that_always_validates() {
    let now = Instant::from_millis(5);
    let config = ListenerConfig { retry: Retry::Always, ..ListenerConfig::default() };
    let mut server = Listener::<FixedPeers<2, u8, HeapStorage>>::new(now, config, [9; 48]);
    let storage = || HeapStorage::on_heap(&config.connection, 4);
    let mut client = Connection::connect(now, config.connection, [4; 32], storage().unwrap()).unwrap();
    client.send(b"hello").unwrap();
    let (mut routes, mut buf, mut accepted) = (Vec::new(), [0; 2_048], None);
    for _ in 0..20 {
        while let Some(sent) = client.poll_transmit(now, &mut buf).unwrap() {
            routes.push(server.handle_datagram(now, 1, &buf[..sent.len]));
        }
        if let Some(incoming) = server.poll_incoming() {
            assert!(incoming.is_validated());
            accepted = Some(server.accept(now, incoming, [5; 32], storage).unwrap());
        }
        while let Some((1, sent)) = server.poll_transmit(now, &mut buf).unwrap() {
            client.handle_datagram(now, &buf[..sent.len]);
        }
    }
    assert_eq!(routes[..2], [Dispatch::Retried, Dispatch::Queued]);
    assert_eq!(server.peer(accepted.unwrap()).unwrap().recv_chunk(), b"hello");
    assert_eq!((server.stats().retried, server.stats().validated, server.stats().bad_cookie), (1, 1, 0));
}
