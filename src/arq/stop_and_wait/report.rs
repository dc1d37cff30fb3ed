//! What the receiver has still to tell the peer.

use super::pending_acks::PendingAcks;
use crate::arq::Ack;
use crate::wire::{Sack, SackDelay};
use crate::{ClockShift, Instant, Seq};

/// What is to be acknowledged, in the vocabulary of the mode; and what the peer takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Report {
    /// Base mode.
    Acks(PendingAcks),
    /// Extended mode.
    Sacks(Sacks),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sacks {
    /// The peer takes numbers before this one.
    peer_limit: Seq,
    /// What arrived last, and when.
    latest: Seq,
    latest_at: Option<Instant>,
    /// Whether a SACK is to tell of it.
    due: bool,
    /// What the last SACK said our window ends at.
    limit: Seq,
}

impl Default for Report {
    fn default() -> Self {
        Self::Acks(PendingAcks::default())
    }
}

impl Report {
    /// The handshake has agreed on extended mode. `next`: the lowest number not received.
    pub(super) fn start_extended(&mut self, next: Seq, peer_limit: Seq) {
        match self {
            Self::Acks(_) => {
                // The handshake has said that one number is taken.
                let (latest, latest_at, due, limit) = (next, None, false, next.next());
                *self = Self::Sacks(Sacks { peer_limit, latest, latest_at, due, limit });
            }
            Self::Sacks(_) => self.on_peer_limit(peer_limit),
        }
    }

    /// The peer takes numbers before `limit`, which never moves back.
    pub(super) fn on_peer_limit(&mut self, limit: Seq) {
        match self {
            Self::Sacks(sacks) if sacks.peer_limit.precedes(limit) => sacks.peer_limit = limit,
            Self::Acks(_) | Self::Sacks(_) => {}
        }
    }

    /// The peer takes numbers before this one, if it says so.
    pub(super) const fn peer_limit(&self) -> Option<Seq> {
        match self {
            Self::Acks(_) => None,
            Self::Sacks(sacks) => Some(sacks.peer_limit),
        }
    }

    /// `next` moves by one. `next` is the old value.
    pub(super) fn advance(&mut self, next: Seq) {
        match self {
            Self::Acks(acks) => acks.advance(next),
            Self::Sacks(_) => {}
        }
    }

    /// INFO `number`, which precedes `next`, has arrived, and is to be acknowledged.
    pub(super) fn on_arrival(&mut self, now: Instant, number: Seq, next: Seq) {
        match self {
            Self::Acks(acks) => acks.mark(number, next),
            Self::Sacks(sacks) => (sacks.latest, sacks.latest_at, sacks.due) = (number, Some(now), true),
        }
    }

    /// The peer asks for an acknowledgement. In base mode it cannot.
    pub(super) fn request(&mut self) {
        match self {
            Self::Acks(_) => {}
            Self::Sacks(sacks) => sacks.due = true,
        }
    }

    /// Whether an acknowledgement is due, where the window ends at `limit`.
    #[inline]
    pub(super) fn is_due(&self, next: Seq, limit: Seq) -> bool {
        match self {
            Self::Acks(acks) => acks.first(next).is_some(),
            // Where the window opens from 0 the peer waits to hear of it.
            Self::Sacks(sacks) => sacks.due || (sacks.limit == next && limit != next),
        }
    }

    /// The acknowledgement to send `now`.
    pub(super) fn ack(&self, now: Instant, next: Seq, limit: Seq) -> Option<Ack<'static>> {
        match self {
            Self::Acks(acks) => acks.first(next).map(Ack::Single),
            Self::Sacks(sacks) => {
                let since = |at| SackDelay::from_duration(now.saturating_since(at));
                Some(Ack::Selective(Sack {
                    next,
                    window: limit.distance_from(next).min(1),
                    latest: sacks.latest_at.map_or(next, |_| sacks.latest),
                    delay: sacks.latest_at.map_or(SackDelay::NO_SAMPLE, since),
                    base: next,
                    bitmap: &[],
                }))
            }
        }
    }

    /// That acknowledgement has left.
    pub(super) fn on_sent(&mut self, next: Seq, limit: Seq) {
        match self {
            Self::Acks(acks) => {
                if let Some(number) = acks.first(next) {
                    acks.clear(number, next);
                }
            }
            Self::Sacks(sacks) => (sacks.due, sacks.limit) = (false, limit),
        }
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        match self {
            Self::Acks(_) => {}
            Self::Sacks(sacks) => {
                sacks.latest_at = sacks.latest_at.map(|at| shift.aged(at, SackDelay::TOO_LONG));
            }
        }
    }
}
