//! The path of all flows: the bottleneck, and the way back.

use super::WIRE;
use rdt_proto::{Duration, Instant};

/// A path with delay and loss each way. On the way forth, a drop-tail queue and a line come first.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// The rate of the line, in bits per second.
    pub(crate) rate: u64,
    /// The delay one way.
    pub(crate) delay: Duration,
    /// The capacity of the queue in bytes.
    pub(crate) queue: u64,
    /// The share of packets lost each way, in per mille.
    pub(crate) loss: u64,
    /// The share of packets that are up to 5 ms late, in per mille.
    pub(crate) late: u64,
    /// The number of packets that the full queue has dropped.
    pub(crate) dropped: u64,
    /// The longest queue so far, in bytes.
    pub(crate) longest: u64,
    seed: u64,
    /// The time in ns at which the line becomes idle.
    busy_until: u64,
}

impl Path {
    /// Creates a path of `mbit` Mbit/s with a round trip of `rtt_ms` ms and no loss.
    ///
    /// The queue holds one bandwidth-delay product, and at least 64 datagrams.
    pub(crate) fn new(mbit: u64, rtt_ms: u64) -> Self {
        let rate = mbit * 1_000_000;
        let queue = (rate / 8 * rtt_ms / 1_000).max(64 * WIRE);
        let delay = Duration::from_micros(rtt_ms * 500);
        Self { rate, delay, queue, loss: 0, late: 0, dropped: 0, longest: 0, seed: 1, busy_until: 0 }
    }

    pub(crate) fn with_loss(self, permille: u64) -> Self {
        Self { loss: permille, ..self }
    }

    pub(crate) fn with_late(self, permille: u64) -> Self {
        Self { late: permille, ..self }
    }

    pub(crate) fn with_queue(self, percent_of_bdp: u64) -> Self {
        let bdp = self.rate / 8 * self.delay.as_micros() * 2 / 1_000_000;
        Self { queue: bdp * percent_of_bdp / 100, ..self }
    }

    pub(crate) fn with_seed(self, seed: u64) -> Self {
        Self { seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, ..self }
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.delay.saturating_mul(2)
    }

    /// Sends a packet. Returns when it arrives, or `None` if it is dropped or lost.
    pub(crate) fn forth(&mut self, now: Instant) -> Option<Instant> {
        let now_ns = now.as_micros() * 1_000;
        let backlog_ns = self.busy_until.saturating_sub(now_ns);
        let waiting = backlog_ns / 1_000 * self.rate / 8_000_000;
        if waiting + WIRE > self.queue && waiting > 0 {
            self.dropped += 1;
            return None;
        }
        self.longest = self.longest.max(waiting + WIRE);
        self.busy_until = self.busy_until.max(now_ns) + WIRE * 8_000_000_000 / self.rate;
        if self.one_in(self.loss) {
            return None;
        }
        let late = if self.one_in(self.late) { self.random() % 5_000 } else { 0 };
        Some(Instant::from_micros(self.busy_until.div_ceil(1_000) + late) + self.delay)
    }

    /// Sends a SACK. Returns when it arrives, or `None` if it is lost.
    pub(crate) fn back(&mut self, now: Instant) -> Option<Instant> {
        (!self.one_in(self.loss)).then(|| now + self.delay)
    }

    /// Returns true with a probability of `permille` / 1,000.
    fn one_in(&mut self, permille: u64) -> bool {
        permille > 0 && self.random() % 1_000 < permille
    }

    /// The next number of xorshift64*.
    fn random(&mut self) -> u64 {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        self.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
}
