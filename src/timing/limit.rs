//! Time limits and their expiry.

use crate::{Duration, Instant};

/// The shortest limit; a shorter setting counts as this.
///
/// A limit of 0 would expire at its start, but `poll_timeout` must return a deadline in the future.
const MIN_LIMIT: Duration = Duration::from_millis(1);

/// Added before a division by 1 ms, so that the quotient is rounded up.
const ROUND_UP: Duration = Duration::from_micros(999);

/// When a limit that starts at `start` expires; `None` if `limit` is [`Duration::MAX`], which means no limit.
pub(crate) fn expiry(start: Instant, limit: Duration) -> Option<Instant> {
    (limit != Duration::MAX).then(|| start + limit.max(MIN_LIMIT))
}

/// A time limit in whole milliseconds, rounded up, stored in 32 bits.
///
/// A limit above 49 days counts as [`Duration::MAX`], which means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Limit {
    millis: u32,
}

impl Limit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { millis: u32::try_from(limit.saturating_add(ROUND_UP).as_millis()).unwrap_or(u32::MAX) }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn get(self) -> Duration {
        if self.millis == u32::MAX { Duration::MAX } else { Duration::from_millis(self.millis as u64) }
    }

    /// Whether the limit ever expires.
    pub(crate) const fn is_on(self) -> bool {
        self.millis != u32::MAX
    }

    /// The limit that [`expiry`](Self::expiry) applies: at least 1 ms.
    pub(crate) fn effective(self) -> Duration {
        self.get().max(MIN_LIMIT)
    }

    /// When this limit expires if it starts at `start`; `None` if there is no limit.
    pub(crate) fn expiry(self, start: Instant) -> Option<Instant> {
        expiry(start, self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_kept_in_whole_milliseconds_rounded_up() {
        assert_eq!(Limit::new(Duration::from_micros(1_001)).get(), Duration::from_millis(2));
        assert_eq!(Limit::new(Duration::from_secs(50 * 24 * 3_600)).get(), Duration::MAX);
    }

    #[test]
    fn a_limit_of_max_never_expires_and_a_limit_of_0_takes_1_ms() {
        assert_eq!(Limit::new(Duration::MAX).expiry(Instant::ZERO), None);
        assert_eq!(expiry(Instant::ZERO, Duration::ZERO), Some(Instant::from_millis(1)));
    }
}
