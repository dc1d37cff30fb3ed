//! PROBE and ECHO: is the peer there, and does its window open?
//!
//! A PROBE is sent while the peer's window of 0 holds back what there is to send (a persist timer that backs off), and after
//! a silence where keep-alive is on. It carries a nonce that only somebody who saw it can echo: SipHash-2-4 of a counter under
//! a secret from the caller's entropy. The peer answers with ECHO and a SACK.

use super::repeat::Repeat;
use crate::{ClockShift, Instant};
use core::hash::Hasher;
use siphasher::sip::SipHasher24;

/// Makes nonces that a stranger cannot guess.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nonces {
    secret: [u8; 16],
}

impl Nonces {
    pub(super) const fn new(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    fn of(&self, counter: u32) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        hasher.write_u32(counter);
        hasher.finish()
    }
}

/// Our probes, and the echo that we owe.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Probe {
    counter: u32,
    /// While the window is closed, or the peer has been silent for the keep-alive.
    repeat: Repeat,
    /// It is for the closed window, not for the keep-alive.
    persists: bool,
    /// A probe has left and nothing was heard since.
    unanswered: bool,
    echo: u64,
    owes_echo: bool,
}

impl Probe {
    /// The nonce of the next probe.
    pub(super) fn nonce(&self, nonces: &Nonces) -> u64 {
        nonces.of(self.counter)
    }

    pub(super) fn is_due(&self) -> bool {
        self.repeat.is_due()
    }

    /// Whether the persist timer runs.
    pub(super) const fn is_persisting(&self) -> bool {
        self.persists
    }

    /// Whether a probe is due, waits for its time or for its answer.
    pub(super) const fn is_engaged(&self) -> bool {
        self.unanswered || self.repeat.is_engaged()
    }

    /// Whether the peer owes us an answer.
    pub(super) const fn is_outstanding(&self) -> bool {
        self.unanswered
    }

    pub(super) const fn sent(&self) -> u8 {
        self.repeat.sent()
    }

    /// To be sent at `at`, unless something is heard before.
    pub(super) fn keep_alive(&mut self, at: Instant) {
        self.persists = false;
        self.wait(at);
    }

    /// The window is closed: to be sent at `at`, whenever the keep-alive would have asked. One that is due already asks now.
    pub(super) fn persist(&mut self, at: Instant) {
        self.persists = true;
        if !self.repeat.is_due() {
            self.wait(at);
        }
    }

    fn wait(&mut self, at: Instant) {
        self.repeat = Repeat::default();
        self.repeat.wait(at);
    }

    pub(super) fn on_sent(&mut self, deadline: Instant) {
        self.counter = self.counter.wrapping_add(1);
        self.unanswered = true;
        self.repeat.on_sent(deadline);
    }

    /// No probe is needed.
    pub(super) fn stop(&mut self) {
        self.repeat = Repeat::default();
        self.persists = false;
        self.unanswered = false;
    }

    /// Something has come from the peer.
    pub(super) fn on_heard(&mut self) {
        self.unanswered = false;
    }

    /// An ECHO has come. Returns whether it answers one of the probes.
    pub(super) fn on_echo(&self, nonces: &Nonces, nonce: u64) -> bool {
        // One of the last few: an answer may be late.
        (1..=self.counter.min(8)).any(|ago| nonces.of(self.counter.wrapping_sub(ago)) == nonce)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.repeat.handle_timeout(now)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.repeat.poll_timeout()
    }

    /// A PROBE has come.
    pub(super) fn on_probe(&mut self, nonce: u64) {
        self.echo = nonce;
        self.owes_echo = true;
    }

    pub(super) fn echo(&self) -> Option<u64> {
        self.owes_echo.then_some(self.echo)
    }

    pub(super) fn on_echo_sent(&mut self) {
        self.owes_echo = false;
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.repeat.rebase(shift);
    }
}
