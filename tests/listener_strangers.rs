//! A listener among strangers: forged datagrams, floods of handshakes, restarted clients, cookies, limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod door;

use door::*;
use rdt_proto::connection::{Config, Event, Handled, Ignored, Mode, Reason};
use rdt_proto::listener::{Dispatch, DropReason, ListenerConfig, Retry};
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, Options, Packet, Tag};

const HERE: At = At(1, 1);
const NEVER: ListenerConfig = config(Retry::Never);

const fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { connection: DEFAULT, peers: 16, backlog: 8, per_host: 8, per_address: 4, retry }
}

/// `Config::default()`, as a constant.
const DEFAULT: Config = {
    use rdt_proto::Duration;
    Config {
        framing: Framing::NOTE,
        mode: Mode::Extended,
        peer: rdt_proto::connection::Peer::RdtProto,
        segment: 1_200,
        handshake_limit: Duration::from_secs(10),
        idle_limit: Duration::from_secs(30),
        quiet_limit: Duration::from_secs(60),
        keep_alive: Duration::MAX,
        linger: Duration::from_secs(1),
    }
};

/// Off the path, with the right address and one of 2^64 tags.
#[test]
fn a_million_forged_packets_change_nothing_but_a_counter() {
    let mut door = Door::new(NEVER);
    let client = door.established(HERE, tag(1));
    door.peer(&client).send(b"unacknowledged").unwrap();
    door.drain();
    let before = door.machine.peer(client.id).unwrap().clone();
    let (mut forged, mut random) = (0_u64, oorandom::Rand64::new(7));
    let packets = [
        info(1, b"forged"),
        Packet::Ack { number: rdt_proto::Seq::ZERO },
        sack(1),
        Packet::Fin,
        Packet::FinAck,
        Packet::Reset { code: 1 },
        Packet::Probe { nonce: 1, padding: &[] },
        Packet::Echo { nonce: 1 },
    ];
    let mut datagrams = packets.map(|packet| {
        let mut datagram = vec![0; 64];
        let len = packet.encode(&Framing::tagged(tag(0)), &mut datagram).unwrap();
        datagram.truncate(len);
        datagram
    });
    for _ in 0..125_000 {
        for datagram in &mut datagrams {
            datagram[..8].copy_from_slice(&random.rand_u64().to_ne_bytes());
            let routed = door.machine.handle_datagram(door.now, HERE, datagram);
            assert_eq!(routed, Dispatch::Dropped(DropReason::Malformed(DecodeError::Prefix)));
            forged += 1;
        }
    }
    assert_eq!(
        (
            forged,
            door.machine.stats().dropped.of(DropReason::Malformed(DecodeError::Prefix)),
            door.machine.stats().dropped.total()
        ),
        (1_000_000, forged, forged)
    );
    assert!(door.machine.peer(client.id) == Some(&before));
    door.expect_nothing();
    assert_eq!(door.machine.poll_event(), None);
    door.takes(&client, sack(1));
}

/// The connection ends when the new one is confirmed, and not before: a CONNECT can be forged.
#[test]
fn a_restarted_client_supersedes_its_old_connection_once_it_is_confirmed() {
    let mut door = Door::new(NEVER);
    let old = door.established(HERE, tag(1));
    door.queues(HERE, tag(2));
    let new = door.accepts(HERE);
    door.takes(&old, info(1, b"still heard"));
    door.expect_event(&old, Event::Readable);
    door.confirms(&new);
    door.expect_event(&old, Event::Closed(Reason::Evicted));
    let late = door.receive_under(HERE, old.theirs, info(2, b"late"));
    assert_eq!(late, Dispatch::Peer(old.id, Handled::Ignored(Ignored::Closed)));
    door.expect_nothing();
    assert_eq!(door.machine.stats().evicted, 1);
    // What it had received may still be read.
    assert_eq!(door.peer(&old).recv_chunk(), b"still heard");
    door.machine.release(door.now, old.id);
    assert_eq!(door.machine.len(), 1);
    door.takes(&new, info(1, b"of the new one"));
}

#[test]
fn a_forged_connect_ends_nothing_and_its_handshake_ends_by_itself() {
    let mut door = Door::new(NEVER);
    let client = door.established(HERE, tag(1));
    door.queues(HERE, tag(66));
    let forged = door.accepts(HERE);
    door.takes(&client, info(1, b"goes on"));
    door.elapse(10_000);
    door.expect_event(&client, Event::Readable);
    door.expect_event(&forged, Event::Closed(Reason::HandshakeTimedOut));
    assert!(door.peer(&client).is_established());
}

