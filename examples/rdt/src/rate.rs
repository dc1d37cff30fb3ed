//! The rate of a transfer that is shown to the user.

use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// The time over which the rate is measured. A change shows fully after it.
const SPAN: Duration = Duration::from_secs(5);
/// The least time between two samples, which bounds their number.
const APART: Duration = Duration::from_millis(200);

/// The mean rate over the last [`SPAN`], or over the time since the first sample. A stall lets it fall to 0 within the
/// span, since samples of a stall count as others do.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// The times and the bytes that had arrived, oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    pub(crate) fn sample(&mut self, now: Instant, done: u64) {
        if self.samples.back().is_some_and(|(last, _)| now < *last + APART) {
            return;
        }
        self.samples.push_back((now, done));
        while self.samples.get(1).is_some_and(|(second, _)| *second + SPAN <= now) {
            self.samples.pop_front();
        }
    }

    /// Bytes per second. `None` before there are two samples.
    pub(crate) fn per_second(&self) -> Option<u64> {
        let ((first, before), (last, after)) = (self.samples.front()?, self.samples.back()?);
        let micros = last.saturating_since(*first).as_micros();
        let bytes = u128::from(after.saturating_sub(*before));
        let rate = (bytes * 1_000_000).checked_div(u128::from(micros))?;
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_five_seconds() {
        let at = |ms| Instant::ZERO + Duration::from_millis(ms);
        let mut rate = Rate::default();
        rate.sample(at(0), 0);
        assert_eq!(rate.per_second(), None);
        // The content that arrives with the answer has no time yet.
        rate.sample(at(1), 1 << 30);
        assert_eq!(rate.per_second(), None);
        for tick in 1..=50 {
            rate.sample(at(200 * tick), 200 * tick);
        }
        assert_eq!(rate.per_second(), Some(1_000));
        for tick in 51..=75 {
            rate.sample(at(200 * tick), 10_000);
        }
        assert_eq!(rate.per_second(), Some(0), "a stall");
        assert!(rate.samples.len() < 30);
    }
}
