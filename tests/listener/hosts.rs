//! The limits of a listener for each host and each address: for handshakes, and for peers that move.

use harness::listener::*;
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Mode};
use rdt_proto::listener::{Busy, Dispatch, DropReason, FixedTables, ListenerConfig, Retry, TableMemory};
use rdt_proto::wire::{Framing, Options, Packet};

/// The address to which peers move.
const NEW: At = At(9, 1);

fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { retry, ..ListenerConfig::default() }
}

/// Regression: forged CONNECTs that filled the quota of a host kept out all clients of the host.
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
    // Only validated addresses keep others out. Once they fill the quota, a CONNECT is dropped without RETRY.
    listener.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    assert_eq!((listener.dropped(DropReason::HostLimit), listener.machine.stats().retried), (1, 2));
    listener.queues(At(2, 1), tag(1));
}

/// INFO 0 validates the address of its handshake. The quota of validated addresses is full, so the handshake ends.
#[test]
fn info_0_ends_its_handshake_if_validated_peers_fill_the_host() {
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
    // The client is connected since CONNACK, so RESET tells it of the end.
    listener.expect(At(1, 1), &late, Packet::Reset { code: 0 });
    listener.confirms(&sooner);
    assert_eq!(listener.machine.stats().evicted, 1);
    // The evicted handshake does not count for the quota of validated addresses.
    listener.peer(&sooner).abort(0);
    listener.drain();
    listener.machine.release(listener.now, sooner.id);
    listener.queues(At(1, 3), tag(3));
}

/// Regression: the code was 0, so that the client did not know why, and that it may try again.
#[test]
fn info_0_above_the_quota_gets_the_busy_code() {
    let busy = Busy { after: Duration::from_secs(1), code: 7 };
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, busy: Some(busy), ..config(Retry::Auto) });
    listener.queues(At(1, 1), tag(1));
    let late = listener.accepts(At(1, 1));
    let cookie = listener.retries(At(1, 2), tag(2));
    assert_eq!(listener.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    listener.accepts(At(1, 2));
    listener.takes(&late, info(0, b"late"));
    listener.expect(At(1, 1), &late, Packet::Reset { code: 7 });
}

/// Regression: a handshake that had ended began path validation and could move, which spoiled the counts of both hosts.
#[test]
fn a_handshake_evicted_by_info_0_from_elsewhere_never_moves() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    listener.queues(At(1, 1), tag(1));
    let late = listener.accepts(At(1, 1));
    let cookie = listener.retries(At(1, 2), tag(2));
    assert_eq!(listener.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    listener.accepts(At(1, 2));
    let late_info = info(0, b"late, and longer than a PROBE is");
    listener.drops_from(NEW, &late, late_info);
    // The address of the handshake has had time to confirm it.
    listener.elapse_with_loss(PATIENCE_MS);
    listener.takes_from(NEW, &late, late_info);
    listener.expect(At(1, 1), &late, Packet::Reset { code: 0 });
    assert_eq!(listener.drain(), []);
    listener.machine.release(listener.now, late.id);
    listener.ignores(At(1, 3), tag(3), DropReason::HostLimit);
    listener.queues(NEW, tag(4));
}

/// A restarted client takes over the quota of its old connection, even if its host is full.
#[test]
fn a_full_host_does_not_keep_out_a_client_that_restarts() {
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
    // One validated address counts for the host, as before.
    listener.ignores(At(1, 2), tag(9), DropReason::HostLimit);
    listener.machine.release(listener.now, old.id);
    listener.machine.release(listener.now, newer.id);
    listener.drain();
    listener.elapse_with_loss(10_000);
    listener.queues(At(1, 2), tag(9));
}

