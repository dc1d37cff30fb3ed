//! A blocked socket: a timeout does no work for pending datagrams, and no deadline is missed.

use rdt_proto::connection::{CloseReason, Config, Event, Handled, HeapStopAndWait, Storage};
use rdt_proto::listener::{Dispatch, HeapPeers, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots, SendStore, StoreError};
use rdt_proto::wire::{Framing, Options, Packet};
use rdt_proto::{Duration, Instant, Seq};
use std::cell::Cell;
use std::rc::Rc;

/// A send store that counts the calls of `end`.
///
/// A connection calls `end` whenever it handles a timeout or decides whether it has something to send.
struct Watched {
    slots: SendSlots<Vec<u8>>,
    inspections: Rc<Cell<u32>>,
}

impl SendStore for Watched {
    fn segment(&self) -> usize {
        self.slots.segment()
    }

    fn end(&self) -> Seq {
        self.inspections.set(self.inspections.get() + 1);
        self.slots.end()
    }

    fn has_room(&self, limit: usize) -> bool {
        self.slots.has_room(limit)
    }

    fn has_free_slot(&self) -> bool {
        self.slots.has_free_slot()
    }

    fn spare_number(&self, limit: usize) -> Seq {
        self.slots.spare_number(limit)
    }

    fn spare(&mut self, limit: usize) -> &mut [u8] {
        self.slots.spare(limit)
    }

    fn commit(&mut self, count: usize) {
        self.slots.commit(count);
    }

    fn write(&mut self, data: &[u8], limit: usize) -> usize {
        self.slots.write(data, limit)
    }

    fn start(&mut self) -> bool {
        self.slots.start()
    }

    fn seal(&mut self) {
        self.slots.seal();
    }

    fn body(&self, number: Seq) -> &[u8] {
        self.slots.body(number)
    }

    fn cut(&mut self, from: Seq, limit: u16) -> bool {
        self.slots.cut(from, limit)
    }

    fn release(&mut self, base: Seq) {
        self.slots.release(base);
    }
}

/// The number of connections.
const PEERS: u16 = 200;

/// Storage for stop-and-wait whose send store counts inspections.
type WatchedStorage = Storage<Watched, RecvSlots<Vec<u8>>>;

/// A listener in base mode. The send stores of its connections share one counter.
struct WatchedListener {
    machine: Listener<HeapPeers<u16, WatchedStorage>>,
    now: Instant,
    inspections: Rc<Cell<u32>>,
    ids: Vec<PeerId>,
}

impl WatchedListener {
    /// Creates a listener with all peers connected, and data written to each.
    fn new() -> Self {
        let connection = Config { segment: 64, recv_segment: 64, ..Config::base() };
        let config = ListenerConfig { connection, ..ListenerConfig::default() };
        let now = Instant::from_millis(1_000);
        let machine = Listener::new(now, config, [7; 48]);
        let mut listener = Self { machine, now, inspections: Rc::default(), ids: Vec::new() };
        for address in 0..PEERS {
            assert_eq!(listener.receive(address, Packet::Connect(Options::NONE)), Dispatch::Queued);
            let inspections = Rc::clone(&listener.inspections);
            let storage = || {
                let Storage { send, recv, arq } = HeapStopAndWait::stop_and_wait_on_heap(&config.connection)?;
                Ok::<_, StoreError>(Storage { send: Watched { slots: send, inspections }, recv, arq })
            };
            let incoming = listener.machine.poll_incoming().unwrap();
            let id = listener.machine.accept(now, incoming, [1; 32], storage).unwrap();
            listener.ids.push(id);
            listener.takes(
                address,
                Packet::Info { number: Seq::ZERO, body: b"", request: rdt_proto::wire::AckRequest::DEFAULT },
            );
        }
        while listener.transmit().is_some() {}
        for id in &listener.ids {
            listener.machine.peer_mut(*id).unwrap().send(b"hello").unwrap();
        }
        listener
    }

    fn receive(&mut self, from: u16, packet: Packet<'_>) -> Dispatch {
        let mut datagram = [0; 128];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        self.machine.handle_datagram(self.now, from, &datagram[..len])
    }

