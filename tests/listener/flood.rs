//! Honest transfers during a flood of forged CONNECTs, compared with transfers during a flood of noise.
//!
//! ```text
//! cargo test --test listener flood                                          # 30,000 CONNECTs, in 2 s of virtual time
//! FLOOD=1000000 cargo test --release --test listener flood -- --nocapture   # a minute of virtual time, with figures
//! ```

mod clients;
mod flooder;
mod server;

use clients::Clients;
use flooder::{Flood, Flooder};
use rdt_proto::arq::Block;
use rdt_proto::congestion::BandwidthDelay;
use rdt_proto::connection::{Config, HeapStorage, Memory, blocks_for};
use rdt_proto::listener::ListenerConfig;
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::store::StoreError;
use rdt_proto::{Duration, Instant};
use server::Server;
use std::cell::RefCell;
use std::rc::Rc;

const SERVER: NodeId = NodeId(0);
const CLIENTS: NodeId = NodeId(1);
/// The host of all forged addresses. It receives the answers of the server, and sends nothing.
const VICTIM: NodeId = NodeId(2);
const FLOODER: NodeId = NodeId(3);

/// The minimum size of a CONNECT, and the size of every forged datagram.
const CONNECT_BYTES: usize = 80;

/// The configuration of all connections.
const CONFIG: Config = Config::new();

/// Creates storage for `send` packets to send and `recv` packets to receive.
fn storage(send: u32, recv: u32) -> Result<HeapStorage, StoreError> {
    let memory = Memory {
        send: vec![0; CONFIG.send_bytes(send)],
        recv: vec![0; CONFIG.recv_bytes(recv)],
        blocks: vec![Block::EMPTY; blocks_for(send.max(recv))],
    };
    HeapStorage::selective_repeat(&CONFIG, memory, BandwidthDelay::new)
}

/// The interval between two forged datagrams: a million in a minute.
const APART: Duration = Duration::from_micros(60);
/// The size of a transfer in bytes. The transfer takes long, compared with the 40 ms of a RETRY.
const BYTES: u64 = 5_000_000;

/// The number of forged datagrams, and the number of honest transfers during the flood.
fn size() -> (u64, usize) {
    let flood = std::env::var("FLOOD").map_or(30_000, |count| count.parse().expect("FLOOD is a number"));
    (flood, usize::try_from(flood / 10_000).unwrap())
}

/// A node that discards all datagrams and sends nothing.
struct Sink;

impl Node for Sink {
    fn handle_datagram(&mut self, _: Instant, _: SimAddress, _: SimAddress, _: &[u8]) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, _: &mut [u8]) -> Option<Outgoing> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn is_done(&self) -> bool {
        true
    }
}

/// The result of a simulation.
struct Outcome {
    server: Rc<RefCell<Server>>,
    /// The duration of each transfer.
    times: Vec<Duration>,
    /// The number of forged datagrams that reached the server.
    arrived: u64,
}

/// Simulates all transfers during a flood of this kind.
fn run(flood: Flood) -> Outcome {
    let (count, transfers) = size();
    let limits =
        ListenerConfig { per_host: usize::MAX, backlog: 64, peers: transfers + 64, ..ListenerConfig::default() };
    let config = ListenerConfig { connection: CONFIG, ..limits };
    let server = Rc::new(RefCell::new(Server::new(config)));
    // The last client connects after at most nine tenths of the flood.
    let apart = APART.saturating_mul(count * 9 / 10 / transfers as u64);
    let clients = Rc::new(RefCell::new(Clients::new(transfers, apart, BYTES)));
    let mut sim = Simulation::<Box<dyn Node>>::new(1);
    assert_eq!(sim.add(Box::new(Rc::clone(&server))), SERVER);
    assert_eq!(sim.add(Box::new(Rc::clone(&clients))), CLIENTS);
    assert_eq!(sim.add(Box::new(Sink)), VICTIM);
    assert_eq!(sim.add(Box::new(Flooder::new(flood, count, APART))), FLOODER);
    let link = LinkConfig::ideal().with_rate(100_000_000).with_delay(Duration::from_millis(20)).with_queue(500_000);
    let (there, back) = (sim.add_link(link.clone()), sim.add_link(link));
    sim.route(CLIENTS, SERVER, there);
    sim.route(FLOODER, SERVER, there);
    sim.route(SERVER, CLIENTS, back);
    sim.route(SERVER, VICTIM, back);
    sim.run_until_done(Duration::from_secs(1_000));
    // After a minute, all state from the flood has expired.
    sim.run_for(Duration::from_secs(60));
    drop(sim);
    let times = clients.borrow().times();
    let arrived = { server.borrow().queued + server.borrow().retried + server.borrow().dropped };
    Outcome { server, times, arrived }
}

#[test]
fn honest_transfers_take_as_long_beside_a_flood_as_beside_noise() {
    let (count, transfers) = size();
    let (beside_noise, beside_flood) = (run(Flood::Noise), run(Flood::Connect));
    let slower = |(noise, flood): (&Duration, &Duration)| flood.as_micros() as f64 / noise.as_micros() as f64;
    let ratios: Vec<f64> = beside_noise.times.iter().zip(&beside_flood.times).map(slower).collect();
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    let longest = beside_flood.times.iter().max().unwrap();
    println!(
        "{transfers} transfers of {BYTES} bytes: at worst {worst:.3} times as long as beside noise, longest {longest}"
    );

    let server = beside_flood.server.borrow();
    let stats = server.stats();
    println!(
        "{count} forged CONNECTs: {} queued, {} retried, {} dropped",
        server.queued, server.retried, server.dropped
    );
    println!("at most {} connections and {} clients in the backlog; {stats:?}", server.most.0, server.most.1);
    for outcome in [&beside_noise, &beside_flood] {
        let server = outcome.server.borrow();
        assert_eq!((outcome.times.len(), server.received), (transfers, BYTES * transfers as u64));
        assert!(server.is_empty(), "the listener keeps no state of a flood");
        assert!(count - outcome.arrived <= count / 10, "the link lost {} of {count}", count - outcome.arrived);
    }
    assert!(worst < 1.1, "{ratios:?}");
    // The counters of the listener account for every datagram that arrived.
    let honest = stats.accepted - server.queued;
    assert_eq!(honest, transfers as u64);
    assert!(stats.retried >= server.retried && stats.retried <= server.retried + 2 * honest);
    assert_eq!((stats.dropped.total(), stats.replies_dropped), (server.dropped, 0));
    assert_eq!((stats.queued, stats.repeated), (stats.accepted, 0));
    assert!(stats.validated <= honest);
    // The flood holds at most half of the backlog of 64.
    assert!(server.most.0 <= transfers + 32 + 1 && server.most.1 <= 32, "{:?}", server.most);
}
