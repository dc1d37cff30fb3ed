//! The configuration and statistics of a unidirectional link.

use std::vec::Vec;

use super::burst_loss::GilbertElliott;
use super::line::Rate;
use super::token_bucket::TokenBucket;
use crate::{Duration, Instant};

/// The identifier of a unidirectional link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub(super) usize);

/// The properties of a unidirectional link.
///
/// A datagram passes a shaper, then a queue, then a line with a rate, then a delay. At most one fault applies to it.
///
/// ```
/// use rdt_proto::Duration;
/// use rdt_proto::sim::LinkConfig;
///
/// let satellite = LinkConfig::ideal().with_rate(2_000_000).with_delay(Duration::from_millis(300)).with_loss(0.05);
/// assert_eq!(satellite.mtu, None);
/// ```
///
/// Probabilities range from 0.0 (never) to 1.0 (always). Faults are drawn in the order of the fields below.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkConfig {
    /// The rate in bits per second; `None` for no limit. Rounding errors of the times do not accumulate.
    pub rate: Option<u64>,
    /// Changes of the rate: when, and the rate from then on, in order of time.
    ///
    /// They also apply to what is in the queue. Without a rate they have no effect.
    pub rate_steps: Vec<(Instant, u64)>,
    /// A shaper before the queue.
    pub shaper: Option<TokenBucket>,
    /// The propagation delay, added after the last bit is sent.
    pub delay: Duration,
    /// Changes of the delay: when, and the delay from then on, in order of time.
    ///
    /// They apply to what leaves the line later. A shorter delay does not reorder.
    pub delay_steps: Vec<(Instant, Duration)>,
    /// The maximum of a random extra delay.
    ///
    /// Jitter alone never reorders: as in a router's queue, a datagram waits for the datagram in front of it.
    pub jitter: Duration,
    /// The interval of deliveries: datagrams arrive only at its multiples. Zero for no aggregation.
    ///
    /// Links that give the medium to a station for some time deliver like this: Wi-Fi, LTE, DOCSIS.
    pub aggregation: Duration,
    /// The capacity of the queue in bytes; `None` for no limit.
    ///
    /// The overhead of each datagram counts, and so does the unsent part of the datagram on the line. A datagram that
    /// does not fit is dropped. An idle line accepts a datagram of any size.
    pub queue: Option<usize>,
    /// The bytes that each datagram adds on the line: 28 for UDP over IPv4.
    pub overhead: usize,
    /// The maximum length of a datagram in bytes, without overhead; `None` for no limit.
    pub mtu: Option<usize>,
    /// Periods in which every datagram that leaves the line is lost. Each has a start and an exclusive end.
    pub blackouts: Vec<(Instant, Instant)>,
    /// Recurring blackouts.
    pub outage: Option<Outage>,
    /// Loss in bursts, in addition to `loss`.
    pub burst_loss: Option<GilbertElliott>,
    /// The probability of loss. A lost datagram still occupies the line.
    pub loss: f64,
    /// The probability of truncation to a random shorter length.
    pub truncation: f64,
    /// The probability that a burst of one to four bytes is changed.
    pub corruption: f64,
    /// The probability of duplication. The copy has its own jitter.
    pub duplication: f64,
    /// The probability of reordering.
    ///
    /// A reordered datagram is delayed by a random time up to `reordering_delay`. Later datagrams overtake it. A
    /// probability of 1.0 is jitter that reorders.
    pub reordering: f64,
    /// The maximum delay of a reordered datagram.
    pub reordering_delay: Duration,
}

/// Recurring blackouts of equal length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    /// The start of the first blackout.
    pub first: Instant,
    /// The length of each blackout.
    pub length: Duration,
    /// The interval between two starts. Zero means that the blackout does not recur.
    pub every: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self::ideal()
    }
}

