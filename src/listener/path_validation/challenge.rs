//! One challenge: a PROBE that only an endpoint that receives it can answer.

use crate::BufferTooSmall;
use crate::wire::{Framing, Packet};

/// The maximum number of challenges to an address.
const MAX_CHALLENGES: u8 = 8;

/// The length of a tagged PROBE without padding, in bytes.
pub(super) const PROBE_BYTES: usize = 23;

/// A challenge to one address.
#[derive(Clone, Copy)]
pub(super) struct Challenge {
    nonce: u64,
    state: State,
    sent: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Due,
    Waiting,
    Answered,
}

impl Challenge {
    pub(super) const fn new(nonce: u64) -> Self {
        Self { nonce, state: State::Due, sent: 0 }
    }

    pub(super) fn is_due(self) -> bool {
        self.state == State::Due
    }

    pub(super) fn is_answered(&self) -> bool {
        self.state == State::Answered
    }

    /// Whether an ECHO with this nonce answers the challenge.
    pub(super) const fn accepts(&self, nonce: u64) -> bool {
        self.nonce == nonce && self.sent > 0
    }

    pub(super) const fn on_answered(&mut self) {
        self.state = State::Answered;
    }

    /// Makes an unanswered challenge due again, at most [`MAX_CHALLENGES`] times in all.
    pub(super) fn repeat(&mut self) {
        if self.state == State::Waiting && self.sent < MAX_CHALLENGES {
            self.state = State::Due;
        }
    }

    /// Allows as many repeats as a new challenge has. The nonce stays.
    pub(super) const fn renew(&mut self) {
        self.sent = if self.sent > 0 { 1 } else { 0 };
    }

    pub(super) fn write(&mut self, framing: &Framing, counter: u32, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let len = Packet::Probe { nonce: self.nonce, for_window: false, padding: &[] }.write(framing, counter, buf)?;
        self.state = State::Waiting;
        self.sent = self.sent.saturating_add(1);
        Ok(len)
    }
}
