//! The limits of a listener in extended mode for each host and each address, for handshakes and for moving peers.

use harness::listener::*;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Mode};
use rdt_proto::listener::{Dispatch, DropReason, FixedTables, ListenerConfig, Retry, TableMemory};
use rdt_proto::wire::{Framing, Options, Packet};

/// The address to which peers move.
const NEW: At = At(9, 1);

fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { retry, ..ListenerConfig::default() }
}

/// Forged CONNECTs that filled the entries of a host once kept out all of its clients.
#[test]
fn forged_connects_do_not_keep_out_a_validated_address() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 2, ..config(Retry::Auto) });
    listener.queues(At(1, 66), tag(66));
    listener.accepts(At(1, 66));
    listener.queues(At(1, 67), tag(67));
    for port in 1..=2 {
        let cookie = listener.retries(At(1, port), tag(1));
        assert_eq!(listener.connect(At(1, port), tag(1), Some(&cookie)), Dispatch::Queued);
    }
    // Only validated addresses keep others out. With those at the limit, no validation is requested.
    listener.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    assert_eq!((listener.dropped(DropReason::HostLimit), listener.machine.stats().retried), (1, 2));
    listener.queues(At(2, 1), tag(1));
}

/// A handshake without a validated address holds no place against validated peers.
#[test]
fn info_0_of_a_host_full_of_validated_peers_ends_its_handshake() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    listener.queues(At(1, 1), tag(1));
    let late = listener.accepts(At(1, 1));
    let cookie = listener.retries(At(1, 2), tag(2));
    assert_eq!(listener.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    let sooner = listener.accepts(At(1, 2));
    listener.takes(&late, info(0, b"late"));
    listener.expect_event(&late, Event::Connected);
    listener.expect_event(&late, Event::Readable);
    listener.expect_event(&late, Event::Closed(CloseReason::Evicted));
    // The client has received CONNACK, so it regards itself as connected.
    listener.expect(At(1, 1), &late, Packet::Reset { code: 0 });
    listener.confirms(&sooner);
    assert_eq!(listener.machine.stats().evicted, 1);
    // The closed handshake is not counted among the validated entries.
    listener.peer(&sooner).abort(0);
    listener.drain();
    listener.machine.release(listener.now, sooner.id);
    listener.queues(At(1, 3), tag(3));
}

/// A handshake that had ended once still began path validation and could move, so both hosts had wrong counts.
#[test]
fn a_handshake_evicted_by_its_info_from_elsewhere_never_moves() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    listener.queues(At(1, 1), tag(1));
    let late = listener.accepts(At(1, 1));
    let cookie = listener.retries(At(1, 2), tag(2));
    assert_eq!(listener.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    listener.accepts(At(1, 2));
    listener.takes_from(NEW, &late, info(0, b"late, and longer than a PROBE is"));
    listener.expect(At(1, 1), &late, Packet::Reset { code: 0 });
    assert_eq!(listener.drain(), []);
    listener.machine.release(listener.now, late.id);
    listener.ignores(At(1, 3), tag(3), DropReason::HostLimit);
    listener.queues(NEW, tag(4));
}

/// A client that restarts takes the place of its old connection, whatever other connections its host has.
#[test]
fn a_client_that_restarts_is_not_kept_out_by_its_own_connection() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let old = listener.established(At(1, 1), tag(1));
    listener.elapse_with_loss(3_600_000);
    listener.ignores(At(1, 2), tag(9), DropReason::HostLimit);
    let cookie = listener.retries(At(1, 1), tag(2));
    assert_eq!(listener.connect(At(1, 1), tag(2), Some(&cookie)), Dispatch::Queued);
    let newer = listener.accepts(At(1, 1));
    assert_eq!(listener.peer(&old).ended(), None);
    listener.confirms(&newer);
    assert_eq!(listener.peer(&old).ended(), Some(CloseReason::Evicted));
    // There is one validated entry, as before.
    listener.ignores(At(1, 2), tag(9), DropReason::HostLimit);
    listener.machine.release(listener.now, old.id);
    listener.machine.release(listener.now, newer.id);
    listener.drain();
    listener.elapse_with_loss(10_000);
    listener.queues(At(1, 2), tag(9));
}

