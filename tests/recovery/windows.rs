//! Windows that grow, in a simulated network: they cost no goodput, and take no memory that is not needed.

use rdt_proto::congestion::BandwidthDelay;
use rdt_proto::connection::{
    Config, Connection, GrowingStorage, HandshakeParameters, HeapBudget, HeapStorage, HeapWindow,
};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};

const CONFIG: Config = Config::new();
const SERVER: NodeId = NodeId(1);

/// A client that sends `total` bytes and closes, or a server that reads them.
struct End {
    connection: Option<Connection<GrowingStorage>>,
    window: HeapWindow,
    budget: HeapBudget,
    least: u32,
    total: u64,
    done: u64,
    /// The most bytes that the windows took.
    peak: usize,
    peer: SimAddress,
}

impl End {
    fn new(least: u32, most: u32, peer: NodeId, total: u64) -> Self {
        let (window, budget) = (HeapWindow::new(least, most), HeapBudget::new(usize::MAX));
        let mut end = Self { connection: None, window, budget, least, total, done: 0, peak: 0, peer: peer.port(0) };
        if total > 0 {
            end.connection = Connection::connect(Instant::ZERO, CONFIG, [1; 32], end.storage()).ok();
            end.turn();
        }
        end
    }

    fn storage(&self) -> GrowingStorage<BandwidthDelay> {
        HeapStorage::on_heap(&CONFIG, self.least).unwrap().growing()
    }

    /// Reads and writes as much as possible, then updates the windows. Returns whether anything was written.
    fn turn(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        while connection.poll_event().is_some() {}
        let before = self.done;
        loop {
            while !connection.recv_chunk().is_empty() {
                self.done += connection.recv_chunk().len() as u64;
                connection.consume(usize::MAX);
            }
            while self.done < self.total {
                let most = usize::try_from(self.total - self.done).unwrap().min(12_000);
                match connection.send(&[7; 12_000][..most]) {
                    Ok(count) if count > 0 => self.done += count as u64,
                    Ok(_) | Err(_) => break,
                }
            }
            if !self.window.update(connection, &mut self.budget) {
                break;
            }
        }
        if if self.total > 0 { self.done == self.total } else { connection.is_finished_reading() } {
            connection.close();
        }
        self.peak = self.peak.max(self.window.taken());
        self.done > before
    }
}

impl Node for End {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        if let Some(connection) = &mut self.connection {
            connection.handle_datagram(now, datagram);
        } else if let Ok(Packet::Connect(options)) = CONFIG.framing.decode(datagram) {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            self.connection = Connection::accept(now, CONFIG, [2; 32], parameters, self.storage()).ok();
        }
        self.turn();
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.connection.as_mut()?.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(self.peer, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.as_ref()?.poll_timeout()
    }

    fn poll_app(&mut self, _now: Instant) -> bool {
        self.turn()
    }

    fn is_done(&self) -> bool {
        self.connection.as_ref().is_none_or(Connection::is_drained)
    }
}

/// What a transfer cost.
#[derive(Debug)]
struct Cost {
    /// The time until all was read, in ms.
    millis: u64,
    /// The most bytes that the windows of the sender and the receiver took beyond the first memory.
    sender: usize,
    receiver: usize,
}

/// Sends `total` bytes over 100 Mbit/s and 100 ms with this loss each way. Windows of `least` packets grow to `most`.
fn transfer(seed: u64, loss: f64, total: u64, least: u32, most: u32) -> Cost {
    let mut sim = Simulation::new(seed);
    sim.add(End::new(least, most, SERVER, total));
    sim.add(End::new(least, most, NodeId(0), 0));
    let link = LinkConfig::ideal().with_rate(100_000_000).with_delay(Duration::from_millis(50)).with_queue(1_250_000);
    sim.connect(NodeId(0), SERVER, link.with_loss(loss));
    let mut millis = 0;
    while sim.node(SERVER).done < total && millis < 60_000 {
        sim.run_for(Duration::from_millis(10));
        millis += 10;
    }
    assert_eq!(sim.node(SERVER).done, total, "seed {seed}");
    Cost { millis, sender: sim.node(NodeId(0)).peak, receiver: sim.node(SERVER).peak }
}

#[test]
fn growing_windows_are_as_fast_as_large_ones() {
    for loss in [0.0, 0.05, 0.2] {
        let millis = |least| (1..=5).map(|seed| transfer(seed, loss, 10 << 20, least, 16_384).millis).sum::<u64>();
        let (growing, large) = (millis(256), millis(16_384));
        assert!(growing * 100 <= large * 101, "with a loss of {loss}: {growing} ms and {large} ms");
    }
}

#[test]
fn a_short_transfer_keeps_its_first_memory() {
    for seed in 1..=20 {
        let cost = transfer(seed, 0.05, 120_000, 256, 16_384);
        assert_eq!((cost.sender, cost.receiver), (0, 0), "seed {seed}");
    }
}

#[test]
fn without_loss_the_receiver_keeps_its_first_memory() {
    let cost = transfer(1, 0.0, 10 << 20, 256, 16_384);
    assert_eq!(cost.receiver, 0);
    assert!(cost.sender < 5 << 20, "the sender keeps at most twice two round trips of data: {cost:?}");
}

/// Regression: until the first answer, each timeout repeated only the newest number, for which the receiver had no
/// room.
#[test]
fn a_promise_beyond_the_memory_does_not_stop_a_lossy_start() {
    for seed in 1..=100 {
        let cost = transfer(seed, 0.4, 12_000, 4, 256);
        assert!(cost.millis < 20_000, "seed {seed}: {cost:?}");
    }
}
