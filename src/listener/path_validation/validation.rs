//! The validation of one change of address.

use super::challenge::{Challenge, PROBE_BYTES};
use crate::wire::Framing;
use crate::{BufferTooSmall, Duration, Instant, Seq};

/// The duration of a validation in RTOs.
const TIMEOUTS: u64 = 3;

/// The interval between the first two challenges to an address, as between two CONNACKs. It doubles each time.
const FIRST_INTERVAL: Duration = Duration::from_millis(125);

/// The shortest timeout: that of a path without a sample, since the new path may be slower (RFC 9000 §8.2.4).
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest time for which the old address may answer before a move: a machine may stand still for as long.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(100);

/// The longest such time: on a measured path, and on one without a sample, whose RTO of 1 s says nothing.
const LONGEST_PATIENCE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_UNMEASURED_PATIENCE: Duration = Duration::from_millis(400);

/// A datagram that starts a validation, and what is known of the old path.
#[derive(Clone, Copy)]
pub(super) struct Start<A> {
    pub(super) now: Instant,
    pub(super) new: A,
    /// The length of the datagram in bytes.
    pub(super) received: usize,
    pub(super) counter: Seq,
    /// The RTO of the old path, and whether it is measured.
    pub(super) rto: Duration,
    pub(super) is_measured: bool,
    /// The nonces for the old and the new address, in this order.
    pub(super) nonces: [u64; 2],
}

/// The effect of an ECHO, of another datagram, or of a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ignored,
    /// The new address has answered. The old address may still answer.
    Answered,
    /// The connection moves to the new address.
    Migrate,
    /// The validation ends, and the connection keeps its old address.
    Keep,
    /// The validation ends, and the connection moves back to the old address.
    Revert,
    /// The validation ends, and the connection moves to the address of its handshake.
    Return,
    /// The validation ends, and the connection keeps the new address.
    Confirm,
    /// The validation ends: the address of the handshake has not answered.
    Stay,
}

/// A validation in progress.
#[derive(Clone)]
pub(super) struct Validation<A> {
    /// The address that the connection does not use: the new address, or the old address after the migration.
    other: A,
    /// The challenge to the old address, or to that of the handshake.
    challenge: Challenge,
    state: State,
    /// The counter of the datagram that has started the validation.
    counter: Seq,
    timeout: Duration,
    /// When the challenges are repeated, and how long after that again. The interval doubles.
    repeat_at: Instant,
    interval: Duration,
    /// When the validation ends.
    until: Instant,
}

#[derive(Clone, Copy)]
enum State {
    /// The connection is at the old address.
    Challenged {
        /// The challenge to the new address.
        new: Challenge,
        /// The number of bytes that may still be sent to the new address: bytes received from it, minus bytes sent to
        /// it.
        allowance: usize,
        /// The earliest time of the migration.
        patience: Instant,
    },
    /// The connection has moved to the new address.
    Migrated {
        /// Whether the connection counts for the hosts of both addresses.
        ///
        /// The connection may move back until the validation ends. Until then it keeps its quota at the old host.
        reserves_old: bool,
    },
    /// The connection is elsewhere, and the address of its handshake has sent a datagram.
    ///
    /// This address was validated by the handshake, so no allowance limits its challenges.
    Returning,
}

impl<A: Copy + Eq> Validation<A> {
    /// Starts a validation. `returns`: the new address is that of the handshake.
    pub(super) fn new(start: Start<A>, returns: bool, is_in_doubt: bool) -> Self {
        let Start { now, new: other, received: allowance, counter, rto, is_measured, nonces: [old, new] } = start;
        let timeout = rto.max(SHORTEST_TIMEOUT);
        let until = now + timeout.saturating_mul(TIMEOUTS);
        let longest = if is_measured { LONGEST_PATIENCE } else { LONGEST_UNMEASURED_PATIENCE };
        let patience = if is_in_doubt { until } else { now + rto.max(SHORTEST_PATIENCE).min(longest) };
        let state = if returns {
            State::Returning
        } else {
            State::Challenged { new: Challenge::new(new), allowance, patience }
        };
        let (challenge, interval) = (Challenge::new(old), FIRST_INTERVAL);
        Self { other, challenge, state, counter, timeout, repeat_at: now + interval, interval, until }
    }

