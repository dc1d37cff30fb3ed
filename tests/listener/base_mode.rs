//! A listener in base mode: dispatch, backlog, scheduling, deadlines.

use harness::base::*;
use harness::base_listener::BaseListenerTrace;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, Ignored};
use rdt_proto::listener::{AcceptError, Dispatch, DropReason, ListenerConfig, PeerId};
use rdt_proto::store::StoreError;
use rdt_proto::wire::{DecodeError, Framing, MIN_CONNECT, Options, OptionsWriter, Packet, Tag, VERSION};
use rdt_proto::{BufferTooSmall, Duration};

/// A listener for at most 4 connections, with a backlog of 2.
pub(crate) fn server() -> BaseListenerTrace {
    BaseListenerTrace::new(ListenerConfig { backlog: 2, ..base() }, 4)
}

/// Closes the connection with this address from both sides, the peer first. The connection then lingers.
#[track_caller]
pub(crate) fn finish(server: &mut BaseListenerTrace, address: u8, id: PeerId) {
    server.takes(address, FIN);
    server.expect(address, FINACK);
    server.expect_event(id, Event::PeerClosed);
    server.peer(id).close();
    server.expect(address, FIN);
    server.takes(address, FINACK);
    server.expect_event(id, Event::Closed(CloseReason::Finished));
}

/// The configuration of a listener for base mode.
pub(crate) fn base() -> ListenerConfig {
    ListenerConfig { connection: Config::base(), ..ListenerConfig::default() }
}

