//! Path validation of a new address, which may belong to the peer or be forged (RFC 9000 §9.3).
//!
//! ```text
//! datagram with the tag of a connection, from another address
//!      |      its data is accepted, both addresses get a challenge (PROBE), all else goes to the old address
//!      v
//!  CHALLENGED --ECHO from the old address------------------> keep the old address
//!      |      --no ECHO within 3 RTO-----------------------> keep the old address
//!      | ECHO from the new address: migrate
//!      v
//!  MIGRATED   --ECHO from the old address within 3 RTO-----> revert to the old address
//!             --no ECHO within 3 RTO-----------------------> keep the new address
//! ```
//!
//! An RTO counts as at least 1 s. The 3 RTO start when that datagram arrives, and a migration does not restart them.
//! There is no challenge and no migration in two cases:
//!
//! - The quota of the new address is full, and no half-open entry there can be evicted.
//! - The new address belongs to another host whose validated quota is full.
//!
//! Both are checked again when the new address answers.
//!
//! An attacker that cannot receive at the new address does not get the connection. An attacker that only forwards the
//! peer's datagrams does not keep the connection while the peer still receives at the old address.

mod migration;

use crate::wire::{Framing, Packet};
use crate::{BufferTooSmall, Duration, Instant};

/// The duration of a validation in RTOs, and the maximum number of challenges to each address.
const TIMEOUTS: u8 = 3;

/// The shortest timeout: that of a path without a sample, since the new path may be slower (RFC 9000 §8.2.4).
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The length of a tagged PROBE without padding, in bytes.
const PROBE_BYTES: usize = 21;
/// The length of a tagged ECHO, in bytes.
const ECHO_BYTES: usize = 25;

/// The validation of one change of address.
#[derive(Clone)]
pub(super) struct PathValidation<A> {
    /// The address that the connection does not use: the new address, or the old address after the migration.
    other: A,
    /// The challenge to the old address.
    old: Challenge,
    state: State,
    rto: Duration,
    /// When the challenges are repeated.
    repeat_at: Instant,
    /// When the validation ends.
    until: Instant,
}

#[derive(Clone)]
enum State {
    /// The connection is at the old address.
    Challenged {
        /// The challenge to the new address.
        new: Challenge,
        /// The number of bytes that may still be sent to the new address: bytes received from it, minus bytes sent to
        /// it.
        allowance: usize,
    },
    /// The connection has moved to the new address.
    Migrated {
        /// Whether the connection counts for the hosts of both addresses.
        ///
        /// The connection may move back until the validation ends. Until then it keeps its quota at the old host.
        reserves_old: bool,
    },
}

/// A challenge to one address: a PROBE that only its receiver can answer.
#[derive(Clone, Copy)]
struct Challenge {
    nonce: u64,
    due: bool,
    sent: u8,
}

impl Challenge {
    const fn new(nonce: u64) -> Self {
        Self { nonce, due: true, sent: 0 }
    }

    const fn is_answered_by(&self, nonce: u64) -> bool {
        self.nonce == nonce && self.sent > 0
    }

    const fn repeat(&mut self) {
        self.due = self.sent < TIMEOUTS;
    }

    fn write(&mut self, framing: &Framing, counter: u32, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let len = Packet::Probe { nonce: self.nonce, for_window: false, padding: &[] }.write(framing, counter, buf)?;
        self.due = false;
        self.sent += 1;
        Ok(len)
    }
}

/// The effect of an ECHO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The ECHO answers no challenge.
    Ignored,
    /// The connection moves to the new address.
    Migrate,
    /// The validation ends, and the connection keeps its address.
    Keep,
    /// The validation ends, and the connection moves back to the old address.
    Revert,
}

impl<A: Copy + Eq> PathValidation<A> {
    /// Starts a validation, after a datagram of `received` bytes from `new`.
    ///
    /// `nonces` belong to the challenges of the old and the new address, in this order.
    fn new(now: Instant, new: A, rto: Duration, nonces: [u64; 2], received: usize) -> Self {
        let [old, challenge] = nonces.map(Challenge::new);
        let until = now + rto.saturating_mul(TIMEOUTS.into());
        let state = State::Challenged { new: challenge, allowance: received };
        Self { other: new, old, state, rto, repeat_at: now + rto, until }
    }

    /// The address that the connection does not use.
    pub(super) const fn other(&self) -> A {
        self.other
    }

    /// The other address, if the connection also counts for the host of that address.
    pub(super) fn reserved(&self) -> Option<A> {
        match self.state {
            State::Migrated { reserves_old: true } => Some(self.other),
            State::Migrated { reserves_old: false } | State::Challenged { .. } => None,
        }
    }

    /// Records that the connection has moved from `old` to the new address.
    pub(super) fn on_migrated(&mut self, old: A, reserves_old: bool) {
        self.other = old;
        self.state = State::Migrated { reserves_old };
    }

    /// Records that the connection has moved back. The other address is `new` again.
    pub(super) fn on_reverted(&mut self, new: A) {
        self.other = new;
    }

    /// Records a datagram of `bytes` bytes from the other address.
    fn on_received(&mut self, bytes: usize) {
        match &mut self.state {
            State::Challenged { allowance, .. } => *allowance = allowance.saturating_add(bytes),
            State::Migrated { .. } => {}
        }
    }