    pub(super) const fn other(&self) -> A {
        self.other
    }

    /// Whether the validation of another address ends if the address of the handshake, `home`, sends a datagram.
    pub(super) fn is_evicted_by(&self, home: A) -> bool {
        match self.state {
            State::Challenged { .. } => self.other != home,
            State::Migrated { .. } | State::Returning => false,
        }
    }

    /// Whether the connection has left this address for another one, which may be reverted.
    pub(super) fn has_left(&self, address: A) -> bool {
        match self.state {
            State::Migrated { .. } => self.other == address,
            State::Challenged { .. } | State::Returning => false,
        }
    }

    /// The other address, if the connection also counts for the host of that address.
    pub(super) const fn reserved(&self) -> Option<A> {
        match self.state {
            State::Migrated { reserves_old: true } => Some(self.other),
            State::Migrated { reserves_old: false } | State::Challenged { .. } | State::Returning => None,
        }
    }

    /// Records that the connection has moved from `old` to the new address. The old address has as long again.
    pub(super) fn on_migrated(&mut self, now: Instant, old: A, reserves_old: bool) {
        self.challenge.renew();
        self.other = old;
        self.state = State::Migrated { reserves_old };
        self.until = now + self.timeout.saturating_mul(TIMEOUTS);
    }

    pub(super) const fn on_reverted(&mut self, new: A) {
        self.other = new;
    }

    /// Handles a datagram of `bytes` bytes that the connection has accepted.
    ///
    /// `from_other`: it comes from the other address, and not from the current address of the peer.
    pub(super) fn on_datagram(&mut self, counter: Seq, bytes: usize, from_other: bool) -> Outcome {
        let is_later = self.counter.precedes(counter);
        match &mut self.state {
            State::Challenged { allowance, .. } if from_other => *allowance = allowance.saturating_add(bytes),
            // The peer has sent from its old address after the datagram from the new one.
            State::Challenged { .. } if is_later => return Outcome::Keep,
            State::Migrated { .. } | State::Returning if from_other && is_later => self.challenge.repeat(),
            State::Challenged { .. } | State::Migrated { .. } | State::Returning => {}
        }
        Outcome::Ignored
    }

    /// The effect of an ECHO. `from_other`: see [`on_datagram`](Self::on_datagram).
    pub(super) fn on_echo(&mut self, now: Instant, nonce: u64, from_other: bool) -> Outcome {
        let is_answer = self.challenge.accepts(nonce);
        match &mut self.state {
            State::Challenged { new, patience, .. } => match (from_other, new.accepts(nonce)) {
                (true, true) => {
                    new.on_answered();
                    if *patience <= now { Outcome::Migrate } else { Outcome::Answered }
                }
                // If the old address answers the challenge to the new one, the peer received it there from an observer.
                (false, is_other) if is_answer || is_other => Outcome::Keep,
                (true | false, _) => Outcome::Ignored,
            },
            State::Migrated { .. } if from_other && is_answer => Outcome::Revert,
            State::Returning if from_other && is_answer => Outcome::Return,
            State::Migrated { .. } | State::Returning => Outcome::Ignored,
        }
    }

