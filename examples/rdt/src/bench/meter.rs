//! The rate of a bulk transfer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The part of a bulk transfer that does not count, because its window still grows.
const WARM_UP: f64 = 0.2;

/// The number of bytes between two readings of the clock, which cost as much as a body.
const CLOCK_BYTES: u64 = 64 << 10;

/// Counts the bytes of a bulk transfer from the end of its warm-up to its last data.
///
/// The difference leaves out what waits in buffers: it is about the same at both ends of the time.
pub(super) struct Meter {
    start: Instant,
    warm_up: Duration,
    end: Duration,
    is_warm: AtomicBool,
    bytes: AtomicU64,
    first: AtomicU64,
    first_us: AtomicU64,
    last: AtomicU64,
    last_us: AtomicU64,
}

impl Meter {
    pub(super) fn new(seconds: u64) -> Self {
        let end = Duration::from_secs(seconds);
        Self {
            start: Instant::now(),
            warm_up: end.mul_f64(WARM_UP),
            end,
            is_warm: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            first: AtomicU64::new(0),
            first_us: AtomicU64::new(0),
            last: AtomicU64::new(0),
            last_us: AtomicU64::new(0),
        }
    }

    /// Only one thread calls this.
    pub(super) fn count(&self, len: usize) {
        let before = self.bytes.fetch_add(len as u64, Ordering::Relaxed);
        let bytes = before + len as u64;
        if before / CLOCK_BYTES == bytes / CLOCK_BYTES {
            return;
        }
        let now = self.start.elapsed();
        if now < self.warm_up || now > self.end {
            return;
        }
        let us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        if !self.is_warm.swap(true, Ordering::Relaxed) {
            self.first.store(bytes, Ordering::Relaxed);
            self.first_us.store(us, Ordering::Relaxed);
        }
        self.last.store(bytes, Ordering::Relaxed);
        self.last_us.store(us, Ordering::Relaxed);
    }

    /// Whether data came at two different times.
    pub(super) fn is_measured(&self) -> bool {
        self.last_us.load(Ordering::Relaxed) > self.first_us.load(Ordering::Relaxed)
    }

    /// The rate in bytes a second.
    pub(super) fn rate(&self) -> u64 {
        let of = |first: &AtomicU64, last: &AtomicU64| last.load(Ordering::Relaxed) - first.load(Ordering::Relaxed);
        let (bytes, us) = (of(&self.first, &self.last), of(&self.first_us, &self.last_us).max(1));
        u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(us)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warm_up_does_not_count() {
        let mut meter = Meter::new(10);
        let mut count = |seconds: f64, len| {
            meter.start = Instant::now().checked_sub(Duration::from_secs_f64(seconds)).unwrap();
            meter.count(len);
        };
        count(0.5, 1_000_000_000);
        count(3.0, 1_000_000);
        count(7.0, 4_000_000);
        count(11.0, 1_000_000_000);
        assert!(meter.is_measured() && (990_000..=1_000_000).contains(&meter.rate()), "{}", meter.rate());
    }
}