/// Regression: after a stall longer than the idle limit, a connection ended although its answer waited in the socket.
#[test]
fn an_answer_after_a_stall_is_handled_before_any_timer() {
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

#[test]
fn only_an_extended_listener_drops_clients_of_the_other_mode() {
    let mut list = [0; MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).version(VERSION).unwrap().tag(Tag::new(*b"entropy!")).unwrap();
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    let mut extended = BaseListenerTrace::new(ListenerConfig::default(), 4);
    extended.ignores(1, CONNECT, DropReason::Mode);
    extended.ignores(1, Packet::Connect(Options::parse(TAG_OPTION).unwrap()), DropReason::TooShort);
    extended.queues(1, Packet::Connect(options));
    extended.ignores(1, CONNECT, DropReason::Mode);
    assert_eq!((extended.dropped(DropReason::Mode), extended.dropped(DropReason::TooShort)), (2, 1));
    // A listener in base mode skips options, because a client that offers extended mode may also accept base mode.
    let mut base = server();
    base.queues(1, Packet::Connect(options));
}

/// Regression: without a handshake limit, the deadline was the last possible time instead of `None`.
#[test]
fn without_a_handshake_limit_a_client_has_no_deadline() {
    let mut config = base();
    config.connection.handshake_limit = Duration::MAX;
    let mut server = BaseListenerTrace::new(config, 1);
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
    let dispatch = server.receive(2, info(9, b"far"));
    assert_eq!(dispatch, Dispatch::Peer(two, Handled::Ignored(Ignored::BeyondWindow)));
}

#[test]
fn from_an_unknown_sender_only_connect_is_accepted() {
    let mut server = server();
    for packet in [CONNACK, info(0, b""), ack(0), FIN, FINACK, Packet::Reset { code: 1 }] {
        server.ignores(1, packet, DropReason::UnknownPeer);
    }
    let malformed = DropReason::Malformed(DecodeError::Prefix);
    assert_eq!(server.receive_datagram(1, b"nonsense"), Dispatch::Dropped(malformed));
    assert!(server.machine.is_empty());
    assert_eq!((server.dropped(DropReason::UnknownPeer), server.dropped(malformed)), (6, 1));
    // A client in the backlog is still an unknown sender.
    server.queues(1, CONNECT);
    server.ignores(1, info(0, b""), DropReason::UnknownPeer);
    server.expect_nothing();
    assert_eq!(server.machine.poll_event(), None);
}

#[test]
fn clients_are_accepted_in_the_order_of_their_first_connect() {
    let mut server = server();
    assert_eq!(server.machine.poll_incoming(), None);
    server.queues(2, CONNECT);
    server.queues(1, CONNECT);
    server.queues(1, CONNECT);
    server.queues(2, CONNECT);
    assert_eq!((server.machine.backlog_len(), server.machine.len()), (2, 0));
    server.ignores(3, CONNECT, DropReason::BacklogFull);
    // An accepted client counts for the backlog until its INFO 0, so forged addresses fill no more than the backlog.
    server.accept(2);
    server.ignores(3, CONNECT, DropReason::BacklogFull);
    server.expect(2, CONNACK);
    server.takes(2, info(0, b""));
    server.expect(2, ack(0));
    server.queues(3, CONNECT);
    server.accept(1);
    server.accept(3);
    assert_eq!(server.machine.poll_incoming(), None);
    assert_eq!((server.machine.stats().accepted, server.dropped(DropReason::BacklogFull)), (3, 2));
    for address in [1, 3] {
        server.takes(address, CONNECT);
    }
}

#[test]
fn a_refused_client_may_queue_again() {
    let mut server = server();
    server.queues(1, CONNECT);
    server.queues(2, CONNECT);
    let (one, two) = (server.incoming(1), server.incoming(2));
    server.machine.refuse(one, 7);
    server.machine.ignore(two);
    assert_eq!((server.machine.backlog_len(), server.machine.stats().refused), (0, 1));
    // Base mode has no packet for a refusal.
    server.expect_nothing();
    server.queues(1, CONNECT);
    server.accept(1);
}

#[test]
fn no_client_waits_longer_than_the_handshake_limit() {
    let mut server = server();
    server.queues(1, CONNECT);
    server.elapse(6_000);
    server.queues(2, CONNECT);
    let late = server.incoming(1);
    server.elapse(3_999);
    assert_eq!(server.machine.backlog_len(), 2);
    server.elapse(1);
    assert_eq!(server.machine.backlog_len(), 1);
    let gone = server.machine.accept(server.now, late, [0; 32], || panic!("storage is made only for a waiting client"));
    assert_eq!(gone, Err(AcceptError::<StoreError>::Gone));
    let _ = server.incoming(2);
    server.elapse(6_000);
    assert!(server.machine.is_empty());
    assert_eq!((server.machine.poll_timeout(), server.machine.stats().expired), (None, 2));
    server.queues(3, CONNECT);
    server.queues(4, CONNECT);
}

#[test]
fn at_the_connection_limit_clients_wait_and_are_reported_again() {
    let mut server = BaseListenerTrace::new(base(), 1);
    let id = server.connected(1);
    server.queues(2, CONNECT);
    assert!(!server.machine.has_incoming() && server.machine.poll_incoming().is_none());
    server.release(id);
    server.expect(1, FIN);
    server.elapse(3_000);
    server.accept(2);
}

#[test]
fn peers_send_and_report_events_in_turn() {
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
    assert_eq!(order.len(), 6, "an ACK and an INFO to each peer");
    assert_eq!(order[..3], order[3..], "{order:?}");
    assert!([1, 2, 3].iter().all(|address| order[..3].contains(address)), "{order:?}");

    for (address, _) in ids {
        server.takes(address, FIN);
    }
    let reported: Vec<_> = core::iter::from_fn(|| server.machine.poll_event()).map(|(id, _)| id).collect();
    assert_eq!(reported.len(), 6, "`Readable` and `PeerClosed` of each peer");
    assert_eq!(reported[..3], reported[3..], "{reported:?}");
}

/// Regression: a connection that had received a packet, and had not been polled since, missed its deadline.
#[test]
fn a_deadline_is_kept_while_a_datagram_is_pending() {
    let mut server = server();
    let id = server.connected(1);
    server.takes(1, info(1, b"x"));
    server.now = server.now + Duration::from_secs(61);
    server.machine.handle_timeout(server.now);
    server.expect_event(id, Event::Readable);
    server.expect_event(id, Event::Closed(CloseReason::Quiet));
    server.expect_nothing();
}

#[test]
fn a_buffer_too_small_is_an_error_and_keeps_the_datagram() {
    let mut server = server();
    server.queues(1, CONNECT);
    server.accept(1);
    let refused = server.machine.poll_transmit(server.now, &mut [0; 4]);
    assert_eq!(refused, Err(BufferTooSmall { needed: 5 }));
    server.expect(1, CONNACK);
}

#[test]
fn poll_timeout_is_the_earliest_deadline_of_all_connections() {
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
