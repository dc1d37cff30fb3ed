//! A client that sends some bytes after the handshake, and a server that reads them, over a simulated path.

use rdt_proto::congestion::Controller;
use rdt_proto::connection::{Config, Connection, HandshakeParameters, HeapStorage};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};

type Storage = HeapStorage<Controller>;

/// A path, and the ends of a transfer over it.
#[derive(Clone)]
pub(crate) struct Transfer {
    pub(crate) config: Config,
    /// Makes a controller for datagrams of so many bytes.
    pub(crate) controller: fn(u32) -> Controller,
    /// Bodies in the window.
    pub(crate) window: u32,
    pub(crate) link: LinkConfig,
    /// Whether both directions share the line.
    pub(crate) is_half_duplex: bool,
    /// Both ends wake only at multiples of this time.
    pub(crate) timers: Duration,
}

/// What has happened when a transfer stops.
pub(crate) struct Outcome {
    /// The bytes read by the server.
    pub(crate) received: u64,
    /// The time since the end of the handshake.
    pub(crate) lasted: Duration,
    /// Whether the client's connection is still open.
    pub(crate) is_open: bool,
}

struct End {
    transfer: Transfer,
    peer: SimAddress,
    connection: Option<Connection<Storage>>,
    opened: Option<Instant>,
    /// The bytes that the client has not yet written.
    left: u64,
    received: u64,
    seed: u8,
}

impl End {
    fn new(transfer: &Transfer, seed: u64, is_client: bool, left: u64) -> Self {
        let seed = u8::try_from(seed % 128).unwrap() * 2 + u8::from(is_client);
        let transfer = transfer.clone();
        let connection = is_client
            .then(|| Connection::connect(Instant::ZERO, transfer.config, [seed; 32], storage(&transfer)).unwrap());
        let peer = SimAddress::new(u32::from(is_client), 0);
        Self { transfer, peer, connection, opened: None, left, received: 0, seed }
    }

    fn is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_established)
    }
}

fn storage(transfer: &Transfer) -> Storage {
    HeapStorage::on_heap_with(&transfer.config, transfer.window, transfer.controller).unwrap()
}

impl Node for End {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        let config = self.transfer.config;
        if let Some(connection) = &mut self.connection {
            connection.handle_datagram(now, datagram);
            while !connection.recv_chunk().is_empty() {
                let len = connection.recv_chunk().len();
                self.received += len as u64;
                connection.consume(len);
            }
        } else if let Ok(Packet::Connect(options)) = config.framing.decode(datagram) {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            let storage = storage(&self.transfer);
            self.connection = Connection::accept(now, config, [self.seed; 32], parameters, storage).ok();
        }
        if self.is_open() {
            self.opened.get_or_insert(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(now);
        }
    }

    fn poll_app(&mut self, _now: Instant) -> bool {
        let is_sending = self.left > 0 && self.is_open();
        let Some(connection) = &mut self.connection else { return false };
        while connection.poll_event().is_some() {}
        let most = usize::try_from(self.left.min(60_000)).unwrap();
        let count = if is_sending { connection.send(&[7; 60_000][..most]).unwrap_or(0) } else { 0 };
        self.left -= count as u64;
        count > 0
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.connection.as_mut()?.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(self.peer, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.as_ref()?.poll_timeout()
    }

    fn is_done(&self) -> bool {
        false
    }
}

/// Runs a transfer until the server has read `bytes`, or until `limit` has passed since the start.
pub(crate) fn run(transfer: &Transfer, seed: u64, bytes: u64, limit: Duration) -> Outcome {
    let mut sim = Simulation::new(seed);
    sim.set_timer_granularity(transfer.timers);
    let client = sim.add(End::new(transfer, seed, true, bytes));
    let server = sim.add(End::new(transfer, seed, false, 0));
    let (there, back) = sim.connect_with(client, server, transfer.link.clone(), transfer.link.clone());
    if transfer.is_half_duplex {
        sim.share_line(there, back);
    }
    let end = Instant::ZERO + limit;
    while sim.node(server).received < bytes && sim.next_event().is_some_and(|next| next <= end) {
        sim.step();
    }
    let received = sim.node(server).received;
    let now = if received < bytes { end } else { sim.now() };
    let client: &End = sim.node(NodeId(0));
    let lasted = now.saturating_since(client.opened.unwrap_or(Instant::ZERO));
    Outcome { received, lasted, is_open: client.is_open() }
}
