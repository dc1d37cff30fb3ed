//! The path of all flows: the bottleneck, and the way back.

use super::WIRE;
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

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
    /// The longest random delay of a packet each way. A packet may overtake another.
    pub(crate) jitter: Duration,
    /// The interval between two deliveries, forth and back; zero if each packet is delivered at once.
    pub(crate) delivery_interval: [Duration; 2],
    /// The interval between two wake-ups of a sender; zero if the timer is exact.
    pub(crate) timer_interval: Duration,
    /// Later rates and delays of the line, in order of time.
    steps: VecDeque<(Instant, u64, Duration)>,
    /// The number of packets that the full queue has dropped.
    pub(crate) dropped: u64,
    /// The longest queue so far, in bytes.
    pub(crate) longest: u64,
    seed: u64,
    /// The packets in the queue and on the line: flow and transmission.
    waiting: VecDeque<(usize, usize)>,
    /// The time in ns at which the first of them has left the line.
    leaves_at: u64,
}

impl Path {
    /// Creates a path of `mbit` Mbit/s with a round trip of `rtt_ms` ms and no loss.
    ///
    /// The queue holds one bandwidth-delay product, and at least 64 datagrams.
    pub(crate) fn new(mbit: u64, rtt_ms: u64) -> Self {
        let rate = mbit * 1_000_000;
        Self {
            rate,
            delay: Duration::from_micros(rtt_ms * 500),
            queue: (rate / 8 * rtt_ms / 1_000).max(64 * WIRE),
            loss: 0,
            late: 0,
            jitter: Duration::ZERO,
            delivery_interval: [Duration::ZERO; 2],
            timer_interval: Duration::ZERO,
            steps: VecDeque::new(),
            dropped: 0,
            longest: 0,
            seed: 1,
            waiting: VecDeque::new(),
            leaves_at: 0,
        }
    }

    pub(crate) fn with_loss(self, permille: u64) -> Self {
        Self { loss: permille, ..self }
    }

    pub(crate) fn with_late(self, permille: u64) -> Self {
        Self { late: permille, ..self }
    }

    pub(crate) fn with_jitter(self, ms: u64) -> Self {
        Self { jitter: Duration::from_millis(ms), ..self }
    }

    pub(crate) fn with_deliveries_each(self, forth_ms: u64, back_ms: u64) -> Self {
        Self { delivery_interval: [forth_ms, back_ms].map(Duration::from_millis), ..self }
    }

    pub(crate) fn with_timers_of(self, ms: u64) -> Self {
        Self { timer_interval: Duration::from_millis(ms), ..self }
    }

    /// From `at_ms` on, the line has `mbit` Mbit/s and the round trip takes `rtt_ms` ms.
    pub(crate) fn with_step(mut self, at_ms: u64, mbit: u64, rtt_ms: u64) -> Self {
        let delay = Duration::from_micros(rtt_ms * 500);
        self.steps.push_back((Instant::from_millis(at_ms), mbit * 1_000_000, delay));
        self
    }

    pub(crate) fn with_queue(self, percent_of_bdp: u64) -> Self {
        let bdp = self.rate / 8 * self.delay.as_micros() * 2 / 1_000_000;
        Self { queue: bdp * percent_of_bdp / 100, ..self }
    }

    pub(crate) fn with_queue_of(self, bytes: u64) -> Self {
        Self { queue: bytes, ..self }
    }

    pub(crate) fn with_seed(self, seed: u64) -> Self {
        Self { seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, ..self }
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.delay.saturating_mul(2)
    }

    /// Adds a packet to the queue, or drops it. Returns when the packet leaves the line, if the line was idle.
    pub(crate) fn enqueue(&mut self, now: Instant, packet: (usize, usize)) -> Option<Instant> {
        self.follow_steps(now);
        let waiting = self.waiting.len() as u64 * WIRE;
        if waiting + WIRE > self.queue && waiting > 0 {
            self.dropped += 1;
            return None;
        }
        self.longest = self.longest.max(waiting + WIRE);
        self.waiting.push_back(packet);
        (self.waiting.len() == 1).then(|| self.start(now.as_micros() * 1_000))
    }

    /// Takes the packet that leaves the line now. Returns the packet, when it arrives unless it is lost, and when the
    /// next one leaves the line.
    pub(crate) fn dequeue(&mut self, now: Instant) -> ((usize, usize), Option<Instant>, Option<Instant>) {
        self.follow_steps(now);
        let packet = self.waiting.pop_front().unwrap();
        let next = (!self.waiting.is_empty()).then(|| self.start(self.leaves_at));
        if self.one_in(self.loss) {
            return (packet, None, next);
        }
        let late = if self.one_in(self.late) { self.random() % 5_000 } else { 0 };
        (packet, Some(self.deliver(now + Duration::from_micros(late), 0)), next)
    }

    /// Sends a SACK. Returns when it arrives, or `None` if it is lost.
    pub(crate) fn back(&mut self, now: Instant) -> Option<Instant> {
        (!self.one_in(self.loss)).then(|| self.deliver(now, 1))
    }

    /// The first wake-up at or after `at`.
    pub(crate) fn wake_up(&self, at: Instant) -> Instant {
        next_multiple(at, self.timer_interval)
    }

    /// Puts a packet on the line at `now_ns`. Returns when it leaves the line.
    fn start(&mut self, now_ns: u64) -> Instant {
        self.leaves_at = now_ns + WIRE * 8_000_000_000 / self.rate;
        Instant::from_micros(self.leaves_at.div_ceil(1_000))
    }

    fn deliver(&mut self, now: Instant, way: usize) -> Instant {
        let jitter = if self.jitter > Duration::ZERO { self.random() % self.jitter.as_micros() } else { 0 };
        next_multiple(now + self.delay + Duration::from_micros(jitter), self.delivery_interval[way])
    }

    fn follow_steps(&mut self, now: Instant) {
        while let Some(&(_, rate, delay)) = self.steps.front().filter(|(at, ..)| *at <= now) {
            (self.rate, self.delay) = (rate, delay);
            self.steps.pop_front();
        }
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

/// The first multiple of `interval` at or after `at`.
fn next_multiple(at: Instant, interval: Duration) -> Instant {
    let interval = interval.as_micros().max(1);
    Instant::from_micros(at.as_micros().div_ceil(interval) * interval)
}
