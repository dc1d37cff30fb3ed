//! A control packet that is repeated until something answers it.

use crate::{ClockShift, Instant};

/// When to send CONNECT, CONNACK or FIN: now, at a deadline, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Repeat {
    /// When it becomes due, unless it is already.
    deadline: Option<Instant>,
    due: bool,
    sent: u8,
}

impl Repeat {
    /// To be sent now.
    pub(crate) fn request(&mut self) {
        self.due = true;
        self.deadline = None;
    }

    /// Not to be sent again.
    pub(crate) fn stop(&mut self) {
        self.due = false;
        self.deadline = None;
    }

    /// Whether it is due, or waits for its time.
    pub(crate) const fn is_engaged(&self) -> bool {
        self.due || self.deadline.is_some()
    }

    pub(crate) const fn is_due(&self) -> bool {
        self.due
    }

    /// How often it was sent.
    pub(crate) const fn sent(&self) -> u8 {
        self.sent
    }

    /// It has left, and is to be repeated at `deadline`.
    pub(crate) fn on_sent(&mut self, deadline: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.wait(deadline);
    }

    /// It has left, and is not to be repeated.
    pub(crate) fn on_sent_once(&mut self) {
        self.sent = self.sent.saturating_add(1);
        self.stop();
    }

    /// To be sent at `at`, for the first time.
    pub(crate) fn wait(&mut self, at: Instant) {
        self.due = false;
        self.deadline = Some(at);
    }

    /// Time has passed. Returns whether it became due by that.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let expired = self.deadline.is_some_and(|deadline| deadline <= now);
        if expired {
            self.request();
        }
        expired
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        self.deadline = shift.deadline(self.deadline);
    }
}
