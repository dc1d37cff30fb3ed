//! A listener that faces scripted base-mode clients. The address of a client is a `u8`.

use crate::base::storage;
use crate::byte_account::AccountedListener;
use crate::packets::{CONNACK, CONNECT, ack, datagram, describe, info};
use crate::trace::{Peer, Trace};
use rdt_proto::Instant;
use rdt_proto::connection::{Config, Connection, Event, Handled, HeapStopAndWait};
use rdt_proto::listener::{Dispatch, DropReason, HeapPeers, Incoming, ListenerConfig, PeerId};
use rdt_proto::wire::{Framing, Packet};

/// A trace of one listener and its scripted base-mode clients.
pub type BaseListenerTrace = Trace<AccountedListener<HeapPeers<u8, HeapStopAndWait>>, BaseClients>;

/// Clients of base mode. All use `Framing::NOTE`.
pub struct BaseClients;

impl Peer for BaseClients {
    fn describe(&self, datagram: &[u8]) -> String {
        describe(&Framing::NOTE, datagram)
    }
}

impl BaseListenerTrace {
    /// Creates a listener for at most `peers` connections.
    #[must_use]
    pub fn new(config: ListenerConfig, peers: usize) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = AccountedListener::new(now, ListenerConfig { peers, ..config }, [7; 48]);
        Self { machine, now, peer: BaseClients }
    }

    /// Delivers this packet from this address.
    pub fn receive(&mut self, from: u8, packet: Packet<'_>) -> Dispatch {
        self.receive_datagram(from, &datagram(&Framing::NOTE, packet))
    }

    /// Delivers this packet and asserts that it enters the backlog.
    #[track_caller]
    pub fn queues(&mut self, from: u8, packet: Packet<'_>) {
        assert_eq!(self.receive(from, packet), Dispatch::Queued, "{packet:?} from {from}");
    }

    /// Delivers this packet and asserts that the connection of this address accepts it.
    #[track_caller]
    pub fn takes(&mut self, from: u8, packet: Packet<'_>) {
        let dispatch = self.receive(from, packet);
        assert!(matches!(dispatch, Dispatch::Peer(_, Handled::Accepted)), "{packet:?} from {from}: {dispatch:?}");
    }

    /// Delivers this packet and asserts that it is dropped.
    #[track_caller]
    pub fn ignores(&mut self, from: u8, packet: Packet<'_>, reason: DropReason) {
        assert_eq!(self.receive(from, packet), Dispatch::Dropped(reason), "{packet:?} from {from}");
    }

    /// The number of datagrams dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.machine.stats().dropped.of(reason)
    }

    /// Asserts that the next incoming client has this address.
    #[track_caller]
    pub fn incoming(&mut self, address: u8) -> Incoming<u8> {
        let incoming = self.machine.poll_incoming().unwrap();
        assert_eq!(incoming.address(), address);
        incoming
    }

    /// Accepts the next incoming client, which has this address.
    #[track_caller]
    pub fn accept(&mut self, address: u8) -> PeerId {
        let incoming = self.incoming(address);
        let id = self.machine.accept(self.now, incoming, [1; 32], || storage(&Config::base(), 2)).unwrap();
        assert_eq!(self.machine.address(id), Some(address));
        id
    }

    /// Establishes a connection with this address.
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

    /// The connection with this identifier. Panics if there is none.
    #[track_caller]
    pub fn peer(&mut self, id: PeerId) -> &mut Connection<HeapStopAndWait> {
        self.machine.peer_mut(id).unwrap()
    }

    /// Releases this connection.
    pub fn release(&mut self, id: PeerId) {
        self.machine.release(self.now, id);
    }

    /// Asserts that the next datagram is this packet, to this address.
    #[track_caller]
    pub fn expect(&mut self, to: u8, expected: Packet<'_>) {
        let Some((address, sent)) = self.transmit() else {
            panic!("expected {expected:?} to {to}, but nothing was sent");
        };
        assert_eq!((address, Framing::NOTE.decode(&sent).unwrap()), (to, expected));
    }

    /// Asserts that the next event is this one, of this connection.
    #[track_caller]
    pub fn expect_event(&mut self, id: PeerId, event: Event) {
        assert_eq!(self.machine.poll_event(), Some((id, event)));
    }
}
