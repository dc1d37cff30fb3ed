//! What one direction of a link does to datagrams.

use std::vec::Vec;

use crate::{Duration, Instant};

/// One direction of a link in a simulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub(super) usize);

/// One direction of a link: a queue, then a line with a rate, then a delay, with faults on the line.
///
/// Shares run from 0.0 (never) to 1.0 (always). At most one of the faults befalls a datagram; they are tried in the order
/// of the fields below.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkConfig {
    /// Bits per second; `None` for no limit. Computed exactly, without an error that adds up.
    pub rate: Option<u64>,
    /// From the last bit sent to the last bit received.
    pub delay: Duration,
    /// A random extra delay up to this. Jitter alone never reorders: a datagram that would overtake waits for the one in
    /// front, as in the queue of a router.
    pub jitter: Duration,
    /// Bytes (with overhead) that may wait for the line, the unsent part of the datagram on it included. What does not fit
    /// is dropped; an idle line takes a datagram of any size. `None` for no limit.
    pub queue: Option<usize>,
    /// Bytes that each datagram costs on the line beyond its own: 28 for UDP over IPv4.
    pub overhead: usize,
    /// The largest datagram (without overhead) that passes; `None` for no limit.
    pub mtu: Option<usize>,
    /// Spans, the end excluded, in which all that leaves the line is lost.
    pub blackouts: Vec<(Instant, Instant)>,
    /// Blackouts that recur.
    pub outage: Option<Outage>,
    /// The share lost. It has taken its time on the line.
    pub loss: f64,
    /// The share cut to a random shorter length.
    pub truncation: f64,
    /// The share with a burst of one to four bytes changed.
    pub corruption: f64,
    /// The share that arrives twice; the copy takes a jitter of its own.
    pub duplication: f64,
    /// The share held back at random up to `reordering_delay`, while later datagrams pass.
    pub reordering: f64,
    /// How long a reordered datagram is held back at most.
    pub reordering_delay: Duration,
}

/// A blackout of `length` at `first` and then again `every` so often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    /// The start of the first.
    pub first: Instant,
    /// How long each takes.
    pub length: Duration,
    /// From one start to the next; zero means that it does not recur.
    pub every: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self::ideal()
    }
}

impl LinkConfig {
    /// No limit, no delay, no fault.
    #[must_use]
    pub const fn ideal() -> Self {
        Self {
            rate: None,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            queue: None,
            overhead: 28,
            mtu: None,
            blackouts: Vec::new(),
            outage: None,
            loss: 0.0,
            truncation: 0.0,
            corruption: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            reordering_delay: Duration::ZERO,
        }
    }

    /// A bad radio link: 10 Mbit/s behind a queue of 64 KiB, 50 ms ± 10 ms, this `loss`, 1 % twice, 2 % held back up to
    /// 20 ms. Nothing is corrupted: UDP's checksum would have dropped it.
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

    /// At most this many bits per second.
    #[must_use]
    pub const fn with_rate(mut self, bits_per_second: u64) -> Self {
        self.rate = Some(bits_per_second);
        self
    }

    /// This delay one way.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Up to this much extra delay.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// At most this many bytes waiting for the line.
    #[must_use]
    pub const fn with_queue(mut self, bytes: usize) -> Self {
        self.queue = Some(bytes);
        self
    }

    /// This many bytes per datagram on top.
    #[must_use]
    pub const fn with_overhead(mut self, bytes: usize) -> Self {
        self.overhead = bytes;
        self
    }

    /// No datagram larger than this.
    #[must_use]
    pub const fn with_mtu(mut self, bytes: usize) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Nothing passes from `start` to before `end`. May be given several times.
    #[must_use]
    pub fn with_blackout(mut self, start: Instant, end: Instant) -> Self {
        self.blackouts.push((start, end));
        self
    }

    /// Nothing passes for `length` from `first` on, and again `every` so often.
    #[must_use]
    pub const fn with_outage(mut self, first: Instant, length: Duration, every: Duration) -> Self {
        self.outage = Some(Outage { first, length, every });
        self
    }

    /// Loses this share.
    #[must_use]
    pub const fn with_loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// Truncates this share.
    #[must_use]
    pub const fn with_truncation(mut self, share: f64) -> Self {
        self.truncation = share;
        self
    }

    /// Corrupts this share.
    #[must_use]
    pub const fn with_corruption(mut self, share: f64) -> Self {
        self.corruption = share;
        self
    }

    /// Duplicates this share.
    #[must_use]
    pub const fn with_duplication(mut self, share: f64) -> Self {
        self.duplication = share;
        self
    }

    /// Holds this share back, up to `delay`.
    #[must_use]
    pub const fn with_reordering(mut self, share: f64, delay: Duration) -> Self {
        self.reordering = share;
        self.reordering_delay = delay;
        self
    }

    /// Whether what leaves the line at `at` is lost to a blackout.
    #[must_use]
    pub fn is_dark(&self, at: Instant) -> bool {
        self.blackouts.iter().any(|&(start, end)| (start..end).contains(&at))
            || self.outage.is_some_and(|outage| outage.covers(at))
    }
}

impl Outage {
    fn covers(self, at: Instant) -> bool {
        let since = at.saturating_since(self.first).as_micros();
        let phase = since.checked_rem(self.every.as_micros()).unwrap_or(since);
        at >= self.first && phase < self.length.as_micros()
    }
}

/// What a link has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LinkStats {
    /// Datagrams given to the link.
    pub offered: u64,
    /// Their bytes, without overhead.
    pub offered_bytes: u64,
    /// Datagrams handed to a node, copies and damaged ones included.
    pub delivered: u64,
    /// Their bytes, without overhead.
    pub delivered_bytes: u64,
    /// Lost at random or by a filter.
    pub lost: u64,
    /// Lost in a blackout.
    pub blacked_out: u64,
    /// Dropped because the queue was full.
    pub overflowed: u64,
    /// Dropped because larger than the MTU.
    pub oversized: u64,
    /// Truncated.
    pub truncated: u64,
    /// Corrupted.
    pub corrupted: u64,
    /// Sent on twice.
    pub duplicated: u64,
    /// Held back so that later ones could pass.
    pub reordered: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn blackouts_exclude_their_end() {
        let link = LinkConfig::ideal().with_blackout(ms(10), ms(20)).with_blackout(ms(30), ms(31));
        let dark: Vec<u64> = (0..40).filter(|&at| link.is_dark(ms(at))).collect();
        assert_eq!(dark, (10..20).chain(30..31).collect::<Vec<_>>());
    }

    #[test]
    fn outages_recur() {
        let link = LinkConfig::ideal().with_outage(ms(5), Duration::from_millis(2), Duration::from_millis(10));
        let dark: Vec<u64> = (0..30).filter(|&at| link.is_dark(ms(at))).collect();
        assert_eq!(dark, [5, 6, 15, 16, 25, 26]);
        let once = LinkConfig::ideal().with_outage(ms(5), Duration::from_millis(2), Duration::ZERO);
        assert_eq!((0..30).filter(|&at| once.is_dark(ms(at))).count(), 2);
    }
}