impl LinkConfig {
    /// A link without limits, delay and faults.
    #[must_use]
    pub const fn ideal() -> Self {
        Self {
            rate: None,
            rate_steps: Vec::new(),
            shaper: None,
            delay: Duration::ZERO,
            delay_steps: Vec::new(),
            jitter: Duration::ZERO,
            aggregation: Duration::ZERO,
            queue: None,
            overhead: 28,
            mtu: None,
            blackouts: Vec::new(),
            outage: None,
            burst_loss: None,
            loss: 0.0,
            truncation: 0.0,
            corruption: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            reordering_delay: Duration::ZERO,
        }
    }

    /// A bad radio link with the given probability of loss.
    ///
    /// It has 10 Mbit/s, a queue of 64 KiB, a delay of 50 ms ± 10 ms, 1 % duplication, and 2 % reordering by up to 20
    /// ms. Nothing is corrupted, because the checksum of UDP drops corrupted datagrams.
    #[must_use]
    pub const fn bad(loss: f64) -> Self {
        Self::ideal()
            .with_rate(10_000_000)
            .with_queue(64 * 1024)
            .with_delay(Duration::from_millis(40))
            .with_jitter(Duration::from_millis(20))
            .with_loss(loss)
            .with_duplication(0.01)
            .with_reordering(0.02, Duration::from_millis(20))
    }

    /// Sets the rate.
    #[must_use]
    pub const fn with_rate(mut self, bits_per_second: u64) -> Self {
        self.rate = Some(bits_per_second);
        self
    }

    /// Adds a change of the rate at `at`.
    #[must_use]
    pub fn with_rate_step(mut self, at: Instant, bits_per_second: u64) -> Self {
        insert(&mut self.rate_steps, at, bits_per_second);
        self
    }

    /// Sets the shaper.
    #[must_use]
    pub const fn with_shaper(mut self, shaper: TokenBucket) -> Self {
        self.shaper = Some(shaper);
        self
    }

    /// Sets the one-way delay.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds a change of the one-way delay at `at`.
    #[must_use]
    pub fn with_delay_step(mut self, at: Instant, delay: Duration) -> Self {
        insert(&mut self.delay_steps, at, delay);
        self
    }

    /// Sets the maximum jitter.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets the interval of deliveries.
    #[must_use]
    pub const fn with_aggregation(mut self, every: Duration) -> Self {
        self.aggregation = every;
        self
    }

    /// Sets the capacity of the queue.
    #[must_use]
    pub const fn with_queue(mut self, bytes: usize) -> Self {
        self.queue = Some(bytes);
        self
    }

    /// Sets the overhead of each datagram.
    #[must_use]
    pub const fn with_overhead(mut self, bytes: usize) -> Self {
        self.overhead = bytes;
        self
    }

    /// Sets the maximum length of a datagram.
    #[must_use]
    pub const fn with_mtu(mut self, bytes: usize) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Adds a blackout from `start` to before `end`.
    #[must_use]
    pub fn with_blackout(mut self, start: Instant, end: Instant) -> Self {
        self.blackouts.push((start, end));
        self
    }

    /// Sets recurring blackouts of `length`. The first starts at `first`, and a new one after each interval `every`.
    #[must_use]
    pub const fn with_outage(mut self, first: Instant, length: Duration, every: Duration) -> Self {
        self.outage = Some(Outage { first, length, every });
        self
    }

    /// Sets the loss in bursts.
    #[must_use]
    pub const fn with_burst_loss(mut self, burst_loss: GilbertElliott) -> Self {
        self.burst_loss = Some(burst_loss);
        self
    }

    /// Sets the probability of loss.
    #[must_use]
    pub const fn with_loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// Sets the probability of truncation.
    #[must_use]
    pub const fn with_truncation(mut self, share: f64) -> Self {
        self.truncation = share;
        self
    }

    /// Sets the probability of corruption.
    #[must_use]
    pub const fn with_corruption(mut self, share: f64) -> Self {
        self.corruption = share;
        self
    }

