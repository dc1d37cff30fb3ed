//! PROBE and ECHO, which test whether the peer is alive and whether its window has opened.
//!
//! A PROBE is sent in two cases, and a padded one [searches](super::path_size) the datagram size of the path:
//!
//! - while the peer's window of 0 holds back data (the persist timer of RFC 9293 §3.8.6.1, with backoff);
//! - after a silence, if keep-alive is on. A silence in the midst of the peer's data is probed early: a peer that sent
//!   until now has perhaps lost sight of this side, whose address has changed.
//!
//! The peer answers the first with SACK, which carries the window, and the others with ECHO, which returns the nonce of
//! the PROBE. The nonces derive from the caller's entropy, and need no hash. An ECHO counts only under our tag, and any
//! valid packet under our tag shows that the peer is alive, so a nonce only has to differ from those of old probes.

use crate::time::ShortDuration;
use crate::timing::{RetransmitTimer, Rtt, Timer};
use crate::{ClockShift, Duration, Instant};

/// The bit that marks the nonce of a PROBE of a datagram size.
pub(super) const SIZE_PROBE: u64 = 1 << 63;

/// The number of recent probes that an ECHO may answer.
const RECENT_PROBES: u32 = 8;

/// The shortest silence in the midst of the peer's data that is probed.
const SHORTEST_GAP: Duration = Duration::from_millis(500);
/// The most doublings of such a silence.
const MOST_DOUBLINGS: u8 = 16;

/// The nonces of PROBE: consecutive numbers from a secret one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nonces {
    first: u64,
}

impl Nonces {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self { first: secret.first_chunk().map_or(0, |&bytes| u64::from_be_bytes(bytes)) }
    }

    const fn of(&self, counter: u32) -> u64 {
        self.first.wrapping_add(counter as u64)
    }
}

/// The probes of this side, and the echo that is pending for the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Probe {
    /// The number of probes sent, from which the next nonce is derived.
    counter: u32,
    /// The persist timer or the keep-alive timer.
    retransmit: RetransmitTimer,
    /// Whether `retransmit` is the persist timer. Otherwise it is the keep-alive timer.
    persists: bool,
    /// Whether a probe was sent and no valid packet has arrived since.
    unanswered: bool,
    /// The nonce of the last PROBE of the peer.
    echo: u64,
    /// The counter of that PROBE.
    echo_counter: u32,
    /// Whether ECHO with the nonce `echo` is due.
    echo_pending: bool,
    /// One more than the number of probes since data of the peer arrived last; saturates. 0 before any data.
    since_data: u8,
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

    /// Records data of the peer.
    pub(super) fn on_data(&mut self) {
        self.since_data = 1;
    }

    /// How long the peer must be silent until the next keep-alive probe, if keep-alive is on with `interval`.
    ///
    /// After data it is two RTOs, from 500 ms to `interval`. It doubles with each probe until data comes again.
    pub(super) fn idle_time(&self, interval: Duration, rtt: &Rtt) -> Duration {
        if self.since_data == 0 {
            return interval;
        }
        let rto = rtt.rto();
        let mut idle_time = rto.saturating_add(rto).max(SHORTEST_GAP);
        for _ in 1..self.since_data.min(MOST_DOUBLINGS) {
            idle_time = idle_time.saturating_add(idle_time);
        }
        idle_time.min(interval)
    }

    /// Schedules a keep-alive probe.
    pub(super) fn keep_alive(&mut self, at: Instant) {
        self.persists = false;
        self.wait(at);
    }

    /// Schedules a probe of the closed window, and cancels a keep-alive. A probe that is already due stays due.
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

    pub(super) fn on_sent(&mut self, now: Instant, rtt: &mut Rtt) {
        self.counter = self.counter.wrapping_add(1);
        self.unanswered = true;
        if self.since_data > 0 {
            self.since_data = self.since_data.saturating_add(1);
        }
        self.retransmit.back_off(rtt, now, ShortDuration::MAX);
    }

    /// Records a PROBE that tests a datagram size. No timer repeats it.
    pub(super) fn on_size_probe_sent(&mut self) {
        self.counter = self.counter.wrapping_add(1);
    }

    /// Cancels all probes.
    pub(super) fn stop(&mut self) {
        self.retransmit = RetransmitTimer::default();
        self.persists = false;
        self.unanswered = false;
    }

    /// Records a valid packet of the peer, which also counts as the answer to a probe.
    pub(super) fn on_heard(&mut self) {
        self.unanswered = false;
    }

    /// Handles an ECHO. Returns whether it answers one of the last eight probes.
    pub(super) fn on_echo(&self, nonces: &Nonces, nonce: u64) -> bool {
        // A late ECHO may answer an earlier probe.
        let ago = nonces.of(self.counter).wrapping_sub(nonce);
        (1..=u64::from(self.counter.min(RECENT_PROBES))).contains(&ago)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.retransmit.handle_timeout(now)
    }

    /// The timer of the next probe and its deadline.
    pub(super) fn deadline(&self) -> Option<(Timer, Instant)> {
        let timer = if self.persists { Timer::Persist } else { Timer::KeepAlive };
        self.retransmit.deadline().map(|at| (timer, at))
    }

    /// Handles a PROBE: ECHO is due.
    pub(super) fn on_probe(&mut self, nonce: u64, counter: u32) {
        (self.echo, self.echo_counter) = (nonce, counter);
        self.echo_pending = true;
    }

    pub(super) const fn is_echo_due(&self) -> bool {
        self.echo_pending
    }

    /// The nonce and the counter of the last PROBE of the peer.
    pub(super) const fn echo(&self) -> (u64, u32) {
        (self.echo, self.echo_counter)
    }

    pub(super) fn on_echo_sent(&mut self) {
        self.echo_pending = false;
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.retransmit.rebase(shift);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_differ_even_if_the_secret_is_zero() {
        let nonces = Nonces::new([0; 16]);
        let all: std::collections::BTreeSet<u64> =
            (0..1_000).flat_map(|counter| [0, SIZE_PROBE].map(|differs| nonces.of(counter) ^ differs)).collect();
        assert_eq!(all.len(), 2_000);
    }

    #[test]
    fn an_echo_answers_one_of_the_last_eight_probes() {
        let nonces = Nonces::new([7; 16]);
        let mut probe = Probe::default();
        let mut rtt = Rtt::new(Duration::MAX, crate::timing::Jitter::new(0));
        for _ in 0..10 {
            probe.on_sent(Instant::ZERO, &mut rtt);
        }
        let answers = |&counter: &u32| probe.on_echo(&nonces, nonces.of(counter));
        assert!((0..12).filter(answers).eq(2..10));
    }
}
