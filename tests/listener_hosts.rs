//! What one host and one address may have of a listener in extended mode, by handshakes and by moving.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod door;

use door::*;
use rdt_proto::connection::{Config, Event, Handled, Mode, Reason};
use rdt_proto::listener::{Dispatch, DropReason, FixedTables, ListenerConfig, Retry, TableMemory};
use rdt_proto::wire::{Framing, Options, Packet};

/// Where peers move to.
const NEW: At = At(9, 1);

fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { retry, ..ListenerConfig::default() }
}

/// As many forged CONNECTs as a host may have entries once kept everybody of that host out.
#[test]
fn forged_connects_of_a_host_do_not_keep_out_who_proves_its_address() {
    let mut door = Door::new(ListenerConfig { per_host: 2, ..config(Retry::Auto) });
    door.queues(At(1, 66), tag(66));
    door.accepts(At(1, 66));
    door.queues(At(1, 67), tag(67));
    for port in 1..=2 {
        let cookie = door.retries(At(1, port), tag(1));
        assert_eq!(door.connect(At(1, port), tag(1), Some(&cookie)), Dispatch::Queued);
    }
    // Only those who are there keep others out, and for them no proof is asked in vain.
    door.ignores(At(1, 3), tag(1), DropReason::HostLimit);
    assert_eq!((door.machine.stats().dropped.of(DropReason::HostLimit), door.machine.stats().retried), (1, 2));
    door.queues(At(2, 1), tag(1));
}

/// A handshake that proved nothing holds no place against those who did.
#[test]
fn the_first_info_of_a_host_that_has_as_many_proven_ones_as_it_may_ends_its_handshake() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    door.queues(At(1, 1), tag(1));
    let late = door.accepts(At(1, 1));
    let cookie = door.retries(At(1, 2), tag(2));
    assert_eq!(door.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    let sooner = door.accepts(At(1, 2));
    door.takes(&late, info(0, b"late"));
    door.expect_event(&late, Event::Connected);
    door.expect_event(&late, Event::Readable);
    door.expect_event(&late, Event::Closed(Reason::Evicted));
    // Its client takes itself for connected.
    door.expect(At(1, 1), &late, Packet::Reset { code: 0 });
    door.confirms(&sooner);
    assert_eq!(door.machine.stats().evicted, 1);
    // It is no entry of the proven ones, however long it stays.
    door.peer(&sooner).abort(0);
    door.drain();
    door.machine.release(door.now, sooner.id);
    door.queues(At(1, 3), tag(3));
}

/// It was examined although it had ended, and could still move: the counts of both hosts were wrong afterwards.
#[test]
fn a_handshake_that_lost_its_place_by_an_info_from_elsewhere_moves_nowhere() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    door.queues(At(1, 1), tag(1));
    let late = door.accepts(At(1, 1));
    let cookie = door.retries(At(1, 2), tag(2));
    assert_eq!(door.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    door.accepts(At(1, 2));
    door.takes_from(NEW, &late, info(0, b"late, and longer than a PROBE is"));
    door.expect(At(1, 1), &late, Packet::Reset { code: 0 });
    assert_eq!(door.drain(), []);
    door.machine.release(door.now, late.id);
    door.ignores(At(1, 3), tag(3), DropReason::HostLimit);
    door.queues(NEW, tag(4));
}

/// A client that restarts takes the place of its old connection, whoever else its host has.
#[test]
fn a_client_that_restarts_is_not_kept_out_by_its_own_connection() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let old = door.established(At(1, 1), tag(1));
    door.elapse(3_600_000);
    door.ignores(At(1, 2), tag(9), DropReason::HostLimit);
    let cookie = door.retries(At(1, 1), tag(2));
    assert_eq!(door.connect(At(1, 1), tag(2), Some(&cookie)), Dispatch::Queued);
    let newer = door.accepts(At(1, 1));
    assert_eq!(door.peer(&old).ended(), None);
    door.confirms(&newer);
    assert_eq!(door.peer(&old).ended(), Some(Reason::Evicted));
    // There is one proven entry, as before.
    door.ignores(At(1, 2), tag(9), DropReason::HostLimit);
    door.machine.release(door.now, old.id);
    door.machine.release(door.now, newer.id);
    door.drain();
    door.elapse(10_000);
    door.queues(At(1, 2), tag(9));
}

