//! SocketTCP: many clients on one socket.

use harness::socket_tcp::{At, SegmentListenerTrace, ack, data, fin, fin_ack, starting_with};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::socket_tcp::{
    HeapTables, SegmentError, SocketAcceptError, SocketCloseReason, SocketConfig, SocketConnection, SocketDispatch,
    SocketDropReason, SocketEvent, SocketHandled, SocketIgnored, SocketListener, SocketListenerConfig,
};
use rdt_proto::{Duration, Instant};

const A: At = At(1, 1_000);
const B: At = At(2, 2_000);
const C: At = At(3, 3_000);

#[test]
fn each_client_has_its_connection() {
    let mut listener = SegmentListenerTrace::new();
    let (a, b) = (listener.accepts(A), listener.accepts(B));
    assert_ne!(a, b);
    listener.takes(a, A, &data(12, "2"));
    listener.takes(b, B, &data(12, "3"));
    // B sends first, because it has stayed in the send queue since its handshake. A joins the queue behind it.
    listener.expect(B, &ack(13));
    listener.expect(A, &ack(13));
    listener.takes(b, B, &data(13, "abc"));
    listener.takes(a, A, &data(13, "xy"));
    let mut read = vec![];
    while let Some((id, event)) = listener.machine.poll_event() {
        assert_eq!(event, SocketEvent::Readable);
        let mut buf = [0; 64];
        let len = listener.machine.peer_mut(id).unwrap().recv_message(&mut buf).unwrap().unwrap();
        read.push((id, buf[..len].to_vec()));
    }
    assert_eq!(read, [(b, b"abc".to_vec()), (a, b"xy".to_vec())]);
    assert_eq!(listener.machine.peers().count(), 2);
}

#[test]
fn a_client_that_is_not_accepted_leaves_no_state() {
    let mut listener = SegmentListenerTrace::new();
    for _ in 0..3 {
        assert!(matches!(listener.receive(A, "1|||0|||0|||10|||"), SocketDispatch::Incoming(_)));
    }
    assert!(listener.machine.is_empty());
    listener.expect_nothing();
    listener.accepts(A);
    assert_eq!((listener.machine.stats().incoming, listener.machine.stats().accepted), (4, 1));
}

#[test]
fn a_second_connection_of_one_client_and_a_third_client_are_refused() {
    let mut listener = SegmentListenerTrace::new();
    let SocketDispatch::Incoming(first) = listener.receive(A, "1|||0|||0|||10|||") else { panic!() };
    let SocketDispatch::Incoming(again) = listener.receive(A, "1|||0|||0|||10|||") else { panic!() };
    let a = listener.machine.accept(listener.now, first, starting_with(0)).unwrap();
    assert_eq!(listener.machine.accept(listener.now, again, starting_with(0)), Err(SocketAcceptError::Connected));
    listener.expect(A, "1|||1|||0|||11|||");
    listener.accepts(B);
    let SocketDispatch::Incoming(third) = listener.receive(C, "1|||0|||0|||10|||") else { panic!() };
    assert_eq!(listener.machine.accept(listener.now, third, starting_with(0)), Err(SocketAcceptError::Full));
    // A released connection makes room once its last segment is sent.
    listener.takes(a, A, &ack(12));
    listener.machine.release(listener.now, a);
    assert!(listener.machine.peer(a).is_none());
    listener.expect(A, &fin(12));
    listener.expect_nothing();
    let c = listener.accepts(C);
    assert!(listener.machine.peer(a).is_none() && listener.machine.peer(c).is_some());
}

#[test]
fn heap_tables_keep_the_limit_of_connections() {
    let config = SocketListenerConfig { peers: 1, ..SocketListenerConfig::default() };
    let mut listener = SocketListener::<At, HeapTables>::new(Instant::ZERO, config, [5; 16]);
    let mut accept = |from| {
        let SocketDispatch::Incoming(incoming) = listener.handle_datagram(Instant::ZERO, from, b"1|||0|||0|||10|||")
        else {
            panic!()
        };
        listener.accept(Instant::ZERO, incoming, starting_with(0))
    };
    assert!(accept(A).is_ok());
    assert_eq!(accept(B), Err(SocketAcceptError::Full));
}

#[test]
fn from_an_unknown_sender_only_a_syn_is_accepted() {
    let mut listener = SegmentListenerTrace::new();
    for stray in [ack(12), data(12, "5"), fin(12), fin_ack(13), "1|||1|||0|||11|||".into()] {
        assert_eq!(listener.receive(A, &stray), SocketDispatch::Dropped(SocketDropReason::UnknownPeer));
    }
    assert_eq!(
        listener.receive(A, "1|||0|||0|||9223372036854775808|||"),
        SocketDispatch::Dropped(SocketDropReason::UnknownPeer)
    );
    let malformed = SocketDropReason::Malformed(SegmentError::Separators);
    assert_eq!(listener.receive(A, "hello"), SocketDispatch::Dropped(malformed));
    let dropped = &listener.machine.stats().dropped;
    assert_eq!((dropped.of(SocketDropReason::UnknownPeer), dropped.of(malformed)), (6, 1));
}

