//! Numbers that are held back, which expose a peer that acknowledges what it did not receive.
//!
//! ```text
//!            the next number is `from`, and others follow
//! Open -----------------------------------------------------> Held: its successors leave, it does not
//!   ^                                                           |  a successor is acknowledged,
//!   |                                                           v  or no answer comes
//!   +------------------------ it leaves --------------------- Next
//! ```
//!
//! An acknowledgement of a number that was not sent is a lie. A peer that guesses, or that conceals losses to obtain
//! more than the path carries, cannot know which number is held back, and names it (Savage et al. 1999, *TCP Congestion
//! Control with a Misbehaving Receiver*; Sherwood et al. 2005; RFC 9000 §21.4 skips packet numbers instead). An honest
//! peer reports it as missing, and it leaves a round trip after its successors. The stream waits as after one loss, but
//! no byte is repeated and the congestion controller sees no loss.
//!
//! Only a sender that has more data ready holds a number back, so single messages never wait, and the end of the data
//! for an eighth of a round trip at most. With 32 packets in flight, a number that is to be held back waits until
//! another one may follow it: the store may be full of what is in flight. A sender whose window is no wider than the
//! packets in flight stops for a round trip. A number is held back once in 24 to 48 round trips, so that this costs 3 %
//! on average.

use crate::Seq;
use crate::arq::Rtt;

/// The least first number that is held back, and the count of those to choose from. Shorter transfers never wait.
pub(super) const FIRST: u32 = 128;
/// The least distance of the next one. It is long enough that acknowledgements stay rare.
const MIN_DISTANCE: u32 = 512;
/// The longest least distance. Numbers have an order only while they are less than 2^31 apart.
const MAX_DISTANCE: u32 = 1 << 28;
/// The least distance in round trips.
const ROUNDS: u32 = 24;

/// The number that is held back, or the one that will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum HoldBack {
    /// No number is held back before `from`.
    Open { from: Seq },
    /// This number was passed over.
    Held { number: Seq },
    /// The peer has answered a later number: this number leaves next.
    Next { number: Seq },
}

impl HoldBack {
    /// No number is held back.
    pub(super) const NEVER: Self = Self::Open { from: Seq::new(u32::MAX / 2) };

    /// Starts in extended mode. The peer cannot know the first number that is held back either.
    pub(super) fn start(&mut self, rtt: &mut Rtt) {
        if *self == Self::NEVER {
            *self = Self::Open { from: Seq::new(FIRST + rtt.random(FIRST)) };
        }
    }

    /// The number that was passed over and has not left.
    pub(super) const fn unsent(self) -> Option<Seq> {
        match self {
            Self::Open { .. } => None,
            Self::Held { number } | Self::Next { number } => Some(number),
        }
    }

    /// The number that leaves next, before all others.
    pub(super) const fn next(self) -> Option<Seq> {
        match self {
            Self::Open { .. } | Self::Held { .. } => None,
            Self::Next { number } => Some(number),
        }
    }

    /// How many numbers from `next` on leave in order, at most.
    pub(super) const fn distance(self, next: Seq) -> u32 {
        match self {
            Self::Open { from } if from.precedes(next) => 0,
            Self::Open { from } => from.distance_from(next),
            Self::Held { .. } | Self::Next { .. } => u32::MAX,
        }
    }

    /// Lets the number leave that was passed over: a later one was acknowledged, or no answer comes.
    pub(super) fn release(&mut self) {
        if let Self::Held { number } = *self {
            *self = Self::Next { number };
        }
    }

    /// Records that `number` has left. Another one follows, at a distance that the peer cannot know.
    ///
    /// `next` is the next number, and `outstanding` the count of those in flight.
    pub(super) fn on_sent(&mut self, number: Seq, next: Seq, outstanding: u32, rtt: &mut Rtt) {
        if self.unsent() == Some(number) {
            let least = outstanding.saturating_mul(ROUNDS).clamp(MIN_DISTANCE, MAX_DISTANCE);
            *self = Self::Open { from: next.add(least + rtt.random(least)) };
        }
    }
}