    #[track_caller]
    fn takes(&mut self, from: u16, packet: Packet<'_>) {
        let dispatch = self.receive(from, packet);
        assert_eq!(dispatch, Dispatch::Peer(self.ids[usize::from(from)], Handled::Accepted));
    }

    fn transmit(&mut self) -> Option<u16> {
        self.machine.poll_transmit(self.now, &mut [0; 128]).unwrap().map(|(to, _)| to)
    }

    /// Handles a timeout, and returns how often it inspected a connection.
    fn inspections_of_timeout(&mut self) -> u32 {
        let before = self.inspections.get();
        self.machine.handle_timeout(self.now);
        assert_eq!(self.machine.poll_timeout(), Some(self.now), "a datagram is pending");
        self.inspections.get() - before
    }
}

/// Regression: each `handle_timeout` inspected every connection with a pending datagram.
#[test]
fn a_timeout_inspects_no_unchanged_connection() {
    let mut listener = WatchedListener::new();
    let all = listener.inspections_of_timeout();
    assert!(all >= u32::from(PEERS));
    assert_eq!(listener.inspections_of_timeout(), 0);
    listener.takes(7, Packet::Info { number: Seq::new(1), body: b"x", request: rdt_proto::wire::AckRequest::DEFAULT });
    let one = listener.inspections_of_timeout();
    assert!((1..=all / u32::from(PEERS)).contains(&one), "{one} inspections of one connection, {all} of all");
    assert_eq!(listener.inspections_of_timeout(), 0);
    // A connection that has sent starts a retransmission timer, so it has changed.
    assert!(listener.transmit().is_some());
    assert!((1..=one).contains(&listener.inspections_of_timeout()));
    listener.now = listener.now + Duration::from_millis(10);
    assert_eq!(listener.inspections_of_timeout(), 0);
}

#[test]
fn deadlines_are_kept_while_the_socket_is_blocked() {
    let mut listener = WatchedListener::new();
    let first = listener.transmit().unwrap();
    let _ = listener.inspections_of_timeout();
    // The retransmission timer of the connection that has sent expires.
    listener.now = listener.now + Duration::from_millis(1_100);
    let inspections = listener.inspections_of_timeout();
    assert!((1..u32::from(PEERS)).contains(&inspections), "{inspections} inspections");
    let id = listener.ids[usize::from(first)];
    assert_eq!(listener.machine.peer(id).unwrap().stats().timeouts, 1);
    // The first connection ends at its idle limit, and all others at their quiet limits.
    for (millis, count, reason) in [(28_900, 1, CloseReason::TimedOut), (30_000, PEERS - 1, CloseReason::Quiet)] {
        listener.now = listener.now + Duration::from_millis(millis);
        listener.machine.handle_timeout(listener.now);
        let events = std::iter::from_fn(|| listener.machine.poll_event());
        let ended = events.filter(|(_, event)| *event == Event::Closed(reason)).count();
        assert_eq!(ended, usize::from(count), "{reason:?}");
    }
}

/// The connection that has waited longest sends first, even if another one receives packets all the time.
#[test]
fn a_connection_that_receives_keeps_its_turn_to_send() {
    let mut listener = WatchedListener::new();
    let order: Vec<u16> = std::iter::from_fn(|| listener.transmit()).collect();
    assert_eq!(order.len(), usize::from(PEERS), "each connection sends once");
    let mut listener = WatchedListener::new();
    let mut heard = Vec::new();
    for (turn, &expected) in order.iter().enumerate() {
        let _ = listener.inspections_of_timeout();
        // The last connection in the order receives a packet each time.
        let last = order[order.len() - 1];
        listener.takes(
            last,
            Packet::Info {
                number: Seq::new(1 + u32::try_from(turn % 2).unwrap()),
                body: b"",
                request: rdt_proto::wire::AckRequest::DEFAULT,
            },
        );
        heard.push(listener.transmit().unwrap());
        assert_eq!(heard[turn], expected, "{heard:?}");
    }
}
