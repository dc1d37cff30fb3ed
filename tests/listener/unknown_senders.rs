//! Unknown senders: forged datagrams, handshake floods, restarted clients, cookies, limits.

use harness::listener::*;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Ignored, Mode};
use rdt_proto::listener::{Dispatch, DropReason, ListenerConfig, Retry};
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, Options, Packet, Tag};

const HERE: At = At(1, 1);
const NEVER: ListenerConfig = config(Retry::Never);

const fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { connection: Config::new(), peers: 16, backlog: 8, per_host: 8, per_address: 4, busy: None, retry }
}

/// An off-path attacker forges the address of the peer, and guesses one of 2^64 tags for each datagram.
#[test]
fn a_million_forged_packets_change_only_a_counter() {
    let mut listener = ListenerTrace::new(NEVER);
    let client = listener.established(HERE, tag(1));
    listener.peer(&client).send(b"unacknowledged").unwrap();
    listener.drain();
    let before = listener.machine.peer(client.id).unwrap().clone();
    let (mut forged, mut random) = (0_u64, oorandom::Rand64::new(7));
    let packets = [
        info(1, b"forged"),
        Packet::Ack { number: rdt_proto::Seq::ZERO },
        sack(1),
        Packet::Fin,
        Packet::FinAck,
        Packet::Reset { code: 1 },
        Packet::Probe { nonce: 1, for_window: false, padding: &[] },
        Packet::Echo { nonce: 1, counter: 0 },
    ];
    let mut datagrams = packets.map(|packet| {
        let mut datagram = vec![0; 64];
        let len = packet.encode(&Framing::tagged(tag(0)), &mut datagram).unwrap();
        datagram.truncate(len);
        datagram
    });
    let malformed = DropReason::Malformed(DecodeError::Prefix);
    for _ in 0..125_000 {
        for datagram in &mut datagrams {
            datagram[..8].copy_from_slice(&random.rand_u64().to_ne_bytes());
            let dispatch = listener.machine.handle_datagram(listener.now, HERE, datagram);
            assert_eq!(dispatch, Dispatch::Dropped(malformed));
            forged += 1;
        }
    }
    let dropped = listener.machine.stats().dropped.total();
    assert_eq!((forged, listener.dropped(malformed), dropped), (1_000_000, forged, forged));
    assert!(listener.machine.peer(client.id) == Some(&before));
    listener.expect_nothing();
    assert_eq!(listener.machine.poll_event(), None);
    listener.takes(&client, sack(1));
}

/// The old connection ends only when INFO 0 confirms the new one, since a CONNECT can be forged.
#[test]
fn a_restarted_client_evicts_its_old_connection_once_confirmed() {
    let mut listener = ListenerTrace::new(NEVER);
    let old = listener.established(HERE, tag(1));
    listener.queues(HERE, tag(2));
    let new = listener.accepts(HERE);
    listener.takes(&old, info(1, b"still heard"));
    listener.expect_event(&old, Event::Readable);
    listener.confirms(&new);
    listener.expect_event(&old, Event::Closed(CloseReason::Evicted));
    let late = listener.receive_under(HERE, old.theirs, info(2, b"late"));
    assert_eq!(late, Dispatch::Peer(old.id, Handled::Ignored(Ignored::Closed)));
    listener.expect_nothing();
    assert_eq!(listener.machine.stats().evicted, 1);
    // Data that the evicted connection has received can still be read.
    assert_eq!(listener.peer(&old).recv_chunk(), b"still heard");
    listener.machine.release(listener.now, old.id);
    assert_eq!(listener.machine.len(), 1);
    listener.takes(&new, info(1, b"of the new one"));
}

#[test]
fn a_forged_connect_ends_only_its_own_handshake() {
    let mut listener = ListenerTrace::new(NEVER);
    let client = listener.established(HERE, tag(1));
    listener.queues(HERE, tag(66));
    let forged = listener.accepts(HERE);
    listener.takes(&client, info(1, b"goes on"));
    listener.elapse_with_loss(10_000);
    listener.expect_event(&client, Event::Readable);
    listener.expect_event(&forged, Event::Closed(CloseReason::HandshakeTimedOut));
    assert!(listener.peer(&client).is_established());
}

