//! The recovery period after a reduction of the window (RFC 9002 §7.3.2, RFC 6582).

use crate::{ClockShift, Instant};

/// Limits reductions to one per round trip: packets sent before a reduction say nothing about its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct RecoveryPeriod {
    start: Option<Instant>,
}

impl RecoveryPeriod {
    /// Processes the loss of a packet sent at `sent_at`. Returns whether a period begins, so that the window must be
    /// reduced.
    pub(super) fn enter(&mut self, now: Instant, sent_at: Instant) -> bool {
        if self.covers(sent_at) {
            return false;
        }
        self.start = Some(now);
        true
    }

    /// Whether a packet sent at `sent_at` was sent before the period began: its acknowledgement does not open the
    /// window.
    pub(super) fn covers(&self, sent_at: Instant) -> bool {
        self.start.is_some_and(|start| sent_at <= start)
    }

    /// Ends the period.
    pub(super) fn leave(&mut self) {
        self.start = None;
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.start = self.start.map(|start| shift.sending(start));
    }
}
