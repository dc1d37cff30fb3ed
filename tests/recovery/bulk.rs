//! A client that sends some bytes after the handshake, and a server that reads them, over a simulated path.

use crate::pair::{self, Bytes, CLIENT, End, SERVER};
use rdt_proto::congestion::Controller;
use rdt_proto::connection::{Config, Connection, HeapStorage};
use rdt_proto::sim::{LinkConfig, Simulation};
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

/// An end that has `bytes` to write.
fn end(transfer: &Transfer, seed: u64, is_client: bool, bytes: u64) -> End<Storage, Bytes> {
    let config = transfer.config;
    let entropy = [u8::try_from(seed % 128).unwrap() * 2 + u8::from(is_client); 32];
    let storage = HeapStorage::on_heap_with(&config, transfer.window, transfer.controller).unwrap();
    let make = if is_client { End::client } else { End::server };
    make(config, entropy, storage, Bytes { to_write: bytes, waits: true, ..Bytes::default() })
}

/// Runs a transfer until the server has read `bytes`, or until `limit` has passed since the start.
pub(crate) fn run(transfer: &Transfer, seed: u64, bytes: u64, limit: Duration) -> Outcome {
    let ends = [end(transfer, seed, true, bytes), end(transfer, seed, false, 0)];
    let links = [transfer.link.clone(), transfer.link.clone()];
    let (mut sim, [there, back]) = pair::connect(seed, ends, links);
    sim.set_timer_granularity(transfer.timers);
    if transfer.is_half_duplex {
        sim.share_line(there, back);
    }
    let end = Instant::ZERO + limit;
    let received = |sim: &Simulation<End<Storage, Bytes>>| sim.node(SERVER).application.read;
    while received(&sim) < bytes && sim.next_event().is_some_and(|next| next <= end) {
        sim.step();
    }
    let received = received(&sim);
    let now = if received < bytes { end } else { sim.now() };
    let client = sim.node(CLIENT);
    let lasted = now.saturating_since(client.application.opened.unwrap_or(Instant::ZERO));
    Outcome { received, lasted, is_open: client.connection.as_ref().is_some_and(Connection::is_established) }
}