/// A restarted client that waited before its host was full also takes its own place.
#[test]
fn a_restarted_client_takes_its_own_place_in_a_full_host() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 2, ..config(Retry::Auto) });
    let old = listener.established(At(1, 1), tag(1));
    listener.queues(At(1, 1), tag(2));
    let newer = listener.accepts(At(1, 1));
    let cookie = listener.retries(At(1, 2), tag(3));
    assert_eq!(listener.connect(At(1, 2), tag(3), Some(&cookie)), Dispatch::Queued);
    let third = listener.accepts(At(1, 2));
    listener.takes(&newer, info(0, b""));
    assert_eq!((listener.peer(&newer).ended(), listener.peer(&old).ended()), (None, Some(CloseReason::Evicted)));
    listener.confirms(&third);
}

/// A moving peer is an entry of two hosts until validation ends, and fixed memory counts a bounded number of hosts.
#[test]
fn a_client_that_cannot_be_counted_is_not_reported() {
    let mut listener = ListenerTrace::<FixedTables<2>>::with_memory(config(Retry::Auto));
    let client = listener.established(At(1, 1), tag(1));
    listener.takes_from(NEW, &client, info(1, b"more than a PROBE has"));
    let nonce = probe_to(&mut listener, &client, NEW).expect("no PROBE");
    listener.takes_from(NEW, &client, Packet::Echo { nonce });
    listener.drain();
    listener.queues(At(2, 1), tag(2));
    assert!(!listener.machine.has_incoming() && listener.machine.poll_incoming().is_none());
    // Once path validation is over there is room.
    listener.elapse_with_loss(3_000);
    assert!(listener.machine.has_incoming());
}

/// Four forged handshakes at the address to which a client had moved once evicted it.
#[test]
fn forged_connects_at_the_new_address_do_not_stop_a_move() {
    let mut listener = ListenerTrace::new(config(Retry::Auto));
    let client = listener.established(At(1, 1), tag(1));
    for forged in 60..64 {
        listener.queues(NEW, tag(forged));
    }
    listener.takes_from(NEW, &client, info(1, b"more than a PROBE has"));
    let nonce = probe_to(&mut listener, &client, NEW).expect("no PROBE");
    listener.takes_from(NEW, &client, Packet::Echo { nonce });
    assert_eq!((listener.machine.address(client.id), listener.machine.stats().evicted_pending), (Some(NEW), 1));
}

/// The nonce of the PROBE that is sent to this address.
fn probe_to<M: TableMemory>(listener: &mut ListenerTrace<M>, client: &Client, to: At) -> Option<u64> {
    listener.drain().into_iter().find_map(|(address, sent)| match Framing::tagged(client.tag).decode(&sent) {
        Ok(Packet::Probe { nonce, .. }) if address == to => Some(nonce),
        _ => None,
    })
}

/// A cookie validates a client in the backlog only within the quota of its host.
#[test]
fn a_pending_client_is_validated_only_within_its_host_quota() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let made_before = {
        let mut other = ListenerTrace::new(config(Retry::Always));
        other.retries(At(1, 1), tag(1))
    };
    listener.queues(At(1, 1), tag(1));
    let cookie = listener.retries(At(1, 2), tag(2));
    assert_eq!(listener.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    assert_eq!(listener.connect(At(1, 1), tag(1), Some(&made_before)), Dispatch::Queued);
    assert_eq!(listener.machine.stats().bad_cookie, 0);
    assert!(!listener.incoming(At(1, 1)).is_validated());
    assert!(listener.incoming(At(1, 2)).is_validated());
}