/// A client restarts quickly. The late INFO 0 of its first handshake does not end the second handshake.
#[test]
fn a_handshake_that_began_later_is_not_evicted() {
    let mut listener = ListenerTrace::new(NEVER);
    listener.queues(HERE, tag(1));
    let first = listener.accepts(HERE);
    listener.queues(HERE, tag(2));
    let second = listener.accepts(HERE);
    listener.confirms(&first);
    listener.confirms(&second);
    listener.expect_event(&first, Event::Closed(CloseReason::Evicted));
    assert!(listener.peer(&second).is_established());
    // An older handshake in the backlog is evicted, too.
    listener.queues(HERE, tag(3));
    let waiting = listener.incoming(HERE);
    listener.queues(HERE, tag(4));
    let third = listener.accepts(HERE);
    listener.confirms(&third);
    assert_eq!(listener.machine.backlog_len(), 0);
    listener.machine.refuse(waiting, 1);
    listener.expect_nothing();
}

#[test]
fn base_mode_never_evicts_a_connection_of_extended_mode() {
    let both = Config { mode: Mode::Both, ..Config::new() };
    let mut listener = ListenerTrace::new(ListenerConfig { connection: both, ..NEVER });
    let extended = listener.established(HERE, tag(1));
    let mut say = |packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        listener.receive_datagram(HERE, &datagram[..len])
    };
    for packet in [info(1, b"forged"), Packet::Fin, Packet::FinAck] {
        assert_eq!(say(packet), Dispatch::Dropped(DropReason::UnknownPeer));
    }
    assert_eq!(say(Packet::Connect(Options::NONE)), Dispatch::Queued);
    let incoming = listener.incoming(HERE);
    assert_eq!(incoming.parameters().tag, None);
    let base = listener.accept(incoming);
    let mut say = |packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        listener.receive_datagram(HERE, &datagram[..len])
    };
    for packet in [info(0, b""), info(1, b"beside"), Packet::Fin] {
        assert_eq!(say(packet), Dispatch::Peer(base, Handled::Accepted));
    }
    assert!(listener.peer(&extended).is_established());
    listener.takes(&extended, info(1, b"goes on"));
    // A confirmed connection of extended mode does evict the older connection of base mode.
    listener.drain();
    let new = listener.established(HERE, tag(2));
    assert_eq!(listener.machine.peer(base).unwrap().ended(), Some(CloseReason::Evicted));
    assert_eq!(listener.peer(&extended).ended(), Some(CloseReason::Evicted));
    assert!(listener.peer(&new).is_established());
}

#[test]
fn a_repeated_connect_is_one_handshake_in_every_state() {
    let mut listener = ListenerTrace::new(NEVER);
    for _ in 0..3 {
        listener.queues(HERE, tag(1));
    }
    assert_eq!(listener.machine.backlog_len(), 1);
    let client = listener.accepts(HERE);
    for _ in 0..3 {
        assert_eq!(listener.connect(HERE, tag(1), None), Dispatch::Peer(client.id, Handled::Accepted));
        let sent = listener.drain();
        assert!(sent.len() == 1 && sent[0].1.len() < MIN_CONNECT, "one CONNACK for each CONNECT");
    }
    listener.confirms(&client);
    let late = listener.connect(HERE, tag(1), None);
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::LateConnect)));
    listener.expect_nothing();
}

#[test]
fn a_connect_that_is_too_short_is_not_answered() {
    let mut listener = ListenerTrace::new(config(Retry::Always));
    let connect = connect(tag(1), None);
    assert_eq!(connect.len(), MIN_CONNECT);
    let mut list = [0; MIN_CONNECT];
    let options = rdt_proto::wire::OptionsWriter::new(&mut list).tag(tag(1)).unwrap();
    let options = options.pad_to(MIN_CONNECT - 1 - Framing::NOTE.header_len()).unwrap().finish();
    let mut datagram = [0; 128];
    let len = Packet::Connect(options).encode(&Framing::NOTE, &mut datagram).unwrap();
    assert_eq!(len, MIN_CONNECT - 1);
    assert_eq!(listener.receive_datagram(HERE, &datagram[..len]), Dispatch::Dropped(DropReason::TooShort));
    listener.expect_nothing();
}

