//! The recovery period that RFC 9002 §7.3.2 (and RFC 6582) put around a reduction of the window.

use crate::{ClockShift, Instant};

/// Reduces at most once per round trip: what was sent before the reduction tells nothing about its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct RecoveryPeriod {
    start: Option<Instant>,
}

impl RecoveryPeriod {
    /// A packet sent at `sent_at` was lost. Whether that starts a period, so that the window must be reduced.
    pub(super) fn enter(&mut self, now: Instant, sent_at: Instant) -> bool {
        if self.covers(sent_at) {
            return false;
        }
        self.start = Some(now);
        true
    }

    /// Whether what was sent at `sent_at` was sent before the period began: its acknowledgement does not open the window.
    pub(super) fn covers(&self, sent_at: Instant) -> bool {
        self.start.is_some_and(|start| sent_at <= start)
    }

    /// Forgets the period.
    pub(super) fn leave(&mut self) {
        self.start = None;
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.start = self.start.map(|start| shift.sending(start));
    }
}