/// The handshake of the restarted client began before its host was full.
#[test]
fn a_restarted_client_replaces_its_connection_in_a_full_host() {
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

/// A moving peer counts for two hosts until path validation ends. Fixed tables have entries for only two hosts here, so
/// the next client has to wait.
#[test]
fn a_client_that_cannot_be_counted_is_not_reported() {
    let mut listener = ListenerTrace::<FixedTables<2>>::with_memory(config(Retry::Auto));
    let client = listener.established(At(1, 1), tag(1));
    listener.drops_from(NEW, &client, info(1, b"more than a PROBE has"));
    let nonce = probe_to(&mut listener, &client, NEW).expect("no PROBE");
    listener.answers(NEW, &client, nonce);
    listener.drain();
    listener.queues(At(2, 1), tag(2));
    assert!(!listener.machine.has_incoming() && listener.machine.poll_incoming().is_none());
    // After path validation there is an entry for the waiting client.
    listener.elapse_with_loss(3_000);
    assert!(listener.machine.has_incoming());
}

/// Regression: four forged handshakes at the new address of a client evicted the client after its move.
#[test]
fn forged_connects_at_the_new_address_do_not_stop_a_move() {
    let mut listener = ListenerTrace::new(config(Retry::Auto));
    let client = listener.established(At(1, 1), tag(1));
    for forged in 60..64 {
        listener.queues(NEW, tag(forged));
    }
    listener.drops_from(NEW, &client, info(1, b"more than a PROBE has"));
    let nonce = probe_to(&mut listener, &client, NEW).expect("no PROBE");
    listener.answers(NEW, &client, nonce);
    assert_eq!((listener.machine.address(client.id), listener.machine.stats().evicted_pending), (Some(NEW), 1));
}

/// Drains all datagrams, and returns the nonce of the PROBE to this address.
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

/// Delivers INFO `number` from the new address. Returns the nonces of the PROBEs to the old and to the new address.
fn challenge_nonces(listener: &mut ListenerTrace, client: &Client, number: u32) -> (Option<u64>, Option<u64>) {
    listener.drops_from(NEW, client, info(number, b"from elsewhere"));
    let (mut old, mut new) = (None, None);
    for (to, sent) in listener.drain() {
        if let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(client.tag).decode(&sent) {
            *(if to == NEW { &mut new } else { &mut old }) = Some(nonce);
        }
    }
    (old, new)
}

/// Moves the peer to the new address, and returns the nonce of the PROBE to the old address.
#[track_caller]
fn moves(listener: &mut ListenerTrace, client: &Client) -> u64 {
    let (Some(old), Some(new)) = challenge_nonces(listener, client, 1) else { panic!("no PROBE was sent") };
    listener.answers(NEW, client, new);
    assert_eq!(listener.machine.address(client.id), Some(NEW));
    old
}

/// Regression: a connection that moved did not count for its new address and host, so their limits had no effect.
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
        // No PROBE is sent to either address.
        assert_eq!(challenge_nonces(&mut listener, &second, 1), (None, None));
        assert_eq!(listener.machine.stats().other_address, before + 1);
        assert_eq!(listener.machine.address(second.id), Some(At(2, 1)));
        // Once the first connection is released, the second one may move.
        listener.peer(&first).abort(0);
        listener.drain();
        listener.machine.release(listener.now, first.id);
        assert!(matches!(challenge_nonces(&mut listener, &second, 2), (Some(_), Some(_))));
    }
}

/// Of two concurrent path validations for one address, only the first to be answered moves its connection.
#[test]
fn limits_are_checked_again_when_the_new_address_answers() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let clients = [listener.established(At(1, 1), tag(1)), listener.established(At(2, 1), tag(2))];
    let nonces = clients.map(|client| challenge_nonces(&mut listener, &client, 1).1.unwrap());
    for (client, nonce) in clients.iter().zip(nonces) {
        listener.takes_from(NEW, client, Packet::Echo { nonce, counter: 0 });
    }
    listener.elapse_with_loss(PATIENCE_MS);
    assert_eq!(clients.map(|client| listener.machine.address(client.id).unwrap()), [NEW, At(2, 1)]);
    assert_eq!(listener.machine.stats().moved, 1);
    // The second path validation has ended without a move: no PROBE is pending.
    assert!(listener.drain().iter().all(|(to, _)| *to == NEW));
}

#[test]
fn a_peer_that_moves_within_its_host_counts_once() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = listener.established(At(9, 2), tag(1));
    moves(&mut listener, &client);
    listener.elapse_with_loss(4_000);
    listener.ignores(At(9, 2), tag(2), DropReason::HostLimit);
}

/// A moved peer counts for its old host until the old address has failed to answer.
///
/// Otherwise an attacker that forwards the peer's datagrams could fill the old host, so that the peer cannot return.
#[test]
fn a_moved_peer_counts_for_its_old_host_while_it_may_return() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    let to_old = moves(&mut listener, &client);
    listener.ignores(At(1, 2), tag(2), DropReason::HostLimit);
    listener.ignores(At(9, 2), tag(2), DropReason::HostLimit);
    listener.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old, counter: 0 });
    assert_eq!(listener.machine.address(client.id), Some(At(1, 1)));
    listener.ignores(At(1, 2), tag(2), DropReason::HostLimit);
    listener.drain();
    listener.established(At(9, 2), tag(2));
    // A peer that does not return no longer counts for its old host.
    let mut listener = ListenerTrace::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    moves(&mut listener, &client);
    listener.elapse_with_loss(4_000);
    listener.established(At(1, 2), tag(2));
    listener.ignores(At(9, 2), tag(2), DropReason::HostLimit);
}

/// A forged handshake at the old address does not keep the peer from returning to it.
#[test]
fn a_returning_client_evicts_unvalidated_handshakes() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    let to_old = moves(&mut listener, &client);
    listener.queues(At(1, 1), tag(66));
    let forged = listener.accepts(At(1, 1));
    listener.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old, counter: 0 });
    assert_eq!(listener.machine.address(client.id), Some(At(1, 1)));
    listener.expect_event(&forged, Event::Closed(CloseReason::Evicted));
}

/// While the peer was away, a newer connection was established at the old address.
#[test]
fn a_peer_that_returns_to_a_full_address_is_evicted() {
    let mut listener = ListenerTrace::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let client = listener.established(At(1, 1), tag(1));
    let to_old = moves(&mut listener, &client);
    let newer = listener.established(At(1, 1), tag(2));
    listener.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old, counter: 0 });
    assert_eq!(listener.peer(&client).ended(), Some(CloseReason::Evicted));
    assert!(listener.peer(&newer).is_established());
    listener.expect_nothing();
}

#[test]
fn a_confirmed_client_evicts_only_older_ones_of_its_address() {
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

/// Handshakes of restarted clients in a full host count for the backlog, like handshakes without validation.
#[test]
fn the_backlog_bounds_restarted_clients_of_a_full_host() {
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
