//! The acknowledgements that are pending, and the peer's receive window.

use super::pending_acks::PendingAcks;
use crate::arq::{Ack, ReceivedInfo};
use crate::wire::{Sack, SackDelay};
use crate::{ClockShift, Instant, Seq};

/// The pending acknowledgements in the format of the mode, and in extended mode the peer's receive window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Report {
    /// Base mode: an ACK of each number.
    Acks(PendingAcks),
    /// Extended mode: SACKs.
    Sacks(Sacks),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sacks {
    /// The end of the peer's receive window, excluded.
    peer_limit: Seq,
    /// The number that arrived last.
    latest: Seq,
    /// The counter of that INFO.
    counter: u32,
    /// The arrival time of `latest`; `None` before the first arrival.
    latest_at: Option<Instant>,
    /// Whether a SACK is due.
    due: bool,
    /// The end of this side's receive window in the last SACK, excluded.
    limit: Seq,
}

impl Default for Report {
    fn default() -> Self {
        Self::Acks(PendingAcks::default())
    }
}

impl Report {
    /// Switches to extended mode. `next` is the lowest number not received.
    pub(super) fn start_extended(&mut self, next: Seq, peer_limit: Seq) {
        match self {
            Self::Acks(_) => {
                // The handshake announces a window of one number.
                let (latest, counter, latest_at, due, limit) = (next, 0, None, false, next.next());
                *self = Self::Sacks(Sacks { peer_limit, latest, counter, latest_at, due, limit });
            }
            Self::Sacks(_) => self.on_peer_limit(peer_limit),
        }
    }

    /// Records the end of the peer's receive window, which never decreases.
    pub(super) fn on_peer_limit(&mut self, limit: Seq) {
        match self {
            Self::Sacks(sacks) if sacks.peer_limit.precedes(limit) => sacks.peer_limit = limit,
            Self::Acks(_) | Self::Sacks(_) => {}
        }
    }

    /// The end of the peer's receive window; `None` in base mode.
    pub(super) const fn peer_limit(&self) -> Option<Seq> {
        match self {
            Self::Acks(_) => None,
            Self::Sacks(sacks) => Some(sacks.peer_limit),
        }
    }

    /// Records that `next` moves by one. The argument is `next` before the move.
    pub(super) fn advance(&mut self, next: Seq) {
        match self {
            Self::Acks(acks) => acks.advance(next),
            Self::Sacks(_) => {}
        }
    }

    /// Makes the acknowledgement of `info` pending. Its number precedes `next`.
    pub(super) fn on_arrival(&mut self, now: Instant, info: ReceivedInfo, next: Seq) {
        match self {
            Self::Acks(acks) => acks.mark(info.number, next),
            Self::Sacks(sacks) => {
                (sacks.latest, sacks.counter, sacks.latest_at) = (info.number, info.counter, Some(now));
                sacks.due = true;
            }
        }
    }

    /// Makes an acknowledgement due, as a PROBE requests. Base mode has no PROBE.
    pub(super) fn request(&mut self) {
        match self {
            Self::Acks(_) => {}
            Self::Sacks(sacks) => sacks.due = true,
        }
    }

    /// Whether an acknowledgement is due. The receive window ends at `limit`.
    #[inline]
    pub(super) fn is_due(&self, next: Seq, limit: Seq) -> bool {
        match self {
            Self::Acks(acks) => acks.first(next).is_some(),
            // After a window of 0 the peer waits for an update.
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
                    counter: sacks.counter,
                    delay: sacks.latest_at.map_or(SackDelay::NO_SAMPLE, since),
                    ce: 0,
                    base: next,
                    bitmap: &[],
                }))
            }
        }
    }

    /// Records that the acknowledgement has left.
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
