//! Many peers on one socket: routing, backlog, release, quarantine, turns.

mod common;

use common::server::Server;
use common::*;
use rdt_proto::connection::{Config, Event, Handled, Ignored, Reason, Storage};
use rdt_proto::listener::{AcceptError, Dispatch, DropReason, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, MIN_CONNECT, Options, OptionsWriter, Packet, Tag};
use rdt_proto::{BufferTooSmall, Duration};

/// A listener with 4 slots of which 2 may wait.
fn server() -> Server {
    Server::new(ListenerConfig { backlog: 2, ..base() }, 4)
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

/// A listener for base mode.
fn base() -> ListenerConfig {
    ListenerConfig { connection: Config::base(), ..ListenerConfig::default() }
}

/// Releasing with the id of a connection that is gone once marked the connection that now has its slot as released.
#[test]
fn releasing_a_peer_that_is_gone_leaves_its_successor_alone() {
    let mut server = Server::new(base(), 1);
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
    assert!(matches!(routed, Dispatch::Peer(_, Handled::Ignored(Ignored::Closed))), "{routed:?}");
    server.now = server.now + Duration::from_millis(200);
    server.queues(1, CONNECT);
}

/// A process that was stalled for longer than the idle limit once declared a peer dead whose answer waited in the socket.
#[test]
fn an_answer_that_comes_after_a_stall_is_heard_before_any_timer_runs() {
    let mut server = server();
    let id = server.connected(1);
    server.peer(id).send(b"hello").unwrap();
    server.expect(1, info(0, b"hello"));
    server.now = server.now + Duration::from_secs(31);
    server.takes(1, ack(0));
    server.machine.handle_timeout(server.now);
    assert!(server.peer(id).is_established());
    server.takes(1, info(1, b"hello, too"));
    server.expect_event(id, Event::Readable);
}

/// The same of a connection that lingers: whoever repeats its FIN has not got the answer.
#[test]
fn a_fin_that_comes_after_a_stall_is_answered() {
    let mut server = server();
    let id = server.connected(1);
    finish(&mut server, 1, id);
    server.release(id);
    server.now = server.now + Duration::from_secs(31);
    server.takes(1, FIN);
    server.expect(1, FINACK);
}

#[test]
fn a_listener_for_one_mode_queues_nobody_of_the_other() {
    let mut list = [0; MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).tag(Tag::new(*b"entropy!")).unwrap();
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    let mut extended = Server::new(ListenerConfig::default(), 4);
    extended.ignores(1, CONNECT, DropReason::Mode);
    extended.ignores(1, Packet::Connect(Options::parse(TAG_OPTION).unwrap()), DropReason::TooShort);
    extended.queues(1, Packet::Connect(options));
    extended.ignores(1, CONNECT, DropReason::Mode);
    assert_eq!(
        (
            extended.machine.stats().dropped.of(DropReason::Mode),
            extended.machine.stats().dropped.of(DropReason::TooShort)
        ),
        (2, 1)
    );
    // In base mode options are skipped: who asks for more may still be content with it.
    let mut base = server();
    base.queues(1, Packet::Connect(options));
}

/// Without a handshake limit its deadline was once the end of time instead of none.
#[test]
fn without_a_handshake_limit_a_queued_peer_waits_for_ever_and_there_is_no_deadline() {
    let mut config = base();
    config.connection.handshake_limit = Duration::MAX;
    let mut server = Server::new(config, 1);
    server.queues(1, CONNECT);
    assert_eq!(server.machine.poll_timeout(), None);
    server.elapse(100_000_000);
    server.accept(1);
}

#[test]
fn datagrams_go_to_the_connection_of_their_address() {
    let mut server = server();
    let (one, two) = (server.connected(1), server.connected(2));
    assert_eq!(server.machine.len(), 2);
    server.takes(1, info(1, b"from 1"));
    server.takes(2, info(1, b"from 2"));
    assert_eq!(server.peer(one).recv_chunk(), b"from 1");
    assert_eq!(server.peer(two).recv_chunk(), b"from 2");
    let routed = server.receive(2, info(9, b"far"));
    assert_eq!(routed, Dispatch::Peer(two, Handled::Ignored(Ignored::BeyondWindow)));
}

#[test]
fn from_a_stranger_only_connect_means_anything() {
    let mut server = server();
    for packet in [CONNACK, info(0, b""), ack(0), FIN, FINACK, Packet::Reset { code: 1 }] {
        server.ignores(1, packet, DropReason::UnknownPeer);
    }
    let routed = server.machine.handle_datagram(server.now, 1, b"nonsense");
    assert!(matches!(routed, Dispatch::Dropped(DropReason::Malformed(_))), "{routed:?}");
    assert!(server.machine.is_empty());
    assert_eq!(server.machine.stats().dropped.of(DropReason::UnknownPeer), 6);
    assert_eq!(server.machine.stats().dropped.total_of(|reason| matches!(reason, DropReason::Malformed(_))), 1);
    // Those who only wait are strangers still.
    server.queues(1, CONNECT);
    server.ignores(1, info(0, b""), DropReason::UnknownPeer);
    server.expect_nothing();
    assert_eq!(server.machine.poll_event(), None);
}

#[test]
fn who_waits_longest_is_accepted_first_and_repeats_change_nothing() {
    let mut server = server();
    assert_eq!(server.machine.poll_incoming(), None);
    server.queues(2, CONNECT);
    server.queues(1, CONNECT);
    server.queues(1, CONNECT);
    server.queues(2, CONNECT);
    assert_eq!((server.machine.backlog_len(), server.machine.len()), (2, 0));
    server.ignores(3, CONNECT, DropReason::BacklogFull);
    // Who is accepted and has not confirmed still holds its place: an address that pretends fills no more than that.
    server.accept(2);
    server.ignores(3, CONNECT, DropReason::BacklogFull);
    server.expect(2, CONNACK);
    server.takes(2, info(0, b""));
    server.expect(2, ack(0));
    server.queues(3, CONNECT);
    server.accept(1);
    server.accept(3);
    assert_eq!(server.machine.poll_incoming(), None);
    assert_eq!((server.machine.stats().accepted, server.machine.stats().dropped.of(DropReason::BacklogFull)), (3, 2));
    for address in [1, 3] {
        server.takes(address, CONNECT);
    }
}

#[test]
fn who_is_refused_may_queue_again() {
    let mut server = server();
    server.queues(1, CONNECT);
    server.queues(2, CONNECT);
    let (one, two) = (server.incoming(1), server.incoming(2));
    server.machine.refuse(one, 7);
    server.machine.ignore(two);
    assert_eq!((server.machine.backlog_len(), server.machine.stats().refused), (0, 1));
    // In base mode there is no packet that would tell.
    server.expect_nothing();
    server.queues(1, CONNECT);
    server.accept(1);
}

#[test]
fn nobody_waits_longer_than_the_handshake_limit() {
    let mut server = server();
    server.queues(1, CONNECT);
    server.elapse(6_000);
    server.queues(2, CONNECT);
    let late = server.incoming(1);
    server.elapse(3_999);
    assert_eq!(server.machine.backlog_len(), 2);
    server.elapse(1);
    assert_eq!(server.machine.backlog_len(), 1);
    let gone = server
        .machine
        .accept(server.now, late, [0; 32], || -> Result<_, std::convert::Infallible> { panic!("nobody waits") });
    assert_eq!(gone, Err(AcceptError::Gone));
    let _ = server.incoming(2);
    server.elapse(6_000);
    assert!(server.machine.is_empty());
    assert_eq!((server.machine.poll_timeout(), server.machine.stats().expired), (None, 2));
    server.queues(3, CONNECT);
    server.queues(4, CONNECT);
}

#[test]
fn above_the_limit_of_connections_clients_wait_and_are_told_of_again() {
    let mut server = Server::new(base(), 1);
    let id = server.connected(1);
    server.queues(2, CONNECT);
    assert!(!server.machine.has_incoming() && server.machine.poll_incoming().is_none());
    server.release(id);
    server.expect(1, FIN);
    server.elapse(3_000);
    server.accept(2);
}

#[test]
fn a_restarted_client_waits_until_the_old_connection_and_its_quarantine_are_over() {
    let mut server = server();
    let old = server.connected(1);
    for _ in 0..6 {
        let routed = server.receive(1, CONNECT);
        assert_eq!(routed, Dispatch::Peer(old, Handled::Ignored(Ignored::LateConnect)));
        server.elapse(10_000);
    }
    server.expect_event(old, Event::Closed(Reason::Quiet));
    assert_eq!(server.receive(1, CONNECT), Dispatch::Peer(old, Handled::Ignored(Ignored::Closed)));
    server.release(old);
    server.ignores(1, CONNECT, DropReason::Quarantined);
    server.ignores(1, info(0, b"stale"), DropReason::Quarantined);
    assert_eq!(server.machine.stats().dropped.of(DropReason::Quarantined), 2);
    server.elapse(2_999);
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
    server.elapse(2_000);
    server.takes(1, FIN);
    server.expect(1, FINACK);
    server.elapse(2_999);
    assert_eq!(server.machine.len(), 1);
    server.elapse(1);
    assert!(server.machine.is_empty());
    assert_eq!(server.machine.poll_timeout(), None);
}

#[test]
fn what_is_unread_stays_until_release() {
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
    assert!(server.machine.is_empty(), "linger and quarantine were over long ago");
}

#[test]
fn releasing_a_live_connection_aborts_it_and_its_id_means_nothing_any_more() {
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

    // Before INFO 0 there is nothing to be told.
    server.queues(2, CONNECT);
    let id = server.accept(2);
    server.release(id);
    server.expect_nothing();
    server.ignores(2, CONNECT, DropReason::Quarantined);
}

#[test]
fn peers_take_turns_to_send_and_to_tell() {
    let mut server = server();
    let ids = [1, 2, 3].map(|address| (address, server.connected(address)));
    for (_, id) in ids {
        server.peer(id).send(b"hello").unwrap();
    }
    for (address, _) in ids {
        server.takes(address, info(1, b"x"));
    }
    let mut buf = [0; 64];
    let mut order = Vec::new();
    while let Some((address, _)) = server.machine.poll_transmit(server.now, &mut buf).unwrap() {
        order.push(address);
    }
    assert_eq!(order.len(), 6, "an ACK and an INFO each");
    assert_eq!(order[..3], order[3..], "{order:?}");
    assert!([1, 2, 3].iter().all(|address| order[..3].contains(address)), "{order:?}");

    for (address, _) in ids {
        server.takes(address, FIN);
    }
    let told: Vec<_> = core::iter::from_fn(|| server.machine.poll_event()).map(|(id, _)| id).collect();
    assert_eq!(told.len(), 6, "Readable and PeerClosed each");
    assert_eq!(told[..3], told[3..], "{told:?}");
}

/// A connection that something was done with, and whose turn to send had not come since, once missed its deadline.
#[test]
fn a_deadline_is_kept_before_the_turn_to_send_has_come() {
    let mut server = server();
    let id = server.connected(1);
    server.takes(1, info(1, b"x"));
    server.now = server.now + Duration::from_secs(61);
    server.machine.handle_timeout(server.now);
    server.expect_event(id, Event::Readable);
    server.expect_event(id, Event::Closed(Reason::Quiet));
    server.expect_nothing();
}

#[test]
fn a_buffer_too_small_is_told_and_the_datagram_waits() {
    let mut server = server();
    server.queues(1, CONNECT);
    server.accept(1);
    let refused = server.machine.poll_transmit(server.now, &mut [0; 4]);
    assert_eq!(refused, Err(BufferTooSmall { needed: 5 }));
    server.expect(1, CONNACK);
}

#[test]
fn the_next_deadline_is_that_of_whoever_is_first() {
    let mut server = server();
    let quiet = server.connected(1);
    server.expect_nothing();
    assert_eq!(server.machine.poll_timeout(), Some(server.now + Duration::from_secs(60)));
    server.queues(2, CONNECT);
    assert_eq!(server.machine.poll_timeout(), Some(server.now + Duration::from_secs(10)));
    let id = server.accept(2);
    assert_eq!(server.machine.poll_timeout(), Some(server.now));
    server.expect(2, CONNACK);
    server.expect_nothing();
    let due = server.machine.poll_timeout().unwrap().saturating_since(server.now).as_millis();
    assert!((1_000..=1_063).contains(&due), "{due}");
    server.release(id);
    server.expect_nothing();
    assert_eq!(server.machine.poll_timeout(), Some(server.now + Duration::from_secs(3)));
    server.elapse(3_000);
    server.peer(quiet).send(b"x").unwrap();
    assert_eq!(server.machine.poll_timeout().unwrap().max(server.now), server.now);
    server.expect(1, info(0, b"x"));
}

/// A pool of borrowed memory: one connection after the other uses it, from different addresses.
#[test]
fn the_storage_of_a_peer_that_left_serves_the_next_one() {
    let mut server = server();
    let id = server.connected(1);
    server.takes(1, info(1, b"unread"));
    server.expect(1, ack(1));
    assert!(server.machine.reclaim(server.now, id).is_none(), "it is alive");
    server.expect_event(id, Event::Readable);
    finish(&mut server, 1, id);
    assert!(server.machine.reclaim(server.now, id).is_none(), "it lingers");
    server.elapse(3_000);
    let Some(Storage { send, recv, .. }) = server.machine.reclaim(server.now, id) else { panic!("it is drained") };
    assert!(server.machine.reclaim(server.now, id).is_none(), "once");
    assert!(server.machine.peer(id).is_none() && server.machine.is_empty());

    let (send, recv) = (SendSlots::new(send.into_memory(), 1_200), RecvSlots::new(recv.into_memory(), 1_200));
    server.queues(2, CONNECT);
    let storage = || Storage::stop_and_wait(send.unwrap(), recv.unwrap());
    let incoming = server.incoming(2);
    let next =
        server.machine.accept(server.now, incoming, [1; 32], || Ok::<_, std::convert::Infallible>(storage())).unwrap();
    server.expect(2, CONNACK);
    server.takes(2, info(0, b"new"));
    assert_eq!(server.peer(next).recv_chunk(), b"new");
    assert_eq!(server.peer(next).send(b"hello"), Ok(5));
    server.expect(2, ack(0));
    server.expect(2, info(0, b"hello"));
}

#[test]
fn the_storage_of_an_aborted_peer_comes_back_when_its_fin_has_left_and_the_address_rests() {
    let mut server = server();
    let id = server.connected(1);
    server.peer(id).abort(0);
    assert!(server.machine.reclaim(server.now, id).is_none(), "FIN is to be sent");
    server.expect(1, FIN);
    assert!(server.machine.reclaim(server.now, id).is_some());
    server.ignores(1, CONNECT, DropReason::Quarantined);
    server.elapse(3_000);
    server.queues(1, CONNECT);
}
