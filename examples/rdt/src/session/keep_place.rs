//! When a client that works itself tells its server so.
//!
//! A server ends a connection without progress (`limits.rs`). A client that hashes a large file, or waits for a pipe,
//! makes none. So it says that it works: at most once an interval, and only if too little has moved in it. The rules of
//! the session ([`rdt_proto::files`]) limit how long a server accepts that.

use rdt_proto::{Duration, Instant};

/// The least progress in an interval: that which a server demands in a longer time.
const LEAST: u64 = 1_024;
/// The number of intervals in the limit of this side on silence. A server with the same limit demands progress in each
/// six of them.
const INTERVALS: u64 = 3;

pub(super) struct KeepPlace {
    interval: Duration,
    /// The start of the present interval, and the bytes that had moved by then.
    since: Option<(Instant, u64)>,
}

impl KeepPlace {
    pub(super) fn new(idle_limit: Duration) -> Self {
        Self { interval: Duration::from_micros(idle_limit.as_micros() / INTERVALS), since: None }
    }

    /// Whether the server is to hear now that this side works. `moved` bytes have moved in all.
    pub(super) fn is_due(&mut self, now: Instant, is_working: bool, moved: u64) -> bool {
        let (since, before) = *self.since.get_or_insert((now, moved));
        let has_moved = moved.saturating_sub(before) >= LEAST;
        if now < since + self.interval || !(has_moved || is_working) {
            return false;
        }
        self.since = Some((now, moved));
        !has_moved
    }

    /// When it may be due, while this side works.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.since.map(|(since, _)| since + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_works_says_so_once_an_interval() {
        let at = Instant::from_millis;
        let mut keep = KeepPlace::new(Duration::from_secs(30));
        assert!(!keep.is_due(at(0), true, 0));
        assert_eq!(keep.poll_timeout(), Some(at(10_000)));
        assert!(!keep.is_due(at(9_999), true, 0));
        assert!(keep.is_due(at(10_000), true, 0));
        assert!(!keep.is_due(at(10_001), true, 1_029), "its own message moves");
        // The message that kept the place counts in the next interval.
        assert!(!keep.is_due(at(20_000), true, 1_029));
        assert!(keep.is_due(at(30_000), true, 1_029 + 1_023), "too little has moved");
        assert!(!keep.is_due(at(40_000), false, 2_100), "the server works, or the user waits");
        assert!(keep.is_due(at(55_000), true, 2_100), "work after a long wait");
        assert!(!keep.is_due(at(64_999), true, 2_100));
        assert!(!keep.is_due(at(65_000), true, 2_100 + 1_024), "content moves");
    }
}
