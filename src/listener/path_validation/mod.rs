//! Path validation of a new address, which may belong to the peer or be forged (RFC 9000 §9.3).
//!
//! ```text
//! datagram with the tag of a connection, from another address
//!      |      both addresses get a challenge (PROBE), all else goes to the old address
//!      v
//!  CHALLENGED --ECHO or a later datagram from the old address-------> keep the old address; doubt
//!      |      --no ECHO from the new address------------------------> keep the old address; doubt
//!      | ECHO from the new address, and the old address has had time to answer: migrate
//!      v
//!  MIGRATED   --ECHO from the old address---------------------------> revert to the old address; doubt
//!             --no ECHO from the old address------------------------> keep the new address; no doubt
//!
//! datagram from the address of the handshake, while the connection is elsewhere
//!      |      only this address gets a challenge
//!      v
//!  RETURNING  --ECHO------------------------------------------------> return; doubt
//!             --no ECHO---------------------------------------------> stay
//! ```
//!
//! Each state lasts for at most three RTO. An RTO counts as at least 1 s, since the new path may be slower than the old
//! one (RFC 9000 §8.2.4). A datagram is later than another if its counter is.
//!
//! - The old address has time to answer: one RTO, from 100 ms to 1 s, and at most 400 ms without a sample. With
//!   [doubt](doubt::Doubt), it has the whole validation.
//! - With doubt, no validation starts for a pause that doubles. RETURNING needs no pause.
//! - The data of a new address is dropped until the connection moves to it. An observer on the path that copies some
//!   datagrams and overtakes the peer would otherwise disturb the measurements of both sides: a SACK that comes early
//!   shows a path that is shorter than it is.
//! - One address is validated at a time. The address of the handshake takes the place of another one.
//!
//! There is no challenge and no migration in two cases:
//!
//! - The quota of the new address is full, and no half-open entry there can be evicted.
//! - The new address belongs to another host whose validated quota is full.
//!
//! Both are checked again when the new address answers.
//!
//! An attacker that cannot receive at the new address does not get the connection. An attacker that copies the peer's
//! datagrams and answers challenges from an address of its own does not get the connection while the peer answers or
//! sends, and does not keep it.

mod challenge;
mod doubt;
mod migration;
mod validation;

use crate::wire::Framing;
use crate::{BufferTooSmall, Instant};
use doubt::Doubt;
use validation::{LONGEST_UNMEASURED_PATIENCE, Start, Validation};

/// The length of a tagged ECHO, in bytes.
const ECHO_BYTES: usize = 25;

/// The addresses of a connection: what a listener remembers from the first datagram from another address on.
#[derive(Clone)]
pub(super) struct Paths<A> {
    /// The address of the handshake.
    home: A,
    /// When the first datagram came from another address.
    since: Instant,
    doubt: Doubt,
    /// The validation in progress.
    validation: Option<Validation<A>>,
}

/// How a validation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The new address is confirmed: the old one was silent.
    Confirmed,
    /// The validation has failed, or the connection has returned to an address that it had left.
    Failed,
    /// It has shown nothing.
    Open,
}

impl<A: Copy + Eq> Paths<A> {
    /// The addresses of a connection that is at the address of its handshake.
    pub(super) const fn new(home: A, now: Instant) -> Self {
        Self { home, since: now, doubt: Doubt::none(), validation: None }
    }

    /// Whether a datagram from `from` starts a validation now. The connection does not use this address.
    fn may_start(&self, now: Instant, from: A) -> bool {
        match &self.validation {
            None => from == self.home || !self.doubt.pauses(now),
            Some(validation) => from == self.home && validation.is_evicted_by(from),
        }
    }

    /// Whether the connection takes datagrams from `from`, an address that it does not use.
    ///
    /// It takes them from addresses that it has used. During the handshake no address can be validated, so that of
    /// another address counts if the peer is silent elsewhere.
    pub(super) fn trusts(&self, now: Instant, from: A, is_established: bool) -> bool {
        let was_left = self.validation.as_ref().is_some_and(|validation| validation.has_left(from));
        from == self.home || was_left || !is_established && self.since + LONGEST_UNMEASURED_PATIENCE <= now
    }

    fn start(&mut self, start: &Start<A>) {
        self.validation = Some(if start.new == self.home {
            Validation::returning(start)
        } else {
            Validation::challenged(start, self.doubt.is_any(start.now))
        });
    }

    /// Ends the validation. Returns the address whose quota it has reserved.
    pub(super) fn end(&mut self, now: Instant, ending: Ending) -> Option<A> {
        let validation = self.validation.take()?;
        match ending {
            Ending::Confirmed => self.doubt = Doubt::none(),
            Ending::Failed => self.doubt.on_failed(validation.end(now)),
            Ending::Open => {}
        }
        validation.reserved()
    }

    /// Whether the validation is over, so that its timeout is due before any datagram.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.validation.as_ref().is_some_and(|validation| validation.end(now) < now)
    }

    /// The validation in progress.
    const fn validation_mut(&mut self) -> Option<&mut Validation<A>> {
        self.validation.as_mut()
    }

    /// The address that the connection does not use: the new address, or the old address after the migration.
    pub(super) fn other(&self) -> Option<A> {
        self.validation.as_ref().map(Validation::other)
    }

    /// The other address, if the connection also counts for the host of that address.
    pub(super) fn reserved(&self) -> Option<A> {
        self.validation.as_ref()?.reserved()
    }

    /// Records that the connection has moved from `old` to the new address. `reserves_old`: it keeps its quota there.
    pub(super) fn on_migrated(&mut self, now: Instant, old: A, reserves_old: bool) {
        if let Some(validation) = &mut self.validation {
            validation.on_migrated(now, old, reserves_old);
        }
    }

    /// Records that the connection has moved back. The other address is `new` again.
    pub(super) fn on_reverted(&mut self, new: A) {
        if let Some(validation) = &mut self.validation {
            validation.on_reverted(new);
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
        let Some(validation) = &mut self.validation else { return Ok(None) };
        validation.poll_transmit(peer, framing, counter, buf)
    }

    /// When the timeout of the validation is due. A PROBE that is due does not count.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.validation.as_ref().map(Validation::poll_timeout)
    }
}