/// Two handshakes of a client that restarts quickly: the late INFO 0 of the first does not end the second.
#[test]
fn what_began_later_is_not_superseded() {
    let mut door = Door::new(NEVER);
    door.queues(HERE, tag(1));
    let first = door.accepts(HERE);
    door.queues(HERE, tag(2));
    let second = door.accepts(HERE);
    door.confirms(&first);
    door.confirms(&second);
    door.expect_event(&first, Event::Closed(Reason::Evicted));
    assert!(door.peer(&second).is_established());
    // One that only waits goes, too.
    door.queues(HERE, tag(3));
    let waiting = door.incoming(HERE);
    door.queues(HERE, tag(4));
    let third = door.accepts(HERE);
    door.confirms(&third);
    assert_eq!(door.machine.backlog_len(), 0);
    door.machine.refuse(waiting, 1);
    door.expect_nothing();
}

#[test]
fn base_mode_neither_supersedes_nor_ends_a_connection_of_extended_mode() {
    let both = Config { mode: Mode::Both, ..DEFAULT };
    let mut door = Door::new(ListenerConfig { connection: both, ..NEVER });
    let extended = door.established(HERE, tag(1));
    let mut say = |packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        door.receive(HERE, &datagram[..len])
    };
    for packet in [info(1, b"forged"), Packet::Fin, Packet::FinAck] {
        assert_eq!(say(packet), Dispatch::Dropped(DropReason::UnknownPeer));
    }
    assert_eq!(say(Packet::Connect(Options::NONE)), Dispatch::Queued);
    let incoming = door.incoming(HERE);
    assert_eq!(incoming.hello().tag, None);
    let base = door.accept(incoming);
    let mut say = |packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        door.receive(HERE, &datagram[..len])
    };
    for packet in [info(0, b""), info(1, b"beside"), Packet::Fin] {
        assert_eq!(say(packet), Dispatch::Peer(base, Handled::Accepted));
    }
    assert!(door.peer(&extended).is_established());
    door.takes(&extended, info(1, b"goes on"));
    // The other way round, what base mode began ends when a connection of extended mode is confirmed.
    door.drain();
    let new = door.established(HERE, tag(2));
    assert_eq!(door.machine.peer(base).unwrap().ended(), Some(Reason::Evicted));
    assert_eq!(door.peer(&extended).ended(), Some(Reason::Evicted));
    assert!(door.peer(&new).is_established());
}

#[test]
fn the_same_handshake_is_one_in_every_stage() {
    let mut door = Door::new(NEVER);
    for _ in 0..3 {
        door.queues(HERE, tag(1));
    }
    assert_eq!(door.machine.backlog_len(), 1);
    let client = door.accepts(HERE);
    for _ in 0..3 {
        assert_eq!(door.connect(HERE, tag(1), None), Dispatch::Peer(client.id, Handled::Accepted));
        let sent = door.drain();
        assert!(sent.len() == 1 && sent[0].1.len() < MIN_CONNECT, "one CONNACK for each CONNECT");
    }
    door.confirms(&client);
    let late = door.connect(HERE, tag(1), None);
    assert_eq!(late, Dispatch::Peer(client.id, Handled::Ignored(Ignored::LateConnect)));
    door.expect_nothing();
}

#[test]
fn a_connect_that_is_too_short_is_not_answered() {
    let mut door = Door::new(config(Retry::Always));
    let connect = connect(tag(1), None);
    assert_eq!(connect.len(), MIN_CONNECT);
    let mut list = [0; MIN_CONNECT];
    let options = rdt_proto::wire::OptionsWriter::new(&mut list).tag(tag(1)).unwrap();
    let options = options.pad_to(MIN_CONNECT - 1 - Framing::NOTE.header_len()).unwrap().finish();
    let mut datagram = [0; 128];
    let len = Packet::Connect(options).encode(&Framing::NOTE, &mut datagram).unwrap();
    assert_eq!(len, MIN_CONNECT - 1);
    assert_eq!(door.receive(HERE, &datagram[..len]), Dispatch::Dropped(DropReason::TooShort));
    door.expect_nothing();
}

