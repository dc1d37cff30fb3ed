//! A unidirectional link in operation: arrival times and fates.

use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;
use std::vec::Vec;

use super::burst_loss::LossState;
use super::journal::{Fate, Record};
use super::line::Line;
use super::link::{LinkConfig, LinkStats, round_up};
use super::rng::Rng;
use super::shaper::Shaper;
use crate::{Duration, Instant};

/// A function that may replace the fate that the link drew.
pub(super) type Filter = Box<dyn FnMut(&Record<'_>) -> Fate>;

pub(super) struct Channel {
    pub(super) config: LinkConfig,
    pub(super) stats: LinkStats,
    pub(super) filters: Vec<Filter>,
    rng: Rng,
    shaper: Shaper,
    /// The line, which another channel may use as well.
    pub(super) line: Rc<RefCell<Line>>,
    loss_state: LossState,
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
            shaper: Shaper::default(),
            line: Rc::default(),
            loss_state: LossState::default(),
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
        let size = u64::try_from(len.saturating_add(self.config.overhead)).unwrap_or(u64::MAX);
        let now = match self.config.shaper {
            Some(config) => self.shaper.pass(now, config, size)?,
            None => now,
        };
        let Some(rate) = self.config.rate_over_time() else { return Ok(now) };
        let mut line = self.line.borrow_mut();
        if let Some(queue) = self.config.queue {
            let waiting = line.backlog(now, rate);
            if waiting > 0 && waiting.saturating_add(size) > u64::try_from(queue).unwrap_or(u64::MAX) {
                return Err(Fate::Overflowed);
            }
        }
        Ok(line.send(now, rate, size))
    }

    fn draw(&mut self, departure: Instant) -> Fate {
        let (config, rng) = (&self.config, &mut self.rng);
        if config.is_blacked_out(departure) {
            Fate::BlackedOut
        } else if config.burst_loss.is_some_and(|burst_loss| self.loss_state.draw(burst_loss, rng))
            || rng.chance(config.loss)
        {
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
        let every = self.config.aggregation;
        let arrival = departure + self.config.delay_at(departure) + self.jitter();
        if let Fate::Delayed(extra) = fate {
            return Arrivals { first: Some(round_up(arrival + extra, every)), copy: None };
        }
        self.last_arrival = self.last_arrival.max(round_up(arrival, every));
        let first = self.last_arrival;
        let copy = (fate == Fate::Duplicated).then(|| round_up(first + self.jitter(), every));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{GilbertElliott, SimAddress, TokenBucket};

    fn offer(channel: &mut Channel, sent: Instant) -> (Fate, Option<Instant>) {
        let (from, to) = (SimAddress::new(0, 0), SimAddress::new(1, 0));
        let mut record = Record { sent, link: None, from, to, data: &[0; 10], fate: Fate::Delivered };
        let first = channel.offer(&mut record).first;
        (record.fate, first)
    }

    /// The arrivals of 200 datagrams of 10 bytes, which are sent each 100 µs.
    fn arrivals(config: LinkConfig) -> Vec<Instant> {
        let mut channel = Channel::new(config, Rng::new(1));
        (0..200).filter_map(|number| offer(&mut channel, Instant::from_micros(100 * number)).1).collect()
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
    fn jitter_reorders_if_all_datagrams_are_delayed() {
        let all = arrivals(LinkConfig::ideal().with_reordering(1.0, Duration::from_millis(20)));
        assert_eq!(all.len(), 200);
        let late = all.iter().zip(0..).map(|(at, number)| at.as_micros() - 100 * number);
        assert_eq!(late.clone().filter(|&late| late > 20_000).count(), 0);
        assert!((80..120).contains(&late.filter(|&late| late > 10_000).count()));
        assert!(all.windows(2).filter(|pair| pair[1] < pair[0]).count() > 80);
    }

    #[test]
    fn aggregation_delivers_at_multiples_and_in_order() {
        let config = LinkConfig::ideal().with_delay(Duration::from_micros(100));
        let all = arrivals(config.with_aggregation(Duration::from_millis(5)));
        let count = |ms| all.iter().filter(|&&at| at == Instant::from_millis(ms)).count();
        assert_eq!([5, 10, 15, 20].map(count), [50, 50, 50, 50]);
        assert!(all.is_sorted());
    }

    #[test]
    fn a_delay_step_applies_to_what_leaves_later() {
        let ms = Duration::from_millis;
        let config = LinkConfig::ideal().with_delay(ms(1)).with_delay_step(Instant::from_millis(10), ms(50));
        let mut channel = Channel::new(config.with_delay_step(Instant::from_millis(20), ms(2)), Rng::new(1));
        let arrives = [9, 10, 19, 20, 90].map(|sent| offer(&mut channel, Instant::from_millis(sent)).1);
        // After the delay fell, a datagram waits for the datagram in front of it.
        assert_eq!(arrives, [10, 60, 69, 69, 92].map(|at| Some(Instant::from_millis(at))));
    }

    #[test]
    fn a_shaper_precedes_the_line() {
        let shaper = TokenBucket { rate: 80_000, bucket: 100, queue: 100 };
        // Each datagram has 38 bytes: 3.8 ms of the shaper, 0.38 ms of the line.
        let mut channel = Channel::new(LinkConfig::ideal().with_shaper(shaper).with_rate(800_000), Rng::new(1));
        let all = [0; 5].map(|_| offer(&mut channel, Instant::ZERO));
        assert_eq!(all.map(|(_, at)| at.map_or(0, Instant::as_micros)), [380, 760, 1_780, 5_580, 0]);
        assert_eq!(all.map(|(fate, _)| fate)[3..], [Fate::Delivered, Fate::Overflowed]);
    }

    #[test]
    fn a_burst_counts_as_lost() {
        let always = GilbertElliott { good_to_bad: 1.0, bad_to_good: 0.0, loss: 1.0 };
        let mut channel = Channel::new(LinkConfig::ideal().with_burst_loss(always), Rng::new(1));
        assert_eq!(offer(&mut channel, Instant::ZERO), (Fate::Lost, None));
        assert_eq!(channel.stats.lost, 1);
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
