//! A control packet that is repeated until something answers it.

use crate::Instant;

/// When to send CONNECT, CONNACK or FIN: now, at a deadline, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Repeat {
    state: State,
    sent: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum State {
    #[default]
    Idle,
    Due,
    Waiting {
        deadline: Instant,
    },
}

impl Repeat {
    /// To be sent now.
    pub(crate) fn request(&mut self) {
        self.state = State::Due;
    }

    /// Not to be sent again.
    pub(crate) fn stop(&mut self) {
        self.state = State::Idle;
    }

    /// Whether it is due, or waits for its time.
    pub(crate) const fn is_engaged(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    pub(crate) fn is_due(&self) -> bool {
        self.state == State::Due
    }

    /// How often it was sent.
    pub(crate) const fn sent(&self) -> u8 {
        self.sent
    }

    /// It has left, and is to be repeated at `deadline`.
    pub(crate) fn on_sent(&mut self, deadline: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.state = State::Waiting { deadline };
    }

    /// It has left, and is not to be repeated.
    pub(crate) fn on_sent_once(&mut self) {
        self.sent = self.sent.saturating_add(1);
        self.state = State::Idle;
    }

    /// To be sent at `at`, for the first time.
    pub(crate) fn wait(&mut self, at: Instant) {
        self.state = State::Waiting { deadline: at };
    }

    /// Time has passed. Returns whether it became due by that.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        match self.state {
            State::Waiting { deadline } if deadline <= now => {
                self.state = State::Due;
                true
            }
            State::Idle | State::Due | State::Waiting { .. } => false,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { deadline } => Some(deadline),
            State::Idle | State::Due => None,
        }
    }
}
