//! The timer of a packet that is repeated until it is answered.

use super::Rtt;
use crate::time::ShortDuration;
use crate::{ClockShift, Instant};

/// When to send a packet: now, at a deadline, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct RetransmitTimer {
    /// When the packet becomes due; `None` while the packet is due or the timer is stopped.
    deadline: Option<Instant>,
    due: bool,
    /// The number of transmissions; saturates.
    sent: u8,
}

impl RetransmitTimer {
    /// Makes the packet due now.
    pub(crate) fn request(&mut self) {
        self.due = true;
        self.deadline = None;
    }

    /// Stops the timer: the packet is not sent again.
    pub(crate) fn stop(&mut self) {
        self.due = false;
        self.deadline = None;
    }

    /// Whether the packet is due or waits for its deadline.
    pub(crate) const fn is_engaged(&self) -> bool {
        self.due || self.deadline.is_some()
    }

    pub(crate) const fn is_due(&self) -> bool {
        self.due
    }

    /// How often the packet was sent, at most 255.
    pub(crate) const fn sent(&self) -> u8 {
        self.sent
    }

    /// Counts from the last transmission on.
    pub(crate) fn count_again(&mut self) {
        self.sent = self.sent.min(1);
    }

    /// Counts a transmission, and makes the packet due again at `deadline`.
    pub(crate) fn on_sent(&mut self, deadline: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.wait(deadline);
    }

    /// As [`on_sent`](Self::on_sent), at the retransmission timeout with backoff, at most `longest` later.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn back_off(&mut self, rtt: &mut Rtt, now: Instant, longest: ShortDuration) {
        self.on_sent(rtt.deadline_within(self.sent, now, longest));
    }

    /// Makes the packet due at `at`.
    pub(crate) fn wait(&mut self, at: Instant) {
        self.due = false;
        self.deadline = Some(at);
    }

    /// Makes the packet due if its deadline has passed. Returns whether the deadline has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let expired = self.deadline.is_some_and(|deadline| deadline <= now);
        if expired {
            self.request();
        }
        expired
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        self.deadline = shift.deadline(self.deadline);
    }
}