    /// The effect of an ECHO. If `from_other` is false, the ECHO came from the current address of the peer.
    fn on_echo(&self, nonce: u64, from_other: bool) -> Outcome {
        match &self.state {
            State::Challenged { new, .. } if from_other && new.is_answered_by(nonce) => Outcome::Migrate,
            State::Challenged { .. } if !from_other && self.old.is_answered_by(nonce) => Outcome::Keep,
            State::Migrated { .. } if from_other && self.old.is_answered_by(nonce) => Outcome::Revert,
            State::Challenged { .. } | State::Migrated { .. } => Outcome::Ignored,
        }
    }

    /// Writes a PROBE that is due into `buf`, and returns its destination and its length.
    ///
    /// `peer` is the current address of the peer, and `counter` the next counter of the connection.
    pub(super) fn poll_transmit(
        &mut self,
        peer: A,
        framing: &Framing,
        counter: u32,
        buf: &mut [u8],
    ) -> Result<Option<(A, usize)>, BufferTooSmall> {
        if let State::Challenged { new, allowance } = &mut self.state
            && new.due
            && *allowance >= PROBE_BYTES
        {
            let len = new.write(framing, counter, buf)?;
            *allowance -= PROBE_BYTES;
            return Ok(Some((self.other, len)));
        }
        if !self.old.due {
            return Ok(None);
        }
        let to = match self.state {
            State::Challenged { .. } => peer,
            State::Migrated { .. } => self.other,
        };
        Ok(Some((to, self.old.write(framing, counter, buf)?)))
    }

    /// Makes unanswered challenges due again after an RTO. Returns whether the validation is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.repeat_at <= now {
            self.repeat_at = now + self.rto;
            self.old.repeat();
            match &mut self.state {
                State::Challenged { new, .. } => new.repeat(),
                State::Migrated { .. } => {}
            }
        }
        self.is_over(now)
    }

    /// Whether the validation is over, so that an ECHO no longer has an effect.
    fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }

    /// When to call `handle_timeout`. A PROBE that is due does not count.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.repeat_at.min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Tag;

    const OLD: u8 = 1;
    const NEW: u8 = 2;
    const NONCES: [u64; 2] = [11, 22];
    const RTO: Duration = Duration::from_millis(100);

    fn challenged(received: usize) -> PathValidation<u8> {
        PathValidation::new(Instant::ZERO, NEW, RTO, NONCES, received)
    }

    /// The destinations of all PROBEs that are due.
    fn drain(validation: &mut PathValidation<u8>, peer: u8) -> std::vec::Vec<u8> {
        let (framing, mut buf) = (Framing::tagged(Tag::new([1; 8])), [0; 32]);
        core::iter::from_fn(|| validation.poll_transmit(peer, &framing, 0, &mut buf).unwrap())
            .inspect(|&(_, len)| assert_eq!(len, PROBE_BYTES))
            .map(|(to, _)| to)
            .collect()
    }

    #[test]
    fn an_echo_from_the_old_address_keeps_it() {
        let mut validation = challenged(PROBE_BYTES);
        assert_eq!(validation.on_echo(NONCES[0], false), Outcome::Ignored, "an unsent challenge has no answer");
        assert_eq!(drain(&mut validation, OLD), [NEW, OLD]);
        assert_eq!(validation.on_echo(NONCES[0], true), Outcome::Ignored, "the new address cannot answer for the old");
        assert_eq!(validation.on_echo(NONCES[0], false), Outcome::Keep);
    }

    #[test]
    fn echoes_migrate_to_the_new_address_and_revert_to_the_old() {
        let mut validation = challenged(PROBE_BYTES);
        drain(&mut validation, OLD);
        assert_eq!(validation.on_echo(NONCES[1], false), Outcome::Ignored, "the old address cannot answer for the new");
        assert_eq!(validation.on_echo(NONCES[1], true), Outcome::Migrate);
        validation.on_migrated(OLD, true);
        assert_eq!((validation.other(), validation.reserved()), (OLD, Some(OLD)));
        assert_eq!(validation.on_echo(NONCES[1], false), Outcome::Ignored, "the new address was validated before");
        assert_eq!(validation.on_echo(NONCES[0], false), Outcome::Ignored, "the new address cannot answer for the old");
        assert_eq!(validation.on_echo(NONCES[0], true), Outcome::Revert);
        validation.on_reverted(NEW);
        assert_eq!(validation.reserved(), Some(NEW));
    }

    #[test]
    fn the_new_address_gets_no_more_bytes_than_came_from_it() {
        let mut validation = challenged(PROBE_BYTES - 1);
        assert_eq!(drain(&mut validation, OLD), [OLD]);
        validation.on_received(1);
        assert_eq!(drain(&mut validation, OLD), [NEW]);
    }

    #[test]
    fn each_address_is_challenged_three_times_within_three_timeouts() {
        let mut validation = challenged(1_000);
        assert_eq!(drain(&mut validation, OLD).len(), 2);
        for over in [false, false, true] {
            let at = validation.poll_timeout();
            assert_eq!(validation.handle_timeout(at), over);
            assert_eq!(drain(&mut validation, OLD).len(), if over { 0 } else { 2 });
        }
        assert!(validation.is_over(Instant::ZERO + RTO.saturating_mul(3)));
    }

    #[test]
    fn after_the_migration_only_the_old_address_is_challenged() {
        let mut validation = challenged(1_000);
        drain(&mut validation, OLD);
        validation.on_migrated(OLD, false);
        assert_eq!(validation.reserved(), None);
        validation.handle_timeout(validation.poll_timeout());
        assert_eq!(drain(&mut validation, NEW), [OLD]);
    }
}
