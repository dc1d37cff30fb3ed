//! The acknowledgements that are pending, and the peer's receive window.

use super::pending_acks::PendingAcks;
use crate::arq::ambiguous::SecondAck;
use crate::arq::{Ack, ReceivedInfo};
use crate::time::ShortDuration;
use crate::wire::{Sack, SackDelay};
use crate::{ClockShift, Instant, Seq};

/// The pending acknowledgements in the format of the mode, and in extended mode the peer's receive window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Report {
    /// Base mode: an ACK of each number.
    ///
    /// Flat fields take less memory than a struct.
    Acks {
        pending: PendingAcks,
        /// The earliest time at which a second ACK of the last acknowledged number proves `round_trip`: see
        /// [`SecondAck`].
        second_from: Option<Instant>,
        round_trip: ShortDuration,
    },
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
    /// Whether the last SACK reported a window of 0.
    closed: bool,
}

impl Default for Report {
    fn default() -> Self {
        Self::Acks { pending: PendingAcks::default(), second_from: None, round_trip: ShortDuration::ZERO }
    }
}

impl Report {
    /// Switches to extended mode. `next` is the lowest number not received.
    pub(super) fn start_extended(&mut self, next: Seq, peer_limit: Seq) {
        match self {
            Self::Acks { .. } => {
                // The handshake announces a window of one number.
                let (latest, counter, latest_at, due, closed) = (next, 0, None, false, false);
                *self = Self::Sacks(Sacks { peer_limit, latest, counter, latest_at, due, closed });
            }
            Self::Sacks(_) => self.on_peer_limit(peer_limit),
        }
    }

    /// Records the end of the peer's receive window, which never decreases.
    pub(super) fn on_peer_limit(&mut self, limit: Seq) {
        match self {
            Self::Sacks(sacks) if sacks.peer_limit.precedes(limit) => sacks.peer_limit = limit,
            Self::Acks { .. } | Self::Sacks(_) => {}
        }
    }

    /// The end of the peer's receive window; `None` in base mode.
    pub(super) const fn peer_limit(&self) -> Option<Seq> {
        match self {
            Self::Acks { .. } => None,
            Self::Sacks(sacks) => Some(sacks.peer_limit),
        }
    }

    /// Records the ACK of a packet, and what a second one would prove.
    pub(super) fn expect_second_ack(&mut self, now: Instant, second: Option<SecondAck>) {
        match self {
            Self::Acks { second_from, round_trip, .. } => {
                *round_trip = second.map_or(ShortDuration::ZERO, |second| second.round_trip);
                *second_from = second.map(|second| now + second.spacing.get());
            }
            Self::Sacks(_) => {}
        }
    }

    /// The round trip that a second ACK proves, if it does. Each number gives it once.
    pub(super) fn take_second_round_trip(&mut self, now: Instant) -> Option<ShortDuration> {
        match self {
            Self::Acks { second_from, round_trip, .. } => second_from.take_if(|from| *from <= now).map(|_| *round_trip),
            Self::Sacks(_) => None,
        }
    }

    /// Records that `next` moves by one. The argument is `next` before the move.
    pub(super) fn advance(&mut self, next: Seq) {
        match self {
            Self::Acks { pending: acks, .. } => acks.advance(next),
            Self::Sacks(_) => {}
        }
    }

    /// Makes the acknowledgement of `info` pending. Its number precedes `next`.
    pub(super) fn on_arrival(&mut self, now: Instant, info: ReceivedInfo, next: Seq) {
        match self {
            Self::Acks { pending: acks, .. } => acks.mark(info.number, next),
            Self::Sacks(sacks) => {
                (sacks.latest, sacks.counter, sacks.latest_at) = (info.number, info.counter, Some(now));
                sacks.due = true;
            }
        }
    }

    /// Makes an acknowledgement due, as a PROBE requests. Base mode has no PROBE.
    pub(super) fn request(&mut self) {
        match self {
            Self::Acks { .. } => {}
            Self::Sacks(sacks) => sacks.due = true,
        }
    }

    /// Whether an acknowledgement is due. The receive window ends at `limit`.
    #[inline]
    pub(super) fn is_due(&self, next: Seq, limit: Seq) -> bool {
        match self {
            Self::Acks { pending: acks, .. } => acks.first(next).is_some(),
            // After a window of 0 the peer waits for an update.
            Self::Sacks(sacks) => sacks.due || (sacks.closed && limit != next),
        }
    }

    /// The acknowledgement to send `now`.
    pub(super) fn ack(&self, now: Instant, next: Seq, limit: Seq) -> Option<Ack<'static>> {
        match self {
            Self::Acks { pending: acks, .. } => acks.first(next).map(Ack::Single),
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
            Self::Acks { pending: acks, .. } => {
                if let Some(number) = acks.first(next) {
                    acks.clear(number, next);
                }
            }
            Self::Sacks(sacks) => (sacks.due, sacks.closed) = (false, limit == next),
        }
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        match self {
            Self::Acks { second_from, .. } => *second_from = shift.deadline(*second_from),
            Self::Sacks(sacks) => {
                sacks.latest_at = sacks.latest_at.map(|at| shift.aged(at, SackDelay::TOO_LONG));
            }
        }
    }
}
