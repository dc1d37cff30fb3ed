//! A peer whose address changed, or somebody who pretends that it did (RFC 9000 §9.3).
//!
//! ```text
//! datagram with our tag from elsewhere: what it holds counts, both addresses are asked (PROBE), what is sent goes to the old one
//!
//!   EXAMINED --ECHO from the old one-----------------------------------------------> nothing has changed
//!      |     --neither within 3 RTO------------------------------------------------> nothing has changed
//!      | ECHO from the new one
//!      v
//!   MOVED    --ECHO from the old one within the 3 RTO------------------------------> back to the old one
//!            --nothing within the 3 RTO--------------------------------------------> the new one it is
//! ```
//!
//! An address that has as many connections as it may, of which none makes way, or whose host has as many, is not examined, nor
//! moved to.
//!
//! So nobody takes a connection over who cannot receive at the new address, nor who only passes on what the peer sends while
//! that still receives at the old one.

use crate::wire::{Framing, Packet};
use crate::{BufferTooSmall, Duration, Instant};

/// How many retransmission timeouts an examination takes, and how often each address is asked at most.
const TIMEOUTS: u8 = 3;

/// The examination of one change of address.
#[derive(Clone)]
pub(super) struct PathValidation<A> {
    /// That the peer does not have: the new one, or once that has answered the old one.
    pub(super) other: A,
    moved: bool,
    /// The connection counts for the hosts of both addresses: its place at the old one is kept until it is clear that it does
    /// not return.
    pub(super) counts_twice: bool,
    /// What each was asked.
    current: Challenge,
    new: Challenge,
    /// How many bytes may yet be sent to the new address: as many as came from there. It is not validated.
    allowance: usize,
    rto: Duration,
    /// When to ask again.
    again: Instant,
    until: Instant,
}

#[derive(Clone, Copy)]
struct Challenge {
    nonce: u64,
    due: bool,
    sent: u8,
}

impl Challenge {
    fn new(nonce: u64) -> Self {
        Self { nonce, due: true, sent: 0 }
    }

    fn on_sent(&mut self) {
        self.due = false;
        self.sent += 1;
    }

    fn repeat(&mut self) {
        self.due = self.sent < TIMEOUTS;
    }
}

/// What an ECHO decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answers nothing that was asked.
    Ignored,
    /// The addresses change places: [`PathValidation::other`] is the peer's.
    Migrate,
    /// The examination is over, and so it stays.
    Keep,
    /// It is over, and [`PathValidation::other`] is the peer's again.
    Revert,
}

impl<A: Copy + Eq> PathValidation<A> {
    /// A datagram of `received` bytes has come from `new`.
    pub(super) fn new(now: Instant, new: A, rto: Duration, nonces: [u64; 2], received: usize) -> Self {
        let [current, other] = nonces.map(Challenge::new);
        let until = now + rto.saturating_mul(TIMEOUTS.into());
        let (moved, counts_twice, again) = (false, false, now + rto);
        Self { other: new, moved, counts_twice, current, new: other, allowance: received, rto, again, until }
    }

    /// A datagram has come from an address that is not the peer's.
    pub(super) fn on_received(&mut self, from: A, bytes: usize) {
        if from == self.other && !self.moved {
            self.allowance = self.allowance.saturating_add(bytes);
        }
    }

    /// An ECHO has come; `from_other`: from [`PathValidation::other`].
    pub(super) fn on_echo(&mut self, nonce: u64, from_other: bool) -> Outcome {
        // After the move the old address is the other one.
        let (from_new, from_old) = (from_other != self.moved, from_other == self.moved);
        if from_old && nonce == self.current.nonce && self.current.sent > 0 {
            return if self.moved { Outcome::Revert } else { Outcome::Keep };
        }
        if from_new && nonce == self.new.nonce && self.new.sent > 0 && !self.moved {
            self.moved = true;
            self.new.due = false;
            return Outcome::Migrate;
        }
        Outcome::Ignored
    }

    fn is_new_due(&self) -> bool {
        self.new.due && self.allowance >= PROBE_BYTES
    }

    /// Writes a PROBE that is due into `buf`, and says to which address; `peer` is the one that the peer has.
    pub(super) fn poll_transmit(
        &mut self,
        peer: A,
        framing: &Framing,
        buf: &mut [u8],
    ) -> Result<Option<(A, usize)>, BufferTooSmall> {
        let (old, new) = if self.moved { (self.other, peer) } else { (peer, self.other) };
        let to_new = self.is_new_due();
        if !to_new && !self.current.due {
            return Ok(None);
        }
        let (challenge, to) = if to_new { (&mut self.new, new) } else { (&mut self.current, old) };
        let len = Packet::Probe { nonce: challenge.nonce, padding: &[] }.write(framing, buf)?;
        challenge.on_sent();
        if to_new {
            self.allowance -= PROBE_BYTES;
        }
        Ok(Some((to, len)))
    }

    /// Returns whether the examination is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.again <= now {
            self.again = now + self.rto;
            self.current.repeat();
            if !self.moved {
                self.new.repeat();
            }
        }
        self.is_over(now)
    }

    /// Whether no answer counts any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }

    /// When to call `handle_timeout`; what is due to be sent apart.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.again.min(self.until)
    }
}

/// A PROBE under a tag, without padding.
const PROBE_BYTES: usize = 17;
/// An ECHO under a tag.
pub(super) const ECHO_BYTES: usize = 17;