/// The same where it waited before its host was full.
#[test]
fn a_client_that_restarts_finds_its_own_place_in_a_host_that_has_filled_meanwhile() {
    let mut door = Door::new(ListenerConfig { per_host: 2, ..config(Retry::Auto) });
    let old = door.established(At(1, 1), tag(1));
    door.queues(At(1, 1), tag(2));
    let newer = door.accepts(At(1, 1));
    let cookie = door.retries(At(1, 2), tag(3));
    assert_eq!(door.connect(At(1, 2), tag(3), Some(&cookie)), Dispatch::Queued);
    let third = door.accepts(At(1, 2));
    door.takes(&newer, info(0, b""));
    assert_eq!((door.peer(&newer).ended(), door.peer(&old).ended()), (None, Some(Reason::Evicted)));
    door.confirms(&third);
}

/// A peer that moves is an entry of two hosts for a while, and fixed memory counts only so many.
#[test]
fn who_cannot_be_counted_is_not_told_of() {
    let mut door = Door::<FixedTables<2>>::with_memory(config(Retry::Auto));
    let client = door.established(At(1, 1), tag(1));
    door.takes_from(NEW, &client, info(1, b"more than a PROBE has"));
    let nonce = probe_to(&mut door, &client, NEW).expect("it is asked");
    door.takes_from(NEW, &client, Packet::Echo { nonce });
    door.drain();
    door.queues(At(2, 1), tag(2));
    assert!(!door.machine.has_incoming() && door.machine.poll_incoming().is_none());
    // Once the examination is over there is room.
    door.elapse(3_000);
    assert!(door.machine.has_incoming());
}

/// Four forged handshakes at the address to which a client had moved once cut it off.
#[test]
fn forged_connects_at_its_new_address_do_not_keep_a_client_from_moving() {
    let mut door = Door::new(config(Retry::Auto));
    let client = door.established(At(1, 1), tag(1));
    for forged in 60..64 {
        door.queues(NEW, tag(forged));
    }
    door.takes_from(NEW, &client, info(1, b"more than a PROBE has"));
    let nonce = probe_to(&mut door, &client, NEW).expect("it is asked");
    door.takes_from(NEW, &client, Packet::Echo { nonce });
    assert_eq!((door.machine.address(client.id), door.machine.stats().evicted_pending), (Some(NEW), 1));
}

/// The nonce of the PROBE that leaves to this address.
fn probe_to<M: TableMemory>(door: &mut Door<M>, client: &Client, to: At) -> Option<u64> {
    door.drain().into_iter().find_map(|(address, sent)| match Framing::tagged(client.tag).decode(&sent) {
        Ok(Packet::Probe { nonce, .. }) if address == to => Some(nonce),
        _ => None,
    })
}

/// Nor is a cookie worth more for one that waits already.
#[test]
fn one_that_waits_is_proven_only_while_its_host_may_have_more() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let made_before = {
        let mut other = Door::new(config(Retry::Always));
        other.retries(At(1, 1), tag(1))
    };
    door.queues(At(1, 1), tag(1));
    let cookie = door.retries(At(1, 2), tag(2));
    assert_eq!(door.connect(At(1, 2), tag(2), Some(&cookie)), Dispatch::Queued);
    assert_eq!(door.connect(At(1, 1), tag(1), Some(&made_before)), Dispatch::Queued);
    assert_eq!(door.machine.stats().bad_cookie, 0);
    assert!(!door.incoming(At(1, 1)).is_validated());
    assert!(door.incoming(At(1, 2)).is_validated());
}

