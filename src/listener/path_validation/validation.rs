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

/// Where a datagram of the peer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The address that the connection uses.
    Current,
    /// The [other address](Validation::other).
    Other,
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
    /// Starts the validation of a new address. With doubt, the old address has the whole validation to answer.
    pub(super) fn challenged(start: &Start<A>, is_in_doubt: bool) -> Self {
        let &Start { now, received: allowance, rto, is_measured, nonces: [_, new], .. } = start;
        let longest = if is_measured { LONGEST_PATIENCE } else { LONGEST_UNMEASURED_PATIENCE };
        let mut validation = Self::returning(start);
        let patience = if is_in_doubt { validation.until } else { now + rto.max(SHORTEST_PATIENCE).min(longest) };
        validation.state = State::Challenged { new: Challenge::new(new), allowance, patience };
        validation
    }

    /// Starts the validation of the address of the handshake, while the connection is elsewhere.
    pub(super) fn returning(start: &Start<A>) -> Self {
        let &Start { now, new: other, counter, rto, nonces: [old, _], .. } = start;
        let timeout = rto.max(SHORTEST_TIMEOUT);
        let (challenge, state, interval) = (Challenge::new(old), State::Returning, FIRST_INTERVAL);
        let (repeat_at, until) = (now + interval, now + timeout.saturating_mul(TIMEOUTS));
        Self { other, challenge, state, counter, timeout, repeat_at, interval, until }
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
        (self.repeat_at, self.interval) = (now + FIRST_INTERVAL, FIRST_INTERVAL);
    }

    pub(super) const fn on_reverted(&mut self, new: A) {
        self.other = new;
    }

    /// Handles a datagram of `bytes` bytes that the connection has accepted.
    pub(super) fn on_datagram(&mut self, counter: Seq, bytes: usize, from: Side) -> Outcome {
        let is_later = self.counter.precedes(counter);
        match (&mut self.state, from) {
            (State::Challenged { allowance, .. }, Side::Other) => *allowance = allowance.saturating_add(bytes),
            // The peer has sent from its old address after the datagram from the new one.
            (State::Challenged { .. }, Side::Current) if is_later => return Outcome::Keep,
            (State::Migrated { .. } | State::Returning, Side::Other) if is_later => self.challenge.repeat(),
            (State::Challenged { .. } | State::Migrated { .. } | State::Returning, Side::Current | Side::Other) => {}
        }
        Outcome::Ignored
    }

    /// The effect of an ECHO.
    pub(super) fn on_echo(&mut self, now: Instant, nonce: u64, from: Side) -> Outcome {
        let is_answer = self.challenge.accepts(nonce);
        match (&mut self.state, from) {
            (State::Challenged { new, patience, .. }, Side::Other) if new.accepts(nonce) => {
                new.on_answered();
                if *patience <= now { Outcome::Migrate } else { Outcome::Answered }
            }
            // If the old address answers the challenge to the new one, the peer received it there from an observer.
            (State::Challenged { new, .. }, Side::Current) if is_answer || new.accepts(nonce) => Outcome::Keep,
            (State::Migrated { .. }, Side::Other) if is_answer => Outcome::Revert,
            (State::Returning, Side::Other) if is_answer => Outcome::Return,
            (State::Challenged { .. } | State::Migrated { .. } | State::Returning, Side::Current | Side::Other) => {
                Outcome::Ignored
            }
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
mod tests;
