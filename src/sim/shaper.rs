//! A token bucket in operation, with its queue.

use std::collections::VecDeque;

use super::journal::Fate;
use super::line::WORK_PER_BYTE;
use super::token_bucket::TokenBucket;
use crate::{Duration, Instant};

/// A token bucket in operation. Its queue is limited in bytes.
#[derive(Default)]
pub(super) struct Shaper {
    /// The work for which there are no tokens at `as_of`, relative to a full bucket.
    missing: u64,
    as_of: Instant,
    /// The datagrams in the queue: when each leaves it, and its bytes.
    waiting: VecDeque<(Instant, u64)>,
}

impl Shaper {
    /// When a datagram of `bytes` leaves the queue, or why it is dropped.
    pub(super) fn pass(&mut self, now: Instant, config: TokenBucket, bytes: u64) -> Result<Instant, Fate> {
        if bytes > limit(config.bucket) {
            return Err(Fate::Oversized);
        }
        while self.waiting.front().is_some_and(|&(departure, _)| departure <= now) {
            self.waiting.pop_front();
        }
        let queued: u64 = self.waiting.iter().map(|&(_, bytes)| bytes).sum();
        if queued.saturating_add(bytes) > limit(config.queue) {
            return Err(Fate::Overflowed);
        }
        let departure = self.take(now, config, bytes);
        self.waiting.push_back((departure, bytes));
        Ok(departure)
    }

    /// Takes the tokens for `bytes` as soon as they are there; returns when.
    fn take(&mut self, now: Instant, config: TokenBucket, bytes: u64) -> Instant {
        let rate = config.rate.max(1);
        let start = self.as_of.max(now);
        let refilled = start.saturating_since(self.as_of).as_micros().saturating_mul(rate);
        let missing = self.missing.saturating_sub(refilled).saturating_add(bytes.saturating_mul(WORK_PER_BYTE));
        let wait = missing.saturating_sub(limit(config.bucket).saturating_mul(WORK_PER_BYTE)).div_ceil(rate);
        self.missing = missing.saturating_sub(wait.saturating_mul(rate));
        self.as_of = start + Duration::from_micros(wait);
        self.as_of
    }
}

fn limit(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// One token each 10 µs.
    const CONFIG: TokenBucket = TokenBucket { rate: 800_000, bucket: 300, queue: 400 };

    #[test]
    fn a_full_bucket_passes_a_burst_and_then_the_rate() {
        let mut shaper = Shaper::default();
        let at: Vec<u64> =
            (0..6).filter_map(|_| Some(shaper.pass(Instant::ZERO, CONFIG, 100).ok()?.as_micros())).collect();
        assert_eq!(at, [0, 0, 0, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn an_idle_bucket_fills_to_its_capacity_and_no_further() {
        let mut shaper = Shaper::default();
        assert_eq!(shaper.pass(Instant::ZERO, CONFIG, 300), Ok(Instant::ZERO));
        // After 1 ms it has 100 tokens, after another 10 s it has 300.
        let ms = Instant::from_millis(1);
        assert_eq!(shaper.pass(ms, CONFIG, 200), Ok(Instant::from_millis(2)));
        let later = Instant::from_millis(10_000);
        assert_eq!(shaper.pass(later, CONFIG, 300), Ok(later));
        assert_eq!(shaper.pass(later, CONFIG, 1), Ok(later + Duration::from_micros(10)));
    }

    #[test]
    fn the_queue_is_limited_in_bytes() {
        let mut shaper = Shaper::default();
        assert_eq!(shaper.pass(Instant::ZERO, CONFIG, 301), Err(Fate::Oversized));
        assert_eq!(shaper.pass(Instant::ZERO, CONFIG, 300), Ok(Instant::ZERO));
        assert_eq!(shaper.pass(Instant::ZERO, CONFIG, 300), Ok(Instant::from_millis(3)));
        assert_eq!(shaper.pass(Instant::ZERO, CONFIG, 101), Err(Fate::Overflowed));
        assert_eq!(shaper.pass(Instant::ZERO, CONFIG, 100), Ok(Instant::from_millis(4)));
        // A datagram that left the queue makes room.
        assert_eq!(shaper.pass(Instant::from_millis(3), CONFIG, 300), Ok(Instant::from_millis(7)));
    }
}
