//! RETRY: a server keeps nothing of an address that is not proven, and a client proves its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod tagged;

use rdt_proto::connection::{Config, Event, Handled, Ignored, Reason, Storage};
use rdt_proto::listener::{Fixed, Listener, ListenerConfig, Retry, Routed};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, MIN_CONNECT, Options, Packet, Tag};
use rdt_proto::{Instant, connection::Connection};
use tagged::*;

/// The options of a CONNECT.
fn options(connect: &[u8]) -> Options<'_> {
    let Packet::Connect(options) = Framing::NOTE.decode(connect).unwrap() else { panic!("{connect:?}") };
    options
}

#[track_caller]
fn expect_connect(client: &mut Trace, cookie: &[u8]) -> Vec<u8> {
    let connect = client.transmit().expect("no CONNECT");
    assert_eq!(options(&connect).cookie(), Some(cookie));
    connect
}

#[test]
fn a_client_sends_connect_again_at_once_with_the_cookie() {
    let mut client = Trace::client(Config::default());
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
    client.peer_sends_connack(HELLO);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
}

#[test]
fn the_longest_cookie_fits() {
    let mut client = Trace::client(Config::default());
    client.learns_tag();
    client.peer_sends(Packet::Retry { cookie: &[7; 64] });
    let connect = expect_connect(&mut client, &[7; 64]);
    assert!(connect.len() <= Config::default().max_datagram_len());
    assert_eq!(options(&connect).tag(), client.tag);
}

#[test]
fn a_lost_retry_is_asked_for_again_by_the_same_connect() {
    let mut client = Trace::client(Config::default());
    let first = client.learns_tag();
    client.sleep(1_000, 1_063);
    assert_eq!(client.transmit(), Some(first));
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    expect_connect(&mut client, b"cookie");
}

#[test]
fn a_lost_connect_with_the_cookie_is_repeated_byte_for_byte_from_the_first_timeout_on() {
    let mut client = Trace::client(Config::default());
    client.learns_tag();
    client.sleep(1_000, 1_063);
    client.transmit().unwrap();
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    let connect = expect_connect(&mut client, b"cookie");
    client.sleep(1_000, 1_063);
    assert_eq!(client.transmit(), Some(connect));
}

#[test]
fn two_retries_are_followed_and_no_third() {
    let mut client = Trace::client(Config::default());
    client.learns_tag();
    client.peer_sends(Packet::Retry { cookie: b"one" });
    expect_connect(&mut client, b"one");
    client.peer_sends(Packet::Retry { cookie: b"another" });
    expect_connect(&mut client, b"another");
    client.ignores(Packet::Retry { cookie: b"third" }, Ignored::Stage);
    client.sleep(1_000, 1_063);
    expect_connect(&mut client, b"another");
}

#[test]
fn retries_do_not_extend_the_handshake_limit() {
    let mut client = Trace::client(Config::default());
    client.learns_tag();
    let limit = client.now + Config::default().handshake_limit;
    while client.machine.ended().is_none() {
        client.receive_under(&Framing::tagged(client.tag.unwrap()), Packet::Retry { cookie: b"c" });
        while client.transmit().is_some() {}
        client.now = client.machine.poll_timeout().unwrap();
        client.machine.handle_timeout(client.now);
    }
    assert_eq!((client.machine.ended(), client.now), (Some(Reason::HandshakeTimedOut), limit));
}

#[test]
fn a_retry_that_answers_nothing_is_ignored() {
    // Somebody who did not see the CONNECT does not know its tag.
    let mut client = Trace::client(Config::default());
    client.learns_tag();
    let forged = client.receive_under(&Framing::tagged(Tag::new(*b"stranger")), Packet::Retry { cookie: b"c" });
    assert_eq!(forged, Handled::Ignored(Ignored::Prefix));
    client.expect_nothing();
    // After the answer.
    let mut client = Trace::established(Config::default());
    client.ignores(Packet::Retry { cookie: b"late" }, Ignored::Stage);
    client.expect_nothing();
    // Before CONNECT has left: that of an earlier connection with the same entropy.
    let mut client = Trace::client(Config::default());
    client.tag = Some(Tag::new([8, 9, 10, 11, 12, 13, 14, 15]));
    client.ignores(Packet::Retry { cookie: b"early" }, Ignored::Stage);
    assert_eq!(options(&client.learns_tag()).cookie(), None);
    // A server asks for cookies, and gets none.
    let mut server = Trace::server(Config::default(), HELLO);
    server.learns_tag();
    server.ignores(Packet::Retry { cookie: b"c" }, Ignored::Role);
    server.expect_nothing();
}

/// RFC 6298 §3: which CONNECT a CONNACK answers is clear after a RETRY, too.
#[test]
fn the_connect_with_the_cookie_measures_the_path() {
    let mut client = Trace::client(Config::default());
    client.learns_tag();
    client.elapse(300);
    client.peer_sends(Packet::Retry { cookie: b"cookie" });
    expect_connect(&mut client, b"cookie");
    client.elapse(300);
    client.peer_sends_connack(HELLO);
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    // 300 + 4 × 150 ms and the peer's delay: that of a handshake of 300 ms.
    client.sleep(0, 960);
}

type Door = Listener<u8, SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Fixed<2>, Selective>;

/// A listener that always asks, and a client: a round trip more, and everything arrives.
#[test]
fn a_client_gets_through_to_a_listener_that_always_asks() {
    let now = Instant::from_millis(5);
    let mut server = Door::new(now, ListenerConfig { retry: Retry::Always, ..ListenerConfig::default() }, [9; 48]);
    let stores = || -> Stores { storage(4, 4) };
    let mut client = Connection::connect(now, Config::default(), [4; 32], stores());
    client.send(b"hello").unwrap();
    let (mut routes, mut buf, mut accepted) = (Vec::new(), [0; 2_048], None);
    for _ in 0..20 {
        while let Some(sent) = client.poll_transmit(now, &mut buf).unwrap() {
            routes.push(server.handle_datagram(now, 1, &buf[..sent.len]));
        }
        if let Some(incoming) = server.poll_incoming() {
            assert!(incoming.is_proven());
            let Storage { send, recv, arq } = stores();
            let storage = || Storage { send, recv, arq };
            accepted = Some(server.accept(now, incoming, [5; 32], storage).unwrap());
        }
        while let Some((1, sent)) = server.poll_transmit(now, &mut buf).unwrap() {
            client.handle_datagram(now, &buf[..sent.len]);
        }
    }
    assert_eq!(routes[..2], [Routed::Retried, Routed::Queued]);
    assert_eq!(server.peer(accepted.unwrap()).unwrap().recv_chunk(), b"hello");
    assert_eq!((server.stats().retried, server.stats().proven, server.stats().bad_cookie), (1, 1, 0));
}
