//! Numbers whose ACK was ambiguous (base mode): see [`SecondAck`].

use super::block::Sent;
use super::{Memory, Record, Scoreboard, SentState, low_bits};
use crate::arq::ambiguous::SecondAck;
use crate::time::ShortDuration;
use crate::{Instant, Seq};

impl<M: Memory> Scoreboard<M> {
    /// Records the first ACK of `number`, which was repeated. `record` is its record before the ACK.
    ///
    /// Returns the time since its first transmission.
    pub(in super::super) fn on_ambiguous_ack(&mut self, now: Instant, number: Seq, record: Record) -> ShortDuration {
        let first = self.window.time(number.value());
        let since = |at: Instant| ShortDuration::from_micros(low_bits(at).wrapping_sub(first));
        let since_first = since(now);
        // Two transmissions of a number that was sent proactively are expected to arrive.
        let second = SecondAck::new(since_first, since(record.sent_at), record.transmissions);
        if let Some(SecondAck { round_trip, spacing }) = second.filter(|_| record.state != SentState::Proactive) {
            let (before, after) = (round_trip.as_micros(), spacing.as_micros());
            let (at, state) = (low_bits(now), SentState::Ambiguous);
            self.window.update(number, |sent| *sent = Sent { before, after, at, state, ..Sent::UNSENT });
        }
        since_first
    }

    /// The round trip that a second ACK of `number` proves, if it does. Each number gives it once.
    pub(in super::super) fn take_second_round_trip(&mut self, now: Instant, number: Seq) -> Option<ShortDuration> {
        let is_known = number.precedes(self.next) && self.next.distance_from(number) <= self.window.places();
        let sent = self.window.sent_mut(number).filter(|sent| is_known && sent.state == SentState::Ambiguous)?;
        let Sent { before: round_trip, after: spacing, at, .. } = *sent;
        let is_late = low_bits(now).wrapping_sub(at) >= spacing;
        is_late.then(|| {
            *sent = Sent::UNSENT;
            ShortDuration::from_micros(round_trip)
        })
    }
}
