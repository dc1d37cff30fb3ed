//! The end of connections of a listener in base mode: release, quarantine, and reclaimed storage.

use super::base_mode::{base, finish, server};
use harness::base::*;
use harness::base_listener::BaseListenerTrace;
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Ignored, Storage};
use rdt_proto::listener::{Dispatch, DropReason};

/// Regression: a stale identifier released the connection that had reused the slot.
#[test]
fn releasing_a_stale_id_leaves_the_next_connection_alone() {
    let mut server = BaseListenerTrace::new(base(), 1);
    let gone = server.connected(1);
    finish(&mut server, 1, gone);
    server.release(gone);
    server.elapse(4_000);
    assert!(server.machine.is_empty());

    let id = server.connected(2);
    assert_eq!(id.index(), gone.index());
    server.release(gone);
    server.takes(2, info(1, b"hello"));
    server.expect(2, ack(1));
    server.expect_event(id, Event::Readable);
    assert!(server.peer(id).is_established());
}

/// Regression: a CONNECT after the end of the quarantine was ignored until `handle_timeout`.
#[test]
fn connect_after_quarantine_queues_before_handle_timeout() {
    let mut server = server();
    let id = server.connected(1);
    finish(&mut server, 1, id);
    server.release(id);
    server.now = server.now + Duration::from_millis(900);
    let dispatch = server.receive(1, CONNECT);
    assert!(matches!(dispatch, Dispatch::Peer(_, Handled::Ignored(Ignored::Closed))), "{dispatch:?}");
    server.now = server.now + Duration::from_millis(200);
    server.queues(1, CONNECT);
}

/// The process stalls for longer than the linger. The repeated FIN still reaches the lingering connection.
#[test]
fn a_fin_after_a_stall_is_answered() {
    let mut server = server();
    let id = server.connected(1);
    finish(&mut server, 1, id);
    server.release(id);
    server.now = server.now + Duration::from_secs(31);
    server.takes(1, FIN);
    server.expect(1, FINACK);
}

#[test]
fn a_restarted_client_waits_until_the_old_quarantine_is_over() {
    let mut server = server();
    let old = server.connected(1);
    for _ in 0..6 {
        let dispatch = server.receive(1, CONNECT);
        assert_eq!(dispatch, Dispatch::Peer(old, Handled::Ignored(Ignored::LateConnect)));
        server.elapse(10_000);
    }
    server.expect_event(old, Event::Closed(CloseReason::Quiet));
    assert_eq!(server.receive(1, CONNECT), Dispatch::Peer(old, Handled::Ignored(Ignored::Closed)));
    server.release(old);
    server.ignores(1, CONNECT, DropReason::Quarantined);
    server.ignores(1, info(0, b"stale"), DropReason::Quarantined);
    assert_eq!(server.dropped(DropReason::Quarantined), 2);
    server.elapse(999);
    server.ignores(1, CONNECT, DropReason::Quarantined);
    server.elapse(1);
    let new = server.connected(1);
    assert_ne!(new, old);
}

#[test]
fn a_released_connection_goes_on_lingering() {
    let mut server = server();
    let id = server.connected(1);
    finish(&mut server, 1, id);
    server.release(id);
    assert!(server.machine.peer(id).is_none());
    server.elapse(900);
    server.takes(1, FIN);
    server.expect(1, FINACK);
    server.elapse(999);
    assert_eq!(server.machine.len(), 1);
    server.elapse(1);
    assert!(server.machine.is_empty());
    assert_eq!(server.machine.poll_timeout(), None);
}

#[test]
fn unread_data_stays_until_release() {
    let mut server = server();
    let id = server.connected(1);
    server.takes(1, info(1, b"kept"));
    server.expect(1, ack(1));
    server.expect_event(id, Event::Readable);
    finish(&mut server, 1, id);
    server.elapse(1_000_000);
    let mut data = [0; 8];
    assert_eq!(server.peer(id).recv(&mut data), 4);
    assert_eq!(&data[..4], b"kept");
    server.release(id);
    assert!(server.machine.is_empty(), "linger and quarantine are over");
}

#[test]
fn releasing_a_live_connection_aborts_it_and_voids_its_id() {
    let mut server = server();
    let id = server.connected(1);
    server.peer(id).send(b"lost").unwrap();
    server.release(id);
    assert!(server.machine.peer(id).is_none() && server.machine.peer_mut(id).is_none());
    assert_eq!(server.machine.address(id), None);
    assert_eq!(server.machine.poll_event(), None);
    server.expect(1, FIN);
    server.ignores(1, FINACK, DropReason::Quarantined);
    server.release(id);
    server.expect_nothing();
    server.elapse(3_000);
    assert!(server.machine.is_empty());

    // A connection that is released before INFO 0 sends no FIN.
    server.queues(2, CONNECT);
    let id = server.accept(2);
    server.release(id);
    server.expect_nothing();
    server.ignores(2, CONNECT, DropReason::Quarantined);
}

/// The same memory serves one connection after another, from different addresses.
#[test]
fn reclaimed_memory_serves_the_next_connection() {
    let mut server = server();
    let id = server.connected(1);
    server.takes(1, info(1, b"unread"));
    server.expect(1, ack(1));
    assert!(server.machine.reclaim(server.now, id).is_none(), "the connection is open");
    server.expect_event(id, Event::Readable);
    finish(&mut server, 1, id);
    assert!(server.machine.reclaim(server.now, id).is_none(), "the connection lingers");
    server.elapse(3_000);
    let (send, recv) = server.machine.reclaim(server.now, id).expect("the connection is drained").into_memory();
    assert!(server.machine.reclaim(server.now, id).is_none(), "storage is reclaimed once");
    assert!(server.machine.peer(id).is_none() && server.machine.is_empty());

    server.queues(2, CONNECT);
    let storage = || Storage::stop_and_wait(&Config::base(), send, recv);
    let incoming = server.incoming(2);
    let next = server.machine.accept(server.now, incoming, [1; 32], storage).unwrap();
    server.expect(2, CONNACK);
    server.takes(2, info(0, b"new"));
    assert_eq!(server.peer(next).recv_chunk(), b"new");
    assert_eq!(server.peer(next).send(b"hello"), Ok(5));
    server.expect(2, ack(0));
    server.expect(2, info(0, b"hello"));
}

/// Regression: `reclaim` made the connection due at once, so a program that called it before each wait never waited.
#[test]
fn reclaim_leaves_the_deadline_of_a_lingering_peer_alone() {
    let mut server = server();
    let id = server.connected(1);
    finish(&mut server, 1, id);
    server.expect_nothing();
    let linger_end = server.machine.poll_timeout().expect("a lingering connection has a deadline");
    assert!(linger_end > server.now);
    assert!(server.machine.reclaim(server.now, id).is_none(), "the connection lingers");
    assert_eq!(server.machine.poll_timeout(), Some(linger_end));
    server.elapse(3_000);
    assert!(server.machine.reclaim(server.now, id).is_some(), "the connection is drained");
}

#[test]
fn storage_of_an_aborted_peer_returns_once_its_fin_has_left() {
    let mut server = server();
    let id = server.connected(1);
    server.peer(id).abort(0);
    assert!(server.machine.reclaim(server.now, id).is_none(), "FIN is pending");
    server.expect(1, FIN);
    assert!(server.machine.reclaim(server.now, id).is_some());
    server.ignores(1, CONNECT, DropReason::Quarantined);
    server.elapse(3_000);
    server.queues(1, CONNECT);
}
