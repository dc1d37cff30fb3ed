//! The recovery period after a reduction of the window (RFC 9002 §7.3.2, RFC 6582).

use crate::{ClockShift, Instant};

/// Limits reductions of the window to one per round trip.
///
/// The loss of a packet sent before a reduction says nothing about the effect of the reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct RecoveryPeriod {
    start: Option<Instant>,
}

impl RecoveryPeriod {
    /// Processes the loss of a packet sent at `sent_at`. Returns whether a new period begins. If so, the caller reduces
    /// the window.
    pub(super) fn enter(&mut self, now: Instant, sent_at: Instant) -> bool {
        if self.covers(sent_at) {
            return false;
        }
        self.start = Some(now);
        true
    }

    /// Whether a packet sent at `sent_at` was sent before the period began.
    ///
    /// The acknowledgement of such a packet does not open the window, and its loss does not reduce the window again.
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
