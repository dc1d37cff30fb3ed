//! PROBE and ECHO: they test whether the peer is there and whether its window has opened.
//!
//! A PROBE is sent in two cases: while the peer's window of 0 holds back data (a persist timer that backs off, RFC 9293
//! §3.8.6.1), and after a silence if keep-alive is on. The peer answers with ECHO and a SACK. ECHO returns the nonce of
//! the PROBE, which an attacker off the path cannot guess: SipHash-2-4 of a counter, keyed with the caller's entropy.

use crate::keyed_hash::hash_number;
use crate::timing::{RetransmitTimer, Timer};
use crate::{ClockShift, Instant};

/// How many of the last probes an ECHO may answer.
const RECENT_PROBES: u32 = 8;

/// Derives the nonces of PROBE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nonces {
    secret: [u8; 16],
}

impl Nonces {
    pub(super) const fn new(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    fn of(&self, counter: u32) -> u64 {
        hash_number(&self.secret, counter)
    }
}

/// The probes of this side, and the echo that is pending for the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Probe {
    /// How many probes were sent: the next nonce derives from it.
    counter: u32,
    /// Runs while the window is closed, or towards the next keep-alive.
    retransmit: RetransmitTimer,
    /// The timer is the persist timer, not the keep-alive.
    persists: bool,
    /// A probe has left, and nothing was heard since.
    unanswered: bool,
    /// The nonce of the last PROBE of the peer.
    echo: u64,
    /// ECHO with that nonce is due.
    echo_pending: bool,
}

impl Probe {
    /// The nonce of the next probe.
    pub(super) fn nonce(&self, nonces: &Nonces) -> u64 {
        nonces.of(self.counter)
    }

    pub(super) fn is_due(&self) -> bool {
        self.retransmit.is_due()
    }

    /// Whether the persist timer runs.
    pub(super) const fn is_persisting(&self) -> bool {
        self.persists
    }

    /// Whether a probe is scheduled, due or unanswered.
    pub(super) const fn is_engaged(&self) -> bool {
        self.unanswered || self.retransmit.is_engaged()
    }

    /// Whether a probe is unanswered.
    pub(super) const fn is_outstanding(&self) -> bool {
        self.unanswered
    }

    pub(super) const fn sent(&self) -> u8 {
        self.retransmit.sent()
    }

    /// Schedules a keep-alive probe.
    pub(super) fn keep_alive(&mut self, at: Instant) {
        self.persists = false;
        self.wait(at);
    }

    /// Schedules a probe of the closed window, in place of a keep-alive. A probe that is due already stays due.
    pub(super) fn persist(&mut self, at: Instant) {
        self.persists = true;
        if !self.retransmit.is_due() {
            self.wait(at);
        }
    }

    fn wait(&mut self, at: Instant) {
        self.retransmit = RetransmitTimer::default();
        self.retransmit.wait(at);
    }

    pub(super) fn on_sent(&mut self, deadline: Instant) {
        self.counter = self.counter.wrapping_add(1);
        self.unanswered = true;
        self.retransmit.on_sent(deadline);
    }

    /// Cancels all probes.
    pub(super) fn stop(&mut self) {
        self.retransmit = RetransmitTimer::default();
        self.persists = false;
        self.unanswered = false;
    }

    /// A valid packet of the peer has arrived.
    pub(super) fn on_heard(&mut self) {
        self.unanswered = false;
    }

    /// Handles an ECHO. Returns whether it answers one of the last eight probes.
    pub(super) fn on_echo(&self, nonces: &Nonces, nonce: u64) -> bool {
        // An answer may be late.
        (1..=self.counter.min(RECENT_PROBES)).any(|ago| nonces.of(self.counter.wrapping_sub(ago)) == nonce)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.retransmit.handle_timeout(now)
    }

    /// The timer of the next probe and its deadline.
    pub(super) fn deadline(&self) -> Option<(Timer, Instant)> {
        let timer = if self.persists { Timer::Persist } else { Timer::KeepAlive };
        self.retransmit.deadline().map(|at| (timer, at))
    }

    /// Handles a PROBE: its ECHO is due.
    pub(super) fn on_probe(&mut self, nonce: u64) {
        self.echo = nonce;
        self.echo_pending = true;
    }

    /// The nonce of the ECHO that is due.
    pub(super) fn echo(&self) -> Option<u64> {
        self.echo_pending.then_some(self.echo)
    }

    pub(super) fn on_echo_sent(&mut self) {
        self.echo_pending = false;
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.retransmit.rebase(shift);
    }
}
