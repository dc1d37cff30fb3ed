//! Time limits and their expiry.

use crate::{Duration, Instant};

/// The shortest limit.
///
/// A limit of 0 would expire at its start, and no deadline could lie in the future.
const MIN_LIMIT: Duration = Duration::from_millis(1);

/// What makes a division by 1 ms round up.
const ROUND_UP: Duration = Duration::from_micros(999);

/// When a limit that starts at `start` expires; `None` if it is [`Duration::MAX`], which disables it.
pub(crate) fn expiry(start: Instant, limit: Duration) -> Option<Instant> {
    (limit != Duration::MAX).then(|| start + limit.max(MIN_LIMIT))
}

/// A limit in 32 bits: whole milliseconds, rounded up, at most 49 days.
///
/// A longer limit is disabled.
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

    /// The limit that [`expiry`](Self::expiry) applies: at least 1 ms.
    pub(crate) fn effective(self) -> Duration {
        self.get().max(MIN_LIMIT)
    }

    /// When this limit expires if it starts at `start`; `None` if it is disabled.
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
    fn a_disabled_limit_never_expires_and_one_of_0_takes_1_ms() {
        assert_eq!(Limit::new(Duration::MAX).expiry(Instant::ZERO), None);
        assert_eq!(expiry(Instant::ZERO, Duration::ZERO), Some(Instant::from_millis(1)));
    }
}