/// Base mode proves nothing: it keeps nobody of extended mode out of his host.
#[test]
fn connections_of_base_mode_keep_out_only_those_who_prove_nothing() {
    let both = Config { mode: Mode::Both, ..Config::default() };
    let mut door = Door::new(ListenerConfig { connection: both, per_host: 1, ..config(Retry::Auto) });
    let base = |door: &mut Door, from: At, packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        door.receive(from, &datagram[..len])
    };
    assert_eq!(base(&mut door, At(1, 1), Packet::Connect(Options::NONE)), Dispatch::Queued);
    let incoming = door.incoming(At(1, 1));
    let id = door.accept(incoming);
    assert_eq!(base(&mut door, At(1, 1), info(0, b"")), Dispatch::Peer(id, Handled::Accepted));
    let second = base(&mut door, At(1, 2), Packet::Connect(Options::NONE));
    assert_eq!(second, Dispatch::Dropped(DropReason::HostLimit));
    door.machine.peer_mut(id).unwrap().abort(0);
    let cookie = door.connect(At(1, 3), tag(1), None);
    assert_eq!(cookie, Dispatch::Retried);
}

/// The nonces that the old address and the new one are asked for, after a datagram from the new one.
fn asked(door: &mut Door, client: &Client, number: u32) -> (Option<u64>, Option<u64>) {
    door.takes_from(NEW, client, info(number, b"from elsewhere"));
    let (mut old, mut new) = (None, None);
    for (to, sent) in door.drain() {
        if let Ok(Packet::Probe { nonce, .. }) = Framing::tagged(client.tag).decode(&sent) {
            *(if to == NEW { &mut new } else { &mut old }) = Some(nonce);
        }
    }
    (old, new)
}

/// The peer has another address from now on. Returns what its old one was asked.
#[track_caller]
fn moves(door: &mut Door, client: &Client) -> u64 {
    let (Some(old), Some(new)) = asked(door, client, 1) else { panic!("nobody was asked") };
    door.takes_from(NEW, client, Packet::Echo { nonce: new });
    assert_eq!(door.machine.address(client.id), Some(NEW));
    old
}

/// Connections that moved to one address or host once were not counted there: it had as many as anybody liked.
#[test]
fn nobody_moves_to_an_address_or_host_that_has_as_many_as_it_may() {
    for limits in [
        ListenerConfig { per_address: 1, ..config(Retry::Auto) },
        ListenerConfig { per_host: 1, ..config(Retry::Auto) },
    ] {
        let mut door = Door::new(limits);
        let first = door.established(At(1, 1), tag(1));
        let second = door.established(At(2, 1), tag(2));
        moves(&mut door, &first);
        door.elapse(4_000);
        let before = door.machine.stats().other_address;
        // Not even the old address is asked, but what was sent counts.
        assert_eq!(asked(&mut door, &second, 1), (None, None));
        assert_eq!(door.machine.stats().other_address, before + 1);
        assert_eq!(door.peer(&second).recv_chunk(), b"from elsewhere");
        assert_eq!(door.machine.address(second.id), Some(At(2, 1)));
        // When the other one has gone there is room.
        door.peer(&first).abort(0);
        door.drain();
        door.machine.release(door.now, first.id);
        assert!(matches!(asked(&mut door, &second, 2), (Some(_), Some(_))));
    }
}

/// Two that are examined at once cannot both take the last place.
#[test]
fn the_limits_are_looked_at_again_when_the_new_address_answers() {
    let mut door = Door::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let clients = [door.established(At(1, 1), tag(1)), door.established(At(2, 1), tag(2))];
    let nonces = clients.map(|client| asked(&mut door, &client, 1).1.unwrap());
    for (client, nonce) in clients.iter().zip(nonces) {
        door.takes_from(NEW, client, Packet::Echo { nonce });
    }
    assert_eq!(clients.map(|client| door.machine.address(client.id).unwrap()), [NEW, At(2, 1)]);
    assert_eq!(door.machine.stats().moved, 1);
    // The examination is over, and what answers the old address decides nothing.
    door.expect_nothing();
}

#[test]
fn another_port_of_the_same_host_is_no_further_entry_of_it() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = door.established(At(9, 2), tag(1));
    moves(&mut door, &client);
    door.elapse(4_000);
    door.ignores(At(9, 2), tag(2), DropReason::HostLimit);
}

