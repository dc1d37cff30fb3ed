//! A connection with stop-and-wait that faces one scripted peer of base mode.

pub use crate::packets::*;

use crate::trace::{Peer, ScriptedPeer, Trace};
use rdt_proto::Instant;
use rdt_proto::connection::{Config, Connection, ConnectionTypes, Event, HandshakeParameters, HeapStopAndWait, Role};
use rdt_proto::store::StoreError;
use rdt_proto::wire::{Framing, Packet};

/// A trace of one base-mode connection and its scripted peer.
pub type BaseTrace<T = HeapStopAndWait> = Trace<Connection<T>, BasePeer>;

/// The largest body in bytes that a default connection sends.
pub const SEGMENT: u16 = Config::new().segment;

/// Creates storage for stop-and-wait with `slots` slots in each direction.
pub fn storage(config: &Config, slots: u32) -> Result<HeapStopAndWait, StoreError> {
    HeapStopAndWait::stop_and_wait(config, vec![0; config.send_bytes(slots)], vec![0; config.recv_bytes(slots)])
}

/// A peer of base mode. Both directions use the same framing.
pub struct BasePeer {
    framing: Framing,
}

impl Peer for BasePeer {
    fn describe(&self, datagram: &[u8]) -> String {
        describe(&self.framing, datagram)
    }
}

impl ScriptedPeer for BasePeer {
    type Address = ();
    type Packet<'p> = Packet<'p>;

    fn address(&self) {}

    fn datagram(&mut self, packet: Packet<'_>) -> Vec<u8> {
        datagram(&self.framing, packet)
    }

    fn is_expected(&self, packet: Packet<'_>, sent: &[u8]) -> bool {
        datagram(&self.framing, packet) == sent
    }
}

impl<T: ConnectionTypes> BaseTrace<T> {
    /// [`client`](BaseTrace::client) with the given storage.
    #[must_use]
    pub fn client_with(config: Config, storage: T) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = Connection::connect(now, config, [7; 32], storage).unwrap();
        Self { machine, now, peer: BasePeer { framing: config.framing } }
    }

    /// [`server`](BaseTrace::server) with the given storage.
    #[must_use]
    pub fn server_with(config: Config, storage: T) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = Connection::accept(now, config, [7; 32], HandshakeParameters::BASE, storage).unwrap();
        Self { machine, now, peer: BasePeer { framing: config.framing } }
    }
}

impl BaseTrace {
    /// A client before its first CONNECT.
    #[must_use]
    pub fn client(config: Config) -> Self {
        Self::client_with(config, storage(&config, 4).unwrap())
    }

    /// A server that accepted a CONNECT, before its CONNACK.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::server_with(config, storage(&config, 4).unwrap())
    }

    /// An established client. The peer acknowledged its empty INFO 0 after 10 ms.
    #[must_use]
    pub fn established_client(config: Config) -> Self {
        let mut trace = Self::client(config);
        trace.expect(CONNECT);
        trace.peer_sends(CONNACK);
        trace.expect(info(0, b""));
        trace.elapse(10);
        trace.peer_sends(ack(0));
        trace.expect_event(Event::Connected);
        trace.expect_nothing();
        trace
    }

    /// An established server. It has acknowledged an empty INFO 0.
    #[must_use]
    pub fn established_server(config: Config) -> Self {
        let mut trace = Self::server(config);
        trace.expect(CONNACK);
        trace.peer_sends(info(0, b""));
        trace.expect(ack(0));
        trace.expect_event(Event::Connected);
        trace.expect_nothing();
        trace
    }

    /// Reads all data that has arrived, at most 1 MiB.
    pub fn read(&mut self) -> Vec<u8> {
        let mut data = vec![0; 1 << 20];
        let len = self.machine.recv(&mut data);
        data.truncate(len);
        data
    }

    /// Returns the number of the peer's first INFO after the handshake.
    ///
    /// A client has used INFO 0 in the handshake, so its next number is 1. A server begins with 0.
    #[must_use]
    pub fn next_of_peer(&self) -> u32 {
        u32::from(self.machine.role() == Role::Server)
    }

    /// Returns the number of the machine's first INFO after the handshake.
    #[must_use]
    pub fn next_of_ours(&self) -> u32 {
        1 - self.next_of_peer()
    }
}