/// Base mode validates no address, so its connections keep out no validated address of their host.
#[test]
fn base_mode_connections_keep_out_only_unvalidated_addresses() {
    let both = Config { mode: Mode::Both, ..Config::default() };
    let mut listener = ListenerTrace::new(ListenerConfig { connection: both, per_host: 1, ..config(Retry::Auto) });
    let base = |listener: &mut ListenerTrace, from: At, packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        listener.receive_datagram(from, &datagram[..len])
    };
    assert_eq!(base(&mut listener, At(1, 1), Packet::Connect(Options::NONE)), Dispatch::Queued);
    let incoming = listener.incoming(At(1, 1));
    let id = listener.accept(incoming);
    assert_eq!(base(&mut listener, At(1, 1), info(0, b"")), Dispatch::Peer(id, Handled::Accepted));
    let second = base(&mut listener, At(1, 2), Packet::Connect(Options::NONE));
    assert_eq!(second, Dispatch::Dropped(DropReason::HostLimit));
    listener.machine.peer_mut(id).unwrap().abort(0);
    let cookie = listener.connect(At(1, 3), tag(1), None);
    assert_eq!(cookie, Dispatch::Retried);
}

/// Delivers a datagram from the new address, and returns the nonces of the PROBEs to the old and to the new address.
fn challenge_nonces(listener: &mut ListenerTrace, client: &Client, number: u32) -> (Option<u64>, Option<u64>) {
    listener.takes_from(NEW, client, info(number, b"from elsewhere"));
    let (mut old, mut new) = (None, None);
    for (to, sent) in listener.drain() {
        if let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(client.tag).decode(&sent) {
            *(if to == NEW { &mut new } else { &mut old }) = Some(nonce);
        }
    }
    (old, new)
}

/// Moves the peer to the new address, and returns the nonce of the PROBE to the old one.
#[track_caller]
fn moves(listener: &mut ListenerTrace, client: &Client) -> u64 {
    let (Some(old), Some(new)) = challenge_nonces(listener, client, 1) else { panic!("no PROBE was sent") };
    listener.takes_from(NEW, client, Packet::Echo { nonce: new });
    assert_eq!(listener.machine.address(client.id), Some(NEW));
    old
}

/// Connections that moved to an address or host once were not counted there, so the limits had no effect.
#[test]
fn no_peer_moves_to_an_address_or_host_that_is_full() {
    for limits in [
        ListenerConfig { per_address: 1, ..config(Retry::Auto) },
        ListenerConfig { per_host: 1, ..config(Retry::Auto) },
    ] {
        let mut listener = ListenerTrace::new(limits);
        let first = listener.established(At(1, 1), tag(1));
        let second = listener.established(At(2, 1), tag(2));
        moves(&mut listener, &first);
        listener.elapse_with_loss(4_000);
        let before = listener.machine.stats().other_address;
        // No PROBE is sent, not even to the old address. The data of the datagram is accepted.
        assert_eq!(challenge_nonces(&mut listener, &second, 1), (None, None));
        assert_eq!(listener.machine.stats().other_address, before + 1);
        assert_eq!(listener.peer(&second).recv_chunk(), b"from elsewhere");
        assert_eq!(listener.machine.address(second.id), Some(At(2, 1)));
        // When the other connection is released there is room.
        listener.peer(&first).abort(0);
        listener.drain();
        listener.machine.release(listener.now, first.id);
        assert!(matches!(challenge_nonces(&mut listener, &second, 2), (Some(_), Some(_))));
    }
}

/// Two concurrent path validations cannot both take the last place.
#[test]
fn limits_are_checked_again_when_the_new_address_answers() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let clients = [listener.established(At(1, 1), tag(1)), listener.established(At(2, 1), tag(2))];
    let nonces = clients.map(|client| challenge_nonces(&mut listener, &client, 1).1.unwrap());
    for (client, nonce) in clients.iter().zip(nonces) {
        listener.takes_from(NEW, client, Packet::Echo { nonce });
    }
    assert_eq!(clients.map(|client| listener.machine.address(client.id).unwrap()), [NEW, At(2, 1)]);
    assert_eq!(listener.machine.stats().moved, 1);
    // Path validation is over. An answer from the old address changes nothing.
    listener.expect_nothing();
}