#[test]
fn each_limit_has_its_counter() {
    let limits = ListenerConfig { backlog: 3, per_host: 2, per_address: 1, ..NEVER };
    let mut listener = ListenerTrace::new(limits);
    listener.queues(At(1, 1), tag(1));
    listener.ignores(At(1, 1), tag(2), DropReason::AddressLimit);
    listener.queues(At(1, 2), tag(1));
    listener.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    listener.queues(At(2, 1), tag(1));
    listener.ignores(At(3, 1), tag(1), DropReason::BacklogFull);
    for limit in [DropReason::AddressLimit, DropReason::HostLimit, DropReason::BacklogFull] {
        assert_eq!(listener.dropped(limit), 1, "{limit}");
    }
    assert_eq!(listener.machine.stats().dropped.total(), 3);
    // Accepted handshakes also count, until they end.
    let clients = [listener.accepts(At(1, 1)), listener.accepts(At(1, 2)), listener.accepts(At(2, 1))];
    listener.ignores(At(3, 1), tag(1), DropReason::BacklogFull);
    for client in &clients {
        listener.confirms(client);
    }
    listener.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    listener.peer(&clients[0]).abort(0);
    listener.drain();
    listener.machine.release(listener.now, clients[0].id);
    listener.queues(At(1, 3), tag(1));
}

#[test]
fn a_cookie_is_valid_for_one_address_one_tag_15_s_and_two_keys() {
    let mut listener = ListenerTrace::new(config(Retry::Always));
    let cookie = listener.retries(HERE, tag(1));
    assert!(listener.machine.is_empty(), "RETRY leaves no state");
    assert_eq!(listener.connect(At(1, 2), tag(1), Some(&cookie)), Dispatch::Retried);
    assert_eq!(listener.connect(HERE, tag(2), Some(&cookie)), Dispatch::Retried);
    assert_eq!(listener.machine.stats().bad_cookie, 2);
    listener.drain();
    listener.machine.rotate_cookie_key([1; 16]);
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let incoming = listener.incoming(HERE);
    assert!(incoming.is_validated());
    listener.machine.ignore(incoming);
    listener.elapse_with_loss(15_000);
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let incoming = listener.incoming(HERE);
    listener.machine.ignore(incoming);
    listener.elapse_with_loss(1_000);
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Retried);
    listener.drain();
    let cookie = listener.retries(HERE, tag(1));
    listener.machine.rotate_cookie_key([2; 16]);
    listener.machine.rotate_cookie_key([3; 16]);
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Retried);
}

/// Half of the backlog is reserved for validated addresses, however many others connect.
#[test]
fn a_half_full_backlog_requires_validated_addresses() {
    let mut listener = ListenerTrace::new(config(Retry::Auto));
    for port in 0..4 {
        listener.queues(At(1, port), tag(1));
    }
    for host in 2..200 {
        let _ = listener.retries(At(host, 1), tag(1));
    }
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().retried), (4, 198));
    // An accepted handshake counts as unvalidated until its INFO 0.
    let first = listener.accepts(At(1, 0));
    let cookie = listener.retries(At(9, 9), tag(1));
    assert_eq!(listener.connect(At(9, 9), tag(1), Some(&cookie)), Dispatch::Queued);
    listener.confirms(&first);
    listener.queues(At(10, 1), tag(1));
}

/// Regression: with a backlog larger than the connection limit, forged handshakes took all connections.
#[test]
fn forged_handshakes_take_no_more_than_half_of_the_connections() {
    let mut listener = ListenerTrace::new(ListenerConfig { peers: 4, backlog: 128, ..config(Retry::Auto) });
    for host in 1..=2 {
        listener.queues(At(host, 1), tag(66));
        listener.accepts(At(host, 1));
    }
    let cookie = listener.retries(HERE, tag(1));
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let client = listener.accepts(HERE);
    listener.confirms(&client);
}

/// An application serves fewer clients than `peers`, since other connections linger. It sets `backlog` to the number of
/// clients that it serves.
///
/// Regression: forged handshakes took the place of every client that the application serves.
#[test]
fn forged_handshakes_are_at_most_half_of_the_served_clients() {
    let served = 8;
    let mut listener = ListenerTrace::new(ListenerConfig { peers: 2 * served, backlog: served, ..config(Retry::Auto) });
    let mut accepted = 0;
    for host in 1..=100 {
        let _ = listener.connect(At(host, 66), tag(66), None);
        while accepted < served
            && let Some(incoming) = listener.machine.poll_incoming()
        {
            listener.accept(incoming);
            accepted += 1;
        }
        listener.drain();
    }
    assert_eq!(accepted, served / 2);
    for host in 101..=104 {
        let cookie = listener.retries(At(host, 1), tag(1));
        assert_eq!(listener.connect(At(host, 1), tag(1), Some(&cookie)), Dispatch::Queued);
        let client = listener.accepts(At(host, 1));
        listener.confirms(&client);
    }
}

