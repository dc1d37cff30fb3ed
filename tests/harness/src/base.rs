//! A connection with stop-and-wait that faces one scripted peer of base mode.

pub use crate::packets::*;

use crate::trace::{Peer, ScriptedPeer, Trace};
use rdt_proto::Instant;
use rdt_proto::connection::{Config, Connection, Event, Hello, Role, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, Packet};

/// A stop-and-wait connection with its stores on the heap.
pub type Stream = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>;
/// What it is made of.
pub type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>;
/// One connection, and a peer of base mode that sends what the test says.
pub type BaseTrace = Trace<Stream, BasePeer>;

/// The largest body of the connections under test, unless they say otherwise.
pub const SEGMENT: u16 = 1_200;

/// Storage for stop-and-wait with this many slots in each direction.
#[must_use]
pub fn storage(slots: usize, segment: u16) -> Stores {
    let (send, recv) = (SendSlots::with_slots(slots, segment), RecvSlots::with_slots(slots, segment));
    Storage::stop_and_wait(send.unwrap(), recv.unwrap())
}

/// A peer of base mode: both sides use one framing.
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

    fn datagram(&self, packet: Packet<'_>) -> Vec<u8> {
        datagram(&self.framing, packet)
    }

    fn expected(&self, packet: Packet<'_>) -> Vec<u8> {
        datagram(&self.framing, packet)
    }
}

impl BaseTrace {
    /// A client that has not sent its CONNECT yet.
    #[must_use]
    pub fn client(config: Config) -> Self {
        Self::client_with(config, storage(4, SEGMENT))
    }

    /// The same with storage of the test's choice.
    #[must_use]
    pub fn client_with(config: Config, storage: Stores) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = Connection::connect(now, config, [7; 32], storage);
        Self { machine, now, peer: BasePeer { framing: config.framing } }
    }

    /// A server that has accepted and not sent its CONNACK yet.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::server_with(config, storage(4, SEGMENT))
    }

    /// The same with storage of the test's choice.
    #[must_use]
    pub fn server_with(config: Config, storage: Stores) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = Connection::accept(now, config, [7; 32], Hello::BASE, storage);
        Self { machine, now, peer: BasePeer { framing: config.framing } }
    }

    /// A client whose empty INFO 0 has been acknowledged, 10 ms after it was sent.
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

    /// A server that has acknowledged an empty INFO 0.
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

    /// Everything that has arrived.
    pub fn read(&mut self) -> Vec<u8> {
        let mut data = vec![0; 1 << 20];
        let len = self.machine.recv(&mut data);
        data.truncate(len);
        data
    }

    /// The number of the first INFO of the peer once the connection is established: a client's empty INFO 0 has been.
    #[must_use]
    pub fn next_of_peer(&self) -> u32 {
        u32::from(self.machine.role() == Role::Server)
    }

    /// The number of our first INFO once the connection is established.
    #[must_use]
    pub fn next_of_ours(&self) -> u32 {
        1 - self.next_of_peer()
    }
}