    /// Makes unanswered challenges due again after their interval, and decides what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Outcome {
        let is_over = self.until <= now;
        match &self.state {
            State::Challenged { new, patience, .. } if new.is_answered() && *patience <= now => {
                return Outcome::Migrate;
            }
            State::Challenged { .. } if is_over => return Outcome::Keep,
            State::Migrated { .. } if is_over => return Outcome::Confirm,
            State::Returning if is_over => return Outcome::Stay,
            State::Challenged { .. } | State::Migrated { .. } | State::Returning => {}
        }
        if self.repeat_at <= now {
            self.interval = self.interval.saturating_add(self.interval);
            self.repeat_at = now + self.interval;
            self.challenge.repeat();
            if let State::Challenged { new, .. } = &mut self.state {
                new.repeat();
            }
        }
        Outcome::Ignored
    }

    /// When the validation ends, if it ends at `now` at the latest.
    pub(super) fn end(&self, now: Instant) -> Instant {
        self.until.min(now)
    }

    /// When to call `handle_timeout`. A PROBE that is due does not count.
    pub(super) fn poll_timeout(&self) -> Instant {
        let next = self.repeat_at.min(self.until);
        match self.state {
            State::Challenged { new, patience, .. } if new.is_answered() => next.min(patience),
            State::Challenged { .. } | State::Migrated { .. } | State::Returning => next,
        }
    }

    /// As [`Paths::poll_transmit`](super::Paths::poll_transmit).
    pub(super) fn poll_transmit(
        &mut self,
        peer: A,
        framing: &Framing,
        counter: u32,
        buf: &mut [u8],
    ) -> Result<Option<(A, usize)>, BufferTooSmall> {
        let (to, challenge) = match &mut self.state {
            State::Challenged { new, allowance, .. } if new.is_due() && *allowance >= PROBE_BYTES => {
                let len = new.write(framing, counter, buf)?;
                *allowance -= PROBE_BYTES;
                return Ok(Some((self.other, len)));
            }
            State::Challenged { .. } => (peer, &mut self.challenge),
            State::Migrated { .. } | State::Returning => (self.other, &mut self.challenge),
        };
        if !challenge.is_due() {
            return Ok(None);
        }
        Ok(Some((to, challenge.write(framing, counter, buf)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Tag;

    const OLD: u8 = 1;
    const NEW: u8 = 2;
    const NONCES: [u64; 2] = [11, 22];
    const RTO: Duration = Duration::from_millis(110);
    /// When the old address no longer has precedence.
    const PATIENCE: Instant = Instant::from_millis(110);
    const COUNTER: Seq = Seq::new(7);

    fn started(received: usize, returns: bool, is_in_doubt: bool) -> Validation<u8> {
        let (now, counter) = (Instant::ZERO, COUNTER);
        let start = Start { now, new: NEW, received, counter, rto: RTO, is_measured: true, nonces: NONCES };
        Validation::new(start, returns, is_in_doubt)
    }

    fn challenged(received: usize) -> Validation<u8> {
        started(received, false, false)
    }

    /// The destinations of all PROBEs that are due.
    fn drain(validation: &mut Validation<u8>, peer: u8) -> std::vec::Vec<u8> {
        let (framing, mut buf) = (Framing::tagged(Tag::new([1; 8])), [0; 32]);
        core::iter::from_fn(|| validation.poll_transmit(peer, &framing, 0, &mut buf).unwrap())
            .inspect(|&(_, len)| assert_eq!(len, PROBE_BYTES))
            .map(|(to, _)| to)
            .collect()
    }

    #[test]
    fn an_echo_from_the_old_address_keeps_it() {
        for nonce in NONCES {
            let (mut validation, now) = (challenged(PROBE_BYTES), Instant::ZERO);
            assert_eq!(validation.on_echo(now, nonce, false), Outcome::Ignored, "an unsent challenge has no answer");
            assert_eq!(drain(&mut validation, OLD), [NEW, OLD]);
            assert_eq!(validation.on_echo(now, NONCES[0], true), Outcome::Ignored, "the new cannot answer for the old");
            assert_eq!(validation.on_echo(now, nonce, false), Outcome::Keep);
        }
    }

    #[test]
    fn only_a_later_datagram_from_the_old_address_keeps_it() {
        for (counter, from_other, outcome) in [
            (COUNTER, false, Outcome::Ignored),
            (COUNTER.sub(1), false, Outcome::Ignored),
            (COUNTER.next(), true, Outcome::Ignored),
            (COUNTER.next(), false, Outcome::Keep),
        ] {
            assert_eq!(challenged(1).on_datagram(counter, 1, from_other), outcome, "{counter}, {from_other}");
        }
    }

    #[test]
    fn the_old_address_has_time_to_answer_first() {
        let mut validation = challenged(PROBE_BYTES);
        drain(&mut validation, OLD);
        assert_eq!(validation.on_echo(Instant::ZERO, NONCES[1], true), Outcome::Answered);
        assert_eq!(validation.poll_timeout(), PATIENCE);
        assert_eq!(validation.handle_timeout(PATIENCE), Outcome::Migrate);
        // With doubt, it has the whole validation.
        let mut validation = started(PROBE_BYTES, false, true);
        drain(&mut validation, OLD);
        assert_eq!(validation.on_echo(Instant::ZERO, NONCES[1], true), Outcome::Answered);
        assert_eq!(validation.handle_timeout(Instant::from_millis(2_999)), Outcome::Ignored);
        assert_eq!(validation.handle_timeout(Instant::from_millis(3_000)), Outcome::Migrate);
    }

    #[test]
    fn echoes_migrate_to_the_new_address_and_revert_to_the_old() {
        let mut validation = challenged(PROBE_BYTES);
        drain(&mut validation, OLD);
        let now = PATIENCE;
        assert_eq!(validation.on_echo(now, NONCES[1], true), Outcome::Migrate);
        validation.on_migrated(now, OLD, true);
        assert_eq!((validation.other(), validation.reserved()), (OLD, Some(OLD)));
        assert_eq!(validation.on_echo(now, NONCES[1], false), Outcome::Ignored, "the new address was validated before");
        assert_eq!(validation.on_echo(now, NONCES[0], false), Outcome::Ignored, "the new cannot answer for the old");
        assert_eq!(validation.on_echo(now, NONCES[0], true), Outcome::Revert);
        validation.on_reverted(NEW);
        assert_eq!(validation.reserved(), Some(NEW));
    }

    #[test]
    fn the_new_address_gets_no_more_bytes_than_came_from_it() {
        let mut validation = challenged(PROBE_BYTES - 1);
        assert_eq!(drain(&mut validation, OLD), [OLD]);
        validation.on_datagram(COUNTER, 1, true);
        assert_eq!(drain(&mut validation, OLD), [NEW]);
    }

    #[test]
    fn each_address_is_challenged_five_times_within_three_timeouts() {
        let mut validation = challenged(1_000);
        let mut sent = std::vec![(0, drain(&mut validation, OLD).len())];
        while validation.handle_timeout(validation.poll_timeout()) == Outcome::Ignored {
            let at = validation.repeat_at - validation.interval;
            sent.push((at.as_micros() / 1_000, drain(&mut validation, OLD).len()));
        }
        assert_eq!(sent, [(0, 2), (125, 2), (375, 2), (875, 2), (1_875, 2)]);
        assert_eq!(validation.until, Instant::from_millis(3_000));
    }

    #[test]
    fn after_the_migration_only_the_old_address_is_challenged() {
        let mut validation = challenged(1_000);
        drain(&mut validation, OLD);
        validation.on_migrated(PATIENCE, OLD, false);
        assert_eq!(validation.reserved(), None);
        assert_eq!(validation.handle_timeout(validation.poll_timeout()), Outcome::Ignored);
        assert_eq!(drain(&mut validation, NEW), [OLD]);
        // A late datagram from there changes nothing. A later one repeats the challenge at once.
        for (counter, probed) in [(COUNTER, 0), (COUNTER.next(), 1)] {
            assert_eq!(validation.on_datagram(counter, 1, true), Outcome::Ignored);
            assert_eq!(drain(&mut validation, NEW).len(), probed);
        }
        for _ in 0..20 {
            validation.on_datagram(COUNTER.next(), 1, true);
            drain(&mut validation, NEW);
        }
        validation.on_datagram(COUNTER.next(), 1, true);
        assert!(drain(&mut validation, NEW).is_empty(), "the number of challenges is bounded");
        assert_eq!(validation.handle_timeout(Instant::from_millis(3_110)), Outcome::Confirm);
    }

    #[test]
    fn a_return_challenges_only_the_address_of_the_handshake() {
        let mut validation = started(1, true, true);
        assert_eq!(drain(&mut validation, OLD), [NEW]);
        assert_eq!(validation.on_echo(Instant::ZERO, NONCES[0], false), Outcome::Ignored);
        assert_eq!(validation.on_datagram(COUNTER.next(), 1, false), Outcome::Ignored);
        assert_eq!(validation.on_echo(Instant::ZERO, NONCES[0], true), Outcome::Return);
        assert_eq!(validation.handle_timeout(Instant::from_millis(3_000)), Outcome::Stay);
    }
}