/// Forged handshakes with the address of an honest client do not keep this client out.
#[test]
fn a_validated_address_evicts_unvalidated_handshakes() {
    let limits = ListenerConfig { per_address: 2, ..config(Retry::Auto) };
    let mut listener = ListenerTrace::new(limits);
    listener.queues(HERE, tag(66));
    let forged = listener.accepts(HERE);
    listener.queues(HERE, tag(67));
    let cookie = listener.retries(HERE, tag(1));
    assert_eq!(listener.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().evicted), (1, 1));
    let cookie = listener.retries(HERE, tag(2));
    assert_eq!(listener.connect(HERE, tag(2), Some(&cookie)), Dispatch::Queued);
    listener.expect_event(&forged, Event::Closed(CloseReason::Evicted));
    // A handshake with a validated address is not evicted.
    listener.machine.release(listener.now, forged.id);
    let cookie = listener.retries(HERE, tag(3));
    assert_eq!(listener.connect(HERE, tag(3), Some(&cookie)), Dispatch::Dropped(DropReason::AddressLimit));
}

#[test]
fn answers_that_are_not_polled_are_dropped_and_counted() {
    let mut listener = ListenerTrace::new(ListenerConfig { peers: 10, backlog: 6, ..config(Retry::Always) });
    for port in 0..20 {
        assert_eq!(listener.connect(At(1, port), tag(1), None), Dispatch::Retried);
    }
    assert_eq!((listener.drain().len(), listener.machine.stats().replies_dropped), (16, 4));
    listener.expect_nothing();
}

/// Regression: 16 answers waited at most, and 120 of 200 clients that came at once lost a second.
#[test]
fn each_of_200_clients_that_come_at_once_gets_its_retry() {
    let mut listener =
        ListenerTrace::new(ListenerConfig { per_host: 512, retry: Retry::Always, ..ListenerConfig::default() });
    for port in 0..200 {
        assert_eq!(listener.connect(At(1, port), tag(1), None), Dispatch::Retried);
    }
    let answered: Vec<At> = listener.drain().into_iter().map(|(to, _)| to).collect();
    assert!(answered.into_iter().eq((0..200).map(|port| At(1, port))));
}

#[test]
fn a_refused_client_gets_a_reset_and_an_ignored_one_nothing() {
    let mut listener = ListenerTrace::new(NEVER);
    listener.queues(HERE, tag(1));
    let incoming = listener.incoming(HERE);
    listener.machine.refuse(incoming, 9);
    let (to, reset) = listener.transmit().unwrap();
    assert_eq!((to, Framing::tagged(tag(1)).decode(&reset)), (HERE, Ok(Packet::Reset { code: 9 })));
    listener.queues(HERE, tag(1));
    let incoming = listener.incoming(HERE);
    listener.machine.ignore(incoming);
    listener.expect_nothing();
    listener.queues(HERE, tag(1));
    // A client that the application neither accepts nor refuses stays in the backlog until the handshake limit.
    drop(listener.incoming(HERE));
    listener.elapse_with_loss(10_000);
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().expired), (0, 1));
}

#[test]
fn a_stopping_listener_refuses_new_clients_and_serves_the_rest() {
    let mut listener = ListenerTrace::new(NEVER);
    let client = listener.established(HERE, tag(1));
    listener.queues(At(2, 1), tag(1));
    listener.machine.stop_accepting(3);
    assert_eq!(listener.connect(At(3, 1), tag(1), None), Dispatch::Dropped(DropReason::Stopped));
    let reported: Vec<_> = listener.drain().into_iter().map(|(to, reset)| (to, reset[13])).collect();
    assert_eq!(reported, [(At(2, 1), 3), (At(3, 1), 3)]);
    assert_eq!(listener.machine.peers().collect::<Vec<_>>(), [client.id]);
    listener.takes(&client, Packet::Fin);
    listener.peer(&client).close();
    listener.elapse_with_loss(1);
    listener.takes(&client, Packet::FinAck);
    listener.elapse_with_loss(4_000);
    listener.machine.release(listener.now, client.id);
    assert!(listener.machine.is_empty() && listener.machine.poll_timeout().is_none());
}

/// The caller passes the same entropy for each connection, but the listener makes distinct tags.
#[test]
fn no_two_connections_have_the_same_tag() {
    let mut listener = ListenerTrace::new(NEVER);
    let mut tags: Vec<Tag> = Vec::new();
    for port in 0..4 {
        listener.queues(At(1, port), tag(1));
        listener.repeat_entropy();
        tags.push(listener.accepts(At(1, port)).theirs);
    }
    tags.sort_by_key(|tag| *tag.as_bytes());
    tags.dedup();
    assert_eq!(tags.len(), 4);
}
