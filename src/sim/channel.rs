//! A unidirectional link in operation: arrival times and fates.

use std::boxed::Box;
use std::vec::Vec;

use super::journal::{Fate, Record};
use super::link::{LinkConfig, LinkStats};
use super::rng::Rng;
use crate::{Duration, Instant};

/// A function that may replace the fate that the link drew.
pub(super) type Filter = Box<dyn FnMut(&Record<'_>) -> Fate>;

pub(super) struct Channel {
    pub(super) config: LinkConfig,
    pub(super) stats: LinkStats,
    pub(super) filters: Vec<Filter>,
    rng: Rng,
    line: Line,
    /// The latest arrival so far. Datagrams that are not reordered arrive no earlier.
    last_arrival: Instant,
}

/// The arrival times of a datagram and of its duplicate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Arrivals {
    pub(super) first: Option<Instant>,
    pub(super) copy: Option<Instant>,
}

impl Channel {
    pub(super) fn new(config: LinkConfig, rng: Rng) -> Self {
        Self {
            config,
            stats: LinkStats::default(),
            filters: Vec::new(),
            rng,
            line: Line::default(),
            last_arrival: Instant::ZERO,
        }
    }

    /// Accepts the datagram of `record`, and sets its fate.
    pub(super) fn offer(&mut self, record: &mut Record<'_>) -> Arrivals {
        let len = record.data.len();
        self.stats.offered += 1;
        self.stats.offered_bytes += u64::try_from(len).unwrap_or(0);
        let departure = self.depart(record.sent, len);
        record.fate = departure.map_or_else(|refused| refused, |at| self.draw(at));
        if let Ok(departure) = departure {
            for filter in &mut self.filters {
                record.fate = filter(record);
            }
            self.count(record.fate);
            self.arrive(departure, record.fate)
        } else {
            self.count(record.fate);
            Arrivals { first: None, copy: None }
        }
    }

    /// Damages the bytes according to `fate`.
    pub(super) fn damage(&mut self, fate: Fate, data: &mut Vec<u8>) {
        const LONGEST_BURST: usize = 4;
        if fate == Fate::Truncated {
            data.truncate(self.rng.index(data.len()));
        } else if fate == Fate::Corrupted {
            let start = self.rng.index(data.len());
            let len = 1 + self.rng.index(LONGEST_BURST);
            for byte in data.iter_mut().skip(start).take(len) {
                *byte ^= u8::try_from(1 + self.rng.below(255)).unwrap_or(1);
            }
        }
    }

    /// When the last bit leaves the line, or why the datagram is dropped.
    fn depart(&mut self, now: Instant, len: usize) -> Result<Instant, Fate> {
        if self.config.mtu.is_some_and(|mtu| len > mtu) {
            return Err(Fate::Oversized);
        }
        let Some(rate) = self.config.rate else { return Ok(now) };
        let size = u64::try_from(len.saturating_add(self.config.overhead)).unwrap_or(u64::MAX);
        if let Some(queue) = self.config.queue {
            let waiting = self.line.backlog(now, rate);
            if waiting > 0 && waiting.saturating_add(size) > u64::try_from(queue).unwrap_or(u64::MAX) {
                return Err(Fate::Overflowed);
            }
        }
        Ok(self.line.send(now, rate, size))
    }

    fn draw(&mut self, departure: Instant) -> Fate {
        let (config, rng) = (&self.config, &mut self.rng);
        if config.is_blacked_out(departure) {
            Fate::BlackedOut
        } else if rng.chance(config.loss) {
            Fate::Lost
        } else if rng.chance(config.truncation) {
            Fate::Truncated
        } else if rng.chance(config.corruption) {
            Fate::Corrupted
        } else if rng.chance(config.duplication) {
            Fate::Duplicated
        } else if rng.chance(config.reordering) {
            Fate::Delayed(rng.up_to(config.reordering_delay))
        } else {
            Fate::Delivered
        }
    }

    fn arrive(&mut self, departure: Instant, fate: Fate) -> Arrivals {
        if !fate.arrives() {
            return Arrivals { first: None, copy: None };
        }
        let arrival = departure + self.config.delay + self.jitter();
        if let Fate::Delayed(extra) = fate {
            return Arrivals { first: Some(arrival + extra), copy: None };
        }
        self.last_arrival = self.last_arrival.max(arrival);
        let first = self.last_arrival;
        let copy = (fate == Fate::Duplicated).then(|| first + self.jitter());
        Arrivals { first: Some(first), copy }
    }

    fn jitter(&mut self) -> Duration {
        if self.config.jitter == Duration::ZERO { Duration::ZERO } else { self.rng.up_to(self.config.jitter) }
    }

