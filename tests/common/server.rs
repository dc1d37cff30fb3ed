//! A listener under test that faces scripted peers at small addresses.

use super::{CONNACK, CONNECT, Stream, ack, info, storage};
use rdt_proto::connection::{Event, Handled};
use rdt_proto::listener::{Dispatch, DropReason, HeapTables, Incoming, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};

/// One listener, and the time of the trace.
pub struct Server {
    /// The machine under test.
    pub machine: Listener<u8, SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, HeapTables>,
    /// The time of the trace.
    pub now: Instant,
}

impl Server {
    /// A listener for this many connections.
    pub fn new(config: ListenerConfig, peers: usize) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: Listener::new(now, ListenerConfig { peers, ..config }, [7; 48]), now }
    }

    /// This packet arrives from this address.
    pub fn receive(&mut self, from: u8, packet: Packet<'_>) -> Dispatch {
        let mut datagram = vec![0; 66_000];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        self.machine.handle_datagram(self.now, from, &datagram[..len])
    }

    /// This packet arrives, and goes into the backlog.
    #[track_caller]
    pub fn queues(&mut self, from: u8, packet: Packet<'_>) {
        assert_eq!(self.receive(from, packet), Dispatch::Queued, "{packet:?} of {from}");
    }

    /// This packet arrives, and the connection of its address takes it.
    #[track_caller]
    pub fn takes(&mut self, from: u8, packet: Packet<'_>) {
        let routed = self.receive(from, packet);
        assert!(matches!(routed, Dispatch::Peer(_, Handled::Accepted)), "{packet:?} of {from}: {routed:?}");
    }

    /// This packet arrives, and goes nowhere.
    #[track_caller]
    pub fn ignores(&mut self, from: u8, packet: Packet<'_>, reason: DropReason) {
        assert_eq!(self.receive(from, packet), Dispatch::Dropped(reason), "{packet:?} of {from}");
    }

    /// The next that the application hears of is this address.
    #[track_caller]
    pub fn incoming(&mut self, address: u8) -> Incoming<u8> {
        let incoming = self.machine.poll_incoming().unwrap();
        assert_eq!(incoming.address(), address);
        incoming
    }

    /// The same; it is accepted.
    #[track_caller]
    pub fn accept(&mut self, address: u8) -> PeerId {
        let incoming = self.incoming(address);
        let id = self
            .machine
            .accept(self.now, incoming, [1; 32], || Ok::<_, std::convert::Infallible>(storage(2, 1_200)))
            .unwrap();
        assert_eq!(self.machine.address(id), Some(address));
        id
    }

    /// An established connection with this address.
    #[track_caller]
    pub fn connected(&mut self, address: u8) -> PeerId {
        self.queues(address, CONNECT);
        let id = self.accept(address);
        self.expect(address, CONNACK);
        self.takes(address, info(0, b""));
        self.expect(address, ack(0));
        self.expect_event(id, Event::Connected);
        id
    }

    /// The connection with this name, which exists.
    #[track_caller]
    pub fn peer(&mut self, id: PeerId) -> &mut Stream {
        self.machine.peer_mut(id).unwrap()
    }

    /// The application is done with this connection.
    pub fn release(&mut self, id: PeerId) {
        self.machine.release(self.now, id);
    }

    /// The next datagram is this one to this address.
    #[track_caller]
    pub fn expect(&mut self, to: u8, expected: Packet<'_>) {
        let mut datagram = vec![0; 66_000];
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let Some((address, transmit)) = self.machine.poll_transmit(self.now, &mut datagram).unwrap() else {
            panic!("expected {expected:?} to {to}, nothing was sent");
        };
        assert!(due, "poll_timeout did not tell that something was to be sent");
        let sent = Framing::NOTE.decode(&datagram[..transmit.len]).unwrap();
        assert_eq!((address, sent), (to, expected));
    }

    /// Nothing is to be sent now, and the next deadline lies in the future.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        let mut datagram = vec![0; 66_000];
        self.machine.handle_timeout(self.now);
        if let Some((to, transmit)) = self.machine.poll_transmit(self.now, &mut datagram).unwrap() {
            let sent = Framing::NOTE.decode(&datagram[..transmit.len]);
            panic!("expected nothing, sent {sent:?} to {to}");
        }
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    /// The next event is this one.
    #[track_caller]
    pub fn expect_event(&mut self, id: PeerId, event: Event) {
        assert_eq!(self.machine.poll_event(), Some((id, event)));
    }

    /// Time passes in which nothing is sent; deadlines are handled when they are due.
    #[track_caller]
    pub fn elapse(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(due) = self.machine.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.expect_nothing();
        }
        self.now = end;
    }
}