#[test]
fn a_closed_connection_stays_until_it_is_released() {
    let mut listener = SegmentListenerTrace::new();
    let a = listener.accepts(A);
    listener.takes(a, A, &data(12, "1"));
    listener.takes(a, A, &data(13, "x"));
    listener.takes(a, A, &fin(14));
    listener.expect(A, &ack(14));
    listener.expect(A, &fin_ack(15));
    listener.takes(a, A, &fin(16));
    assert_eq!(listener.receive(A, &fin(16)), SocketDispatch::Peer(a, SocketHandled::Ignored(SocketIgnored::Closed)));
    let events: Vec<_> = std::iter::from_fn(|| listener.machine.poll_event()).map(|(_, event)| event).collect();
    assert_eq!(
        events,
        [SocketEvent::Readable, SocketEvent::PeerClosed, SocketEvent::Closed(SocketCloseReason::Finished)]
    );
    assert_eq!(listener.machine.peer_mut(a).unwrap().recv(&mut [0; 9]).map(|received| received.len), Some(1));
    listener.machine.release(listener.now, a);
    listener.expect_nothing();
    assert!(listener.machine.is_empty());
    // The client may connect again at once.
    listener.accepts(A);
}

#[test]
fn an_unconfirmed_connection_ends_at_the_handshake_limit() {
    let mut listener = SegmentListenerTrace::new();
    let SocketDispatch::Incoming(incoming) = listener.receive(A, "1|||0|||0|||10|||") else { panic!() };
    let a = listener.machine.accept(listener.now, incoming, starting_with(0)).unwrap();
    while let Some(due) = listener.machine.poll_timeout() {
        listener.now = due.max(listener.now);
        listener.machine.handle_timeout(listener.now);
        while listener.machine.poll_transmit(listener.now, &mut [0; 64]).unwrap().is_some() {}
    }
    assert_eq!(listener.machine.poll_event(), Some((a, SocketEvent::Closed(SocketCloseReason::HandshakeTimedOut))));
    assert_eq!(listener.now, Instant::from_millis(10_000));
}

/// A server that echoes each message.
struct Echo {
    listener: SocketListener<SimAddress, HeapTables, 64, 64>,
    /// The number of messages echoed.
    echoed: usize,
}

impl Node for Echo {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _: SimAddress, datagram: &[u8]) {
        if let SocketDispatch::Incoming(incoming) = self.listener.handle_datagram(now, from, datagram) {
            self.listener.accept(now, incoming, starting_with(7)).unwrap();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.listener.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, transmit) = self.listener.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(to, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.listener.poll_timeout()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        let Some((id, event)) = self.listener.poll_event() else { return false };
        let peer = self.listener.peer_mut(id).unwrap();
        let mut buf = [0; 64];
        if let Ok(Some(len)) = peer.recv_message(&mut buf) {
            peer.send(&buf[..len]).unwrap();
            self.echoed += 1;
        }
        if let SocketEvent::Closed(_) = event {
            self.listener.release(now, id);
        }
        true
    }

    fn is_done(&self) -> bool {
        self.listener.is_empty()
    }
}

/// All clients, as one node. The port of a client is its index.
struct Clients(Vec<Client>);

struct Client {
    machine: SocketConnection<SimAddress, 64, 64>,
    message: Vec<u8>,
    /// Whether the echo has arrived.
    heard: bool,
}

const SERVER: NodeId = NodeId(0);
const CLIENTS: NodeId = NodeId(1);

impl Node for Clients {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        self.0[usize::try_from(to.port).unwrap()].machine.handle_datagram(now, from, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.iter_mut().for_each(|client| client.machine.handle_timeout(now));
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        self.0.iter_mut().zip(0..).find_map(|(client, port)| {
            let (to, transmit) = client.machine.poll_transmit(now, buf).unwrap()?;
            Some(Outgoing::new(to, transmit.len).with_source(CLIENTS.port(port)))
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.iter().filter_map(|client| client.machine.poll_timeout()).min()
    }

    fn poll_app(&mut self, _: Instant) -> bool {
        let mut did = false;
        for client in &mut self.0 {
            let mut buf = [0; 64];
            if let Ok(Some(len)) = client.machine.recv_message(&mut buf) {
                assert_eq!(&buf[..len], client.message);
                client.heard = true;
                client.machine.close();
                did = true;
            }
        }
        did
    }

    fn is_done(&self) -> bool {
        self.0.iter().all(|client| client.machine.is_drained())
    }
}

#[test]
fn a_hundred_clients_over_a_bad_link_each_get_their_echo() {
    let server =
        Echo { listener: SocketListener::new(Instant::ZERO, SocketListenerConfig::default(), [1; 16]), echoed: 0 };
    let clients = (0..100).map(|index| {
        let mut machine =
            SocketConnection::connect(Instant::ZERO, SocketConfig::default(), starting_with(index), SERVER.port(0));
        let message = vec![index; usize::from(index % 65)];
        machine.send(&message).unwrap();
        Client { machine, message, heard: false }
    });
    let (mut server, mut clients) = (server, Clients(clients.collect()));
    let mut sim = Simulation::<&mut dyn Node>::new(9);
    assert_eq!((sim.add(&mut server), sim.add(&mut clients)), (SERVER, CLIENTS));
    sim.connect(CLIENTS, SERVER, LinkConfig::bad(0.1));
    sim.run_until_done(Duration::from_secs(600));
    drop(sim);
    assert!(clients.0.iter().all(|client| client.heard));
    assert_eq!((server.echoed, server.listener.stats().accepted), (100, 100));
}