#[test]
fn each_limit_has_its_counter() {
    let limits = ListenerConfig { backlog: 3, per_host: 2, per_address: 1, ..NEVER };
    let mut door = Door::new(limits);
    door.queues(At(1, 1), tag(1));
    door.ignores(At(1, 1), tag(2), DropReason::AddressLimit);
    door.queues(At(1, 2), tag(1));
    door.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    door.queues(At(2, 1), tag(1));
    door.ignores(At(3, 1), tag(1), DropReason::BacklogFull);
    let stats = *door.machine.stats();
    assert_eq!(
        (
            stats.dropped.of(DropReason::AddressLimit),
            stats.dropped.of(DropReason::HostLimit),
            stats.dropped.of(DropReason::BacklogFull),
            stats.dropped.total()
        ),
        (1, 1, 1, 3)
    );
    // Accepted ones count, too, until they are gone.
    let clients = [door.accepts(At(1, 1)), door.accepts(At(1, 2)), door.accepts(At(2, 1))];
    door.ignores(At(3, 1), tag(1), DropReason::BacklogFull);
    for client in &clients {
        door.confirms(client);
    }
    door.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    door.peer(&clients[0]).abort(0);
    door.drain();
    door.machine.release(door.now, clients[0].id);
    door.queues(At(1, 3), tag(1));
}

#[test]
fn a_cookie_is_good_for_its_address_and_tag_for_fifteen_seconds_and_one_change_of_key() {
    let mut door = Door::new(config(Retry::Always));
    let cookie = door.retries(HERE, tag(1));
    assert!(door.machine.is_empty(), "nothing is kept");
    assert_eq!(door.connect(At(1, 2), tag(1), Some(&cookie)), Dispatch::Retried);
    assert_eq!(door.connect(HERE, tag(2), Some(&cookie)), Dispatch::Retried);
    assert_eq!(door.machine.stats().bad_cookie, 2);
    door.drain();
    door.machine.rotate_cookie_key([1; 16]);
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let incoming = door.incoming(HERE);
    assert!(incoming.is_validated());
    door.machine.ignore(incoming);
    door.elapse(15_000);
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let incoming = door.incoming(HERE);
    door.machine.ignore(incoming);
    door.elapse(1_000);
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Dispatch::Retried);
    door.drain();
    let cookie = door.retries(HERE, tag(1));
    door.machine.rotate_cookie_key([2; 16]);
    door.machine.rotate_cookie_key([3; 16]);
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Dispatch::Retried);
}

/// Half of the backlog is for those who prove their address, however many others come.
#[test]
fn from_half_of_the_backlog_on_clients_have_to_prove_their_address() {
    let mut door = Door::new(config(Retry::Auto));
    for port in 0..4 {
        door.queues(At(1, port), tag(1));
    }
    for host in 2..200 {
        let _ = door.retries(At(host, 1), tag(1));
    }
    assert_eq!((door.machine.backlog_len(), door.machine.stats().retried), (4, 198));
    // Accepted ones that have not confirmed hold their part.
    let first = door.accepts(At(1, 0));
    let cookie = door.retries(At(9, 9), tag(1));
    assert_eq!(door.connect(At(9, 9), tag(1), Some(&cookie)), Dispatch::Queued);
    door.confirms(&first);
    door.queues(At(10, 1), tag(1));
}

/// With more room in the backlog than for connections, forged handshakes once took all of these.
#[test]
fn forged_handshakes_take_no_more_than_half_of_the_connections() {
    let mut door = Door::new(ListenerConfig { peers: 4, backlog: 128, ..config(Retry::Auto) });
    for host in 1..=2 {
        door.queues(At(host, 1), tag(66));
        door.accepts(At(host, 1));
    }
    let cookie = door.retries(HERE, tag(1));
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    let client = door.accepts(HERE);
    door.confirms(&client);
}

/// An application that serves fewer than there may be connections, since some linger, bounds the backlog by these: forged
/// handshakes once took the place of all whom it serves.
#[test]
fn forged_handshakes_take_no_more_than_half_of_those_who_are_served() {
    let served = 8;
    let mut door = Door::new(ListenerConfig { peers: 2 * served, backlog: served, ..config(Retry::Auto) });
    let mut accepted = 0;
    for host in 1..=100 {
        let _ = door.connect(At(host, 66), tag(66), None);
        while accepted < served
            && let Some(incoming) = door.machine.poll_incoming()
        {
            door.accept(incoming);
            accepted += 1;
        }
        door.drain();
    }
    assert_eq!(accepted, served / 2);
    for host in 101..=104 {
        let cookie = door.retries(At(host, 1), tag(1));
        assert_eq!(door.connect(At(host, 1), tag(1), Some(&cookie)), Dispatch::Queued);
        let client = door.accepts(At(host, 1));
        door.confirms(&client);
    }
}

