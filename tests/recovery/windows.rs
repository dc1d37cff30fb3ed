//! Windows that grow, in a simulated network: they cost no goodput, and take no memory that is not needed.

use crate::pair::{self, Application, CLIENT, End, SERVER};
use rdt_proto::connection::{Config, Connection, GrowingStorage, HeapBudget, HeapWindow};
use rdt_proto::sim::LinkConfig;
use rdt_proto::{Duration, Instant};

const CONFIG: Config = Config::new();

/// At a client it sends `total` bytes and closes. At a server it reads them.
struct Growing {
    window: HeapWindow,
    budget: HeapBudget,
    total: u64,
    done: u64,
    /// The most bytes that the windows took.
    peak: usize,
}

/// Reads and writes as much as possible, then updates the windows.
impl Application<GrowingStorage> for Growing {
    fn turn(&mut self, _now: Instant, connection: &mut Connection<GrowingStorage>) -> bool {
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

    fn is_done(&self, connection: Option<&Connection<GrowingStorage>>) -> bool {
        connection.is_none_or(Connection::is_drained)
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
    let storage = || GrowingStorage::pooled(&CONFIG, least).unwrap();
    let growing = |total| {
        let (window, budget) = (HeapWindow::new(least, most), HeapBudget::new(usize::MAX));
        Growing { window, budget, total, done: 0, peak: 0 }
    };
    let client = End::client(CONFIG, [1; 32], storage(), growing(total));
    let server = End::server(CONFIG, [2; 32], storage(), growing(0));
    let link = LinkConfig::ideal().with_rate(100_000_000).with_delay(Duration::from_millis(50)).with_queue(1_250_000);
    let link = link.with_loss(loss);
    let (mut sim, _) = pair::connect(seed, [client, server], [link.clone(), link]);
    let mut millis = 0;
    while sim.node(SERVER).application.done < total && millis < 60_000 {
        sim.run_for(Duration::from_millis(10));
        millis += 10;
    }
    assert_eq!(sim.node(SERVER).application.done, total, "seed {seed}");
    Cost { millis, sender: sim.node(CLIENT).application.peak, receiver: sim.node(SERVER).application.peak }
}

#[test]
fn growing_windows_are_as_fast_as_large_ones() {
    for loss in [0.0, 0.05, 0.2] {
        let millis = |least| (1..=5).map(|seed| transfer(seed, loss, 10 << 20, least, 16_384).millis).sum::<u64>();
        let (growing, large) = (millis(64), millis(16_384));
        assert!(growing * 100 <= large * 101, "with a loss of {loss}: {growing} ms and {large} ms");
    }
}

#[test]
fn a_short_transfer_keeps_its_first_memory() {
    for seed in 1..=20 {
        let cost = transfer(seed, 0.05, 36_000, 64, 16_384);
        assert_eq!((cost.sender, cost.receiver), (0, 0), "seed {seed}");
    }
}

/// While a number is held back, both sides keep what is sent in that round trip.
#[test]
fn without_loss_memory_covers_a_held_number() {
    let cost = transfer(1, 0.0, 10 << 20, 64, 16_384);
    assert!(cost.receiver < 3 << 20, "the receiver keeps one round trip of data: {cost:?}");
    assert!(cost.sender < 10 << 20, "the sender keeps at most twice three round trips of data: {cost:?}");
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