#[test]
fn another_port_of_the_same_host_is_no_further_entry() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = listener.established(At(9, 2), tag(1));
    moves(&mut listener, &client);
    listener.elapse_with_loss(4_000);
    listener.ignores(At(9, 2), tag(2), DropReason::HostLimit);
}

/// A moved peer keeps its place at the old host until the old address has failed to answer.
///
/// Otherwise a forwarder of the peer's datagrams could win by opening connections from the peer's host.
#[test]
fn the_old_host_keeps_the_place_of_a_peer_that_may_return() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    let to_old = moves(&mut listener, &client);
    listener.ignores(At(1, 2), tag(2), DropReason::HostLimit);
    listener.ignores(At(9, 2), tag(2), DropReason::HostLimit);
    listener.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old });
    assert_eq!(listener.machine.address(client.id), Some(At(1, 1)));
    listener.ignores(At(1, 2), tag(2), DropReason::HostLimit);
    listener.established(At(9, 2), tag(2));
    // A peer that does not return gives up the place at its old host.
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    moves(&mut listener, &client);
    listener.elapse_with_loss(4_000);
    listener.established(At(1, 2), tag(2));
    listener.ignores(At(9, 2), tag(2), DropReason::HostLimit);
}

/// Forged handshakes at the old address do not keep its owner from returning.
#[test]
fn a_returning_client_evicts_unvalidated_handshakes() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    let to_old = moves(&mut listener, &client);
    listener.queues(At(1, 1), tag(66));
    let forged = listener.accepts(At(1, 1));
    listener.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old });
    assert_eq!(listener.machine.address(client.id), Some(At(1, 1)));
    listener.expect_event(&forged, Event::Closed(CloseReason::Evicted));
}

/// A client that receives at the old address has opened other connections there.
#[test]
fn a_peer_that_returns_to_a_full_address_is_evicted() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    let to_old = moves(&mut listener, &client);
    let newer = listener.established(At(1, 1), tag(2));
    listener.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old });
    assert_eq!(listener.peer(&client).ended(), Some(CloseReason::Evicted));
    assert!(listener.peer(&newer).is_established());
    listener.expect_nothing();
}

/// A confirmed client evicts every older handshake of its address, and no newer one.
#[test]
fn a_confirmed_client_evicts_all_older_ones_of_its_address() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 8, ..config(Retry::Never) });
    let accepted = [1, 2, 3, 4].map(|number| {
        listener.queues(NEW, tag(number));
        listener.accepts(NEW)
    });
    for number in [5, 6, 7] {
        listener.queues(NEW, tag(number));
    }
    listener.confirms(&accepted[2]);
    let ended = accepted.map(|client| listener.peer(&client).ended());
    let evicted = Some(CloseReason::Evicted);
    assert_eq!((ended, listener.machine.backlog_len()), ([evicted, evicted, None, None], 3));
    listener.accepts(NEW);
    listener.accepts(NEW);
    let last = listener.accepts(NEW);
    listener.confirms(&last);
    assert_eq!(listener.machine.stats().evicted, 6);
}

/// Handshakes of clients that restart in a full host count like others, and the backlog bounds them.
#[test]
fn restarts_in_a_full_host_hold_no_more_than_the_backlog() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 3, backlog: 2, ..config(Retry::Auto) });
    let clients = [1, 2, 3].map(|port| listener.established(At(1, port.into()), tag(port)));
    for (port, restarted) in [(1, 11), (2, 12)] {
        let cookie = listener.retries(At(1, port), tag(restarted));
        assert_eq!(listener.connect(At(1, port), tag(restarted), Some(&cookie)), Dispatch::Queued);
        listener.accepts(At(1, port));
    }
    let cookie = listener.retries(At(1, 3), tag(13));
    assert_eq!(listener.connect(At(1, 3), tag(13), Some(&cookie)), Dispatch::Dropped(DropReason::BacklogFull));
    assert!(clients.iter().all(|client| listener.peer(client).ended().is_none()));
}