/// Forged handshakes at the address of an honest client do not keep it out.
#[test]
fn whoever_proves_an_address_displaces_those_who_did_not() {
    let limits = ListenerConfig { per_address: 2, ..config(Retry::Auto) };
    let mut door = Door::new(limits);
    door.queues(HERE, tag(66));
    let forged = door.accepts(HERE);
    door.queues(HERE, tag(67));
    let cookie = door.retries(HERE, tag(1));
    assert_eq!(door.connect(HERE, tag(1), Some(&cookie)), Dispatch::Queued);
    assert_eq!((door.machine.backlog_len(), door.machine.stats().evicted), (1, 1));
    let cookie = door.retries(HERE, tag(2));
    assert_eq!(door.connect(HERE, tag(2), Some(&cookie)), Dispatch::Queued);
    door.expect_event(&forged, Event::Closed(Reason::Evicted));
    // The proven ones stay.
    door.machine.release(door.now, forged.id);
    let cookie = door.retries(HERE, tag(3));
    assert_eq!(door.connect(HERE, tag(3), Some(&cookie)), Dispatch::Dropped(DropReason::AddressLimit));
}

#[test]
fn answers_that_nobody_fetches_are_dropped_and_counted() {
    let mut door = Door::new(config(Retry::Always));
    for port in 0..20 {
        assert_eq!(door.connect(At(1, port), tag(1), None), Dispatch::Retried);
    }
    assert_eq!((door.drain().len(), door.machine.stats().replies_dropped), (16, 4));
    door.expect_nothing();
}

#[test]
fn who_is_refused_is_told_and_who_is_ignored_may_come_again() {
    let mut door = Door::new(NEVER);
    door.queues(HERE, tag(1));
    let incoming = door.incoming(HERE);
    door.machine.refuse(incoming, 9);
    let (to, reset) = door.transmit().unwrap();
    assert_eq!((to, Framing::tagged(tag(1)).decode(&reset)), (HERE, Ok(Packet::Reset { code: 9 })));
    door.queues(HERE, tag(1));
    let incoming = door.incoming(HERE);
    door.machine.ignore(incoming);
    door.expect_nothing();
    door.queues(HERE, tag(1));
    // Nobody decides: it waits for the handshake limit.
    drop(door.incoming(HERE));
    door.elapse(10_000);
    assert_eq!((door.machine.backlog_len(), door.machine.stats().expired), (0, 1));
}

#[test]
fn a_listener_that_stops_refuses_newcomers_and_lets_the_others_finish() {
    let mut door = Door::new(NEVER);
    let client = door.established(HERE, tag(1));
    door.queues(At(2, 1), tag(1));
    door.machine.stop_accepting(3);
    assert_eq!(door.connect(At(3, 1), tag(1), None), Dispatch::Dropped(DropReason::Stopped));
    let told: Vec<_> = door.drain().into_iter().map(|(to, reset)| (to, reset[9])).collect();
    assert_eq!(told, [(At(2, 1), 3), (At(3, 1), 3)]);
    assert_eq!(door.machine.peers().collect::<Vec<_>>(), [client.id]);
    door.takes(&client, Packet::Fin);
    door.peer(&client).close();
    door.elapse(1);
    door.takes(&client, Packet::FinAck);
    door.elapse(4_000);
    door.machine.release(door.now, client.id);
    assert!(door.machine.is_empty() && door.machine.poll_timeout().is_none());
}

/// A caller's entropy that repeats would make two connections of one tag.
#[test]
fn no_two_connections_have_one_tag() {
    let mut door = Door::new(NEVER);
    let mut tags: Vec<Tag> = Vec::new();
    for port in 0..4 {
        door.queues(At(1, port), tag(1));
        door.repeat_entropy();
        tags.push(door.accepts(At(1, port)).theirs);
    }
    tags.sort_by_key(|tag| *tag.as_bytes());
    tags.dedup();
    assert_eq!(tags.len(), 4);
}