/// Until it is clear that the old address does not answer: who only passes on what a peer sends must not win by opening
/// connections from the peer's host.
#[test]
fn the_old_host_keeps_the_place_of_a_peer_that_may_return() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = door.established(At(1, 1), tag(1));
    let to_old = moves(&mut door, &client);
    door.ignores(At(1, 2), tag(2), DropReason::HostLimit);
    door.ignores(At(9, 2), tag(2), DropReason::HostLimit);
    door.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old });
    assert_eq!(door.machine.address(client.id), Some(At(1, 1)));
    door.ignores(At(1, 2), tag(2), DropReason::HostLimit);
    door.established(At(9, 2), tag(2));
    // One that does not return leaves it.
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let client = door.established(At(1, 1), tag(1));
    moves(&mut door, &client);
    door.elapse(4_000);
    door.established(At(1, 2), tag(2));
    door.ignores(At(9, 2), tag(2), DropReason::HostLimit);
}

/// Forged handshakes at the old address do not keep its owner from returning.
#[test]
fn whoever_returns_displaces_those_who_proved_nothing() {
    let mut door = Door::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let client = door.established(At(1, 1), tag(1));
    let to_old = moves(&mut door, &client);
    door.queues(At(1, 1), tag(66));
    let forged = door.accepts(At(1, 1));
    door.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old });
    assert_eq!(door.machine.address(client.id), Some(At(1, 1)));
    door.expect_event(&forged, Event::Closed(Reason::Evicted));
}

/// One who receives at the old address has opened others there.
#[test]
fn a_peer_that_returns_to_an_address_that_is_full_is_superseded_and_not_left_elsewhere() {
    let mut door = Door::new(ListenerConfig { per_address: 1, ..config(Retry::Auto) });
    let client = door.established(At(1, 1), tag(1));
    let to_old = moves(&mut door, &client);
    let newer = door.established(At(1, 1), tag(2));
    door.takes_from(At(1, 1), &client, Packet::Echo { nonce: to_old });
    assert_eq!(door.peer(&client).ended(), Some(Reason::Evicted));
    assert!(door.peer(&newer).is_established());
    door.expect_nothing();
}

/// However many handshakes an address has: all that are older end, and none that is newer.
#[test]
fn a_confirmed_client_supersedes_all_that_began_before_at_its_address() {
    let mut door = Door::new(ListenerConfig { per_address: 8, ..config(Retry::Never) });
    let accepted = [1, 2, 3, 4].map(|number| {
        door.queues(NEW, tag(number));
        door.accepts(NEW)
    });
    for number in [5, 6, 7] {
        door.queues(NEW, tag(number));
    }
    door.confirms(&accepted[2]);
    let ended = accepted.map(|client| door.peer(&client).ended());
    let superseded = Some(Reason::Evicted);
    assert_eq!((ended, door.machine.backlog_len()), ([superseded, superseded, None, None], 3));
    door.accepts(NEW);
    door.accepts(NEW);
    let last = door.accepts(NEW);
    door.confirms(&last);
    assert_eq!(door.machine.stats().evicted, 6);
}

/// Restarts in a full host are open handshakes like others, and no more of them than the backlog holds.
#[test]
fn restarts_in_a_full_host_hold_no_more_than_the_backlog() {
    let mut door = Door::new(ListenerConfig { per_host: 3, backlog: 2, ..config(Retry::Auto) });
    let clients = [1, 2, 3].map(|port| door.established(At(1, port.into()), tag(port)));
    for (port, restarted) in [(1, 11), (2, 12)] {
        let cookie = door.retries(At(1, port), tag(restarted));
        assert_eq!(door.connect(At(1, port), tag(restarted), Some(&cookie)), Dispatch::Queued);
        door.accepts(At(1, port));
    }
    let cookie = door.retries(At(1, 3), tag(13));
    assert_eq!(door.connect(At(1, 3), tag(13), Some(&cookie)), Dispatch::Dropped(DropReason::BacklogFull));
    assert!(clients.iter().all(|client| door.peer(client).ended().is_none()));
}