    /// Sets the probability of duplication.
    #[must_use]
    pub const fn with_duplication(mut self, share: f64) -> Self {
        self.duplication = share;
        self
    }

    /// Sets the probability of reordering and its maximum delay.
    #[must_use]
    pub const fn with_reordering(mut self, share: f64, delay: Duration) -> Self {
        self.reordering = share;
        self.reordering_delay = delay;
        self
    }

    /// The one-way delay of a datagram that leaves the line at `at`.
    #[must_use]
    pub fn delay_at(&self, at: Instant) -> Duration {
        let past = self.delay_steps.partition_point(|&(start, _)| start <= at);
        past.checked_sub(1).map_or(self.delay, |last| self.delay_steps[last].1)
    }

    /// Whether a datagram that leaves the line at `at` is lost to a blackout.
    #[must_use]
    pub fn is_blacked_out(&self, at: Instant) -> bool {
        self.blackouts.iter().any(|&(start, end)| (start..end).contains(&at))
            || self.outage.is_some_and(|outage| outage.covers(at))
    }

    pub(super) fn rate_over_time(&self) -> Option<Rate<'_>> {
        Some(Rate { first: self.rate?, steps: &self.rate_steps })
    }
}

fn insert<T>(steps: &mut Vec<(Instant, T)>, at: Instant, value: T) {
    let index = steps.partition_point(|&(start, _)| start <= at);
    steps.insert(index, (at, value));
}

/// The first multiple of `every` at or after `at`.
pub(super) fn round_up(at: Instant, every: Duration) -> Instant {
    let micros = at.as_micros();
    Instant::from_micros(micros.checked_next_multiple_of(every.as_micros()).unwrap_or(micros))
}

impl Outage {
    fn covers(self, at: Instant) -> bool {
        let since = at.saturating_since(self.first).as_micros();
        let phase = since.checked_rem(self.every.as_micros()).unwrap_or(since);
        at >= self.first && phase < self.length.as_micros()
    }
}

/// The counters of a link.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LinkStats {
    /// Datagrams offered to the link.
    pub offered: u64,
    /// Bytes of these datagrams, without overhead.
    pub offered_bytes: u64,
    /// Datagrams delivered to a node, including copies and damaged ones.
    pub delivered: u64,
    /// Bytes of these datagrams, without overhead.
    pub delivered_bytes: u64,
    /// Datagrams lost at random or by a filter.
    pub lost: u64,
    /// Datagrams lost in a blackout.
    pub blacked_out: u64,
    /// Datagrams dropped because the queue was full.
    pub overflowed: u64,
    /// Datagrams dropped because they exceeded the MTU.
    pub oversized: u64,
    /// Datagrams truncated on the line.
    pub truncated: u64,
    /// Datagrams corrupted on the line.
    pub corrupted: u64,
    /// Datagrams duplicated on the line.
    pub duplicated: u64,
    /// Datagrams delayed so that later ones could overtake them.
    pub reordered: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_blackout_excludes_its_end() {
        let link = LinkConfig::ideal().with_blackout(ms(10), ms(20)).with_blackout(ms(30), ms(31));
        let dark: Vec<u64> = (0..40).filter(|&at| link.is_blacked_out(ms(at))).collect();
        assert_eq!(dark, (10..20).chain(30..31).collect::<Vec<_>>());
    }

    #[test]
    fn an_outage_recurs_at_its_interval() {
        let link = LinkConfig::ideal().with_outage(ms(5), Duration::from_millis(2), Duration::from_millis(10));
        let dark: Vec<u64> = (0..30).filter(|&at| link.is_blacked_out(ms(at))).collect();
        assert_eq!(dark, [5, 6, 15, 16, 25, 26]);
        let once = LinkConfig::ideal().with_outage(ms(5), Duration::from_millis(2), Duration::ZERO);
        assert_eq!((0..30).filter(|&at| once.is_blacked_out(ms(at))).count(), 2);
    }
}