    fn count(&mut self, fate: Fate) {
        let stats = &mut self.stats;
        match fate {
            Fate::Delivered | Fate::Unroutable => {}
            Fate::Delayed(_) => stats.reordered += 1,
            Fate::Duplicated => stats.duplicated += 1,
            Fate::Corrupted => stats.corrupted += 1,
            Fate::Truncated => stats.truncated += 1,
            Fate::Lost => stats.lost += 1,
            Fate::BlackedOut => stats.blacked_out += 1,
            Fate::Overflowed => stats.overflowed += 1,
            Fate::Oversized => stats.oversized += 1,
        }
    }
}

/// A serial line. It keeps exact fractions, so that the errors of rounding to microseconds do not accumulate.
#[derive(Default)]
struct Line {
    /// The line becomes free `carry / rate` µs after this time.
    free_at: Instant,
    carry: u64,
}

impl Line {
    const BITS_PER_BYTE: u64 = 8;
    const MICROS_PER_SECOND: u64 = 1_000_000;

    /// The number of unsent bytes, rounded up.
    fn backlog(&self, now: Instant, rate: u64) -> u64 {
        if self.free_at < now {
            return 0;
        }
        let span = self.free_at.saturating_since(now).as_micros();
        span.saturating_mul(rate).saturating_add(self.carry).div_ceil(Self::MICROS_PER_SECOND * Self::BITS_PER_BYTE)
    }

    /// Sends `bytes`; returns when the last bit leaves the line, rounded up to a microsecond.
    fn send(&mut self, now: Instant, rate: u64, bytes: u64) -> Instant {
        if self.free_at < now {
            *self = Self { free_at: now, carry: 0 };
        }
        let rate = rate.max(1);
        let work = bytes.saturating_mul(Self::BITS_PER_BYTE * Self::MICROS_PER_SECOND).saturating_add(self.carry);
        self.free_at = self.free_at + Duration::from_micros(work / rate);
        self.carry = work % rate;
        self.free_at + Duration::from_micros(u64::from(self.carry > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimAddress;

    const NOW: Instant = Instant::from_millis(1);

    #[test]
    fn fractions_of_a_microsecond_do_not_accumulate() {
        let mut line = Line::default();
        // 1,228 bytes at 10 Mbit/s take 982.4 µs.
        let after: Vec<u64> =
            (0..5).map(|_| line.send(NOW, 10_000_000, 1_228).saturating_since(NOW).as_micros()).collect();
        assert_eq!(after, [983, 1_965, 2_948, 3_930, 4_912]);
        assert_eq!(line.backlog(NOW, 10_000_000), 5 * 1_228);
        assert_eq!(line.backlog(NOW + Duration::from_micros(4_911), 10_000_000), 2);
        assert_eq!(line.backlog(NOW + Duration::from_micros(4_912), 10_000_000), 0);
    }

    #[test]
    fn an_idle_line_sends_at_once() {
        let mut line = Line::default();
        line.send(NOW, 1_000, 1);
        let later = NOW + Duration::from_secs(1);
        assert_eq!(line.send(later, 1_000, 1), later + Duration::from_millis(8));
    }

    fn arrivals(config: LinkConfig) -> Vec<Instant> {
        let mut channel = Channel::new(config, Rng::new(1));
        let (from, to) = (SimAddress::new(0, 0), SimAddress::new(1, 0));
        (0..200)
            .filter_map(|micros| {
                let sent = Instant::from_micros(100 * micros);
                let mut record = Record { sent, link: None, from, to, data: &[0; 10], fate: Fate::Delivered };
                channel.offer(&mut record).first
            })
            .collect()
    }

    #[test]
    fn only_reordering_changes_the_order() {
        let jitter = LinkConfig::ideal().with_jitter(Duration::from_millis(10));
        let in_order = arrivals(jitter.clone());
        assert_eq!(in_order.len(), 200);
        assert!(in_order.is_sorted());
        assert!(!arrivals(jitter.with_reordering(0.1, Duration::from_millis(20))).is_sorted());
    }

    #[test]
    fn corruption_changes_and_truncation_shortens() {
        let mut channel = Channel::new(LinkConfig::ideal(), Rng::new(1));
        for len in 1..100 {
            let mut data = std::vec![0x55; len];
            channel.damage(Fate::Corrupted, &mut data);
            assert!(data.len() == len && data.iter().any(|&byte| byte != 0x55));
            channel.damage(Fate::Truncated, &mut data);
            assert!(data.len() < len);
        }
        channel.damage(Fate::Corrupted, &mut Vec::new());
        channel.damage(Fate::Truncated, &mut Vec::new());
    }
}
