//! The progress timer: how long sent data has waited for an acknowledgement of anything new.
//!
//! Each packet of the peer restarts the idle timer. A path that carries PROBE and SACK, but drops every larger datagram,
//! would therefore keep a connection alive that can never deliver its data.

use crate::timing::expiry;
use crate::{ClockShift, Duration, Instant};

/// Runs while data is unacknowledged and the peer's window is open.
///
/// The idle timer decides about a peer that is silent, and a blackout must not end a connection that the idle timer
/// spares. So each silence of the peer counts only up to a limit, `most_silence`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Progress {
    since: Option<Instant>,
}

impl Progress {
    /// Stops the timer if nothing is awaited. Otherwise starts it, unless it runs already.
    pub(super) fn settle(&mut self, now: Instant, is_awaited: bool) {
        self.since = if is_awaited { self.since.or(Some(now)) } else { None };
    }

    /// Records that new data was acknowledged: the next [`settle`](Self::settle) starts the timer afresh.
    pub(super) fn on_progress(&mut self) {
        self.since = None;
    }

    /// Records a valid packet of the peer, whose last packet before arrived at `heard`.
    pub(super) fn on_heard(&mut self, now: Instant, heard: Instant, most_silence: Duration) {
        if let Some(since) = &mut self.since {
            let excess = now.saturating_since(heard.max(*since) + most_silence);
            *since = *since + excess;
        }
    }

    /// When the wait has taken `limit`; `None` if the timer does not run, or if the peer, last `heard`, would be silent
    /// for too long by then.
    pub(super) fn deadline(&self, limit: Duration, heard: Instant, most_silence: Duration) -> Option<Instant> {
        expiry(self.since?, limit).filter(|&end| end <= heard + most_silence)
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.since = self.since.map(|since| shift.apply(since));
    }
}
