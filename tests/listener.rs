//! Many peers on one socket: routing, backlog, release, quarantine, turns.

mod common;

use common::*;
use rdt_proto::Duration;
use rdt_proto::connection::{Event, Handled, Ignored, Reason};
use rdt_proto::listener::{ListenerConfig, PeerId, Routed, Unrouted};
use rdt_proto::wire::{Options, Packet};

/// A listener with 4 slots of which 2 may wait.
fn server() -> Server {
    Server::new(ListenerConfig { backlog: 2, ..ListenerConfig::default() }, 4)
}

/// Both sides of the connection with this address close, the peer first. It lingers.
#[track_caller]
fn finish(server: &mut Server, address: u8, id: PeerId) {
    server.takes(address, FIN);
    server.expect(address, FINACK);
    server.expect_event(id, Event::PeerClosed);
    server.peer(id).close();
    server.expect(address, FIN);
    server.takes(address, FINACK);
    server.expect_event(id, Event::Closed(Reason::Finished));
}

/// Releasing with the id of a connection that is gone once marked the connection that now has its slot as released.
#[test]
fn releasing_a_peer_that_is_gone_leaves_its_successor_alone() {
    let mut server = Server::new(ListenerConfig::default(), 1);
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

/// A datagram that came after the end of the quarantine, and before `handle_timeout`, was once ignored.
#[test]
fn a_connect_after_quarantine_queues_even_before_the_timeout_was_handled() {
    let mut server = server();
    let id = server.connected(1);
    finish(&mut server, 1, id);
    server.release(id);
    server.now = server.now + Duration::from_millis(2_900);
    let routed = server.receive(1, CONNECT);
    assert!(matches!(routed, Routed::Peer(_, Handled::Ignored(Ignored::Closed))), "{routed:?}");
    server.now = server.now + Duration::from_millis(200);
    server.queues(1, CONNECT);
}

/// One that asks for extended mode was once taken for a repeat of the one in base mode.
#[test]
fn a_connect_of_extended_mode_is_ignored_whether_its_address_waits_or_not() {
    let mut server = server();
    let options = Options::parse(TAG_OPTION).unwrap();
    server.ignores(1, Packet::Connect(options), Unrouted::Mode);
    server.queues(1, CONNECT);
    server.ignores(1, Packet::Connect(options), Unrouted::Mode);
    assert_eq!(server.machine.stats().mode, 2);
}

/// Without a handshake limit its deadline was once the end of time instead of none.
#[test]
fn without_a_handshake_limit_a_queued_peer_waits_for_ever_and_there_is_no_deadline() {
    let mut config = ListenerConfig::default();
    config.connection.handshake_limit = Duration::MAX;
    let mut server = Server::new(config, 1);
    server.queues(1, CONNECT);
    assert_eq!(server.machine.poll_timeout(), None);
    server.elapse(100_000_000);
    server.accept(1);
}
