//! The receiver: records which numbers have arrived.

use super::proactive::loss_level;
use super::report::{Arrived, Report};
use super::scoreboard::{Mark, Memory, Window};
use crate::arq::{Ack, Arrival, Bitmap, Offer, ReceivedInfo};
use crate::wire::MAX_BITMAP;
use crate::{ClockShift, Instant, SHORTCUTS, Seq};

/// The largest distance at which an old number differs from a future one: half of the number space.
const HALF_CIRCLE: u32 = 1 << 31;
/// So many datagrams of a peer may be other packets than INFO and SACK: probes and echoes.
const OTHER_PACKETS: u32 = 16;

/// The receiving half of selective repeat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Receiver {
    /// The lowest number not received.
    next: Seq,
    /// One after the highest number received; equal to `next` if no number ahead of `next` was received.
    top: Seq,
    /// How many numbers before `next` have been received, up to 2^31. A number further back was never received.
    received: u32,
    /// How many numbers SACKs announce even if the window has fewer places.
    promise: u32,
    report: Report,
}

impl Receiver {
    /// Sets the first number of the direction.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, first: Seq) {
        (self.next, self.top) = (first, first);
    }

    pub(super) const fn next(&self) -> Seq {
        self.next
    }

    /// Switches to SACKs.
    pub(super) fn start_extended(&mut self) {
        self.report.start_extended();
    }

    /// The numbers received ahead of a gap lie in this range, whose end is excluded.
    pub(super) const fn ahead(&self) -> (Seq, Seq) {
        (self.next, self.top)
    }

    /// The range that contains the marks of pending ACKs, end excluded.
    pub(super) const fn ack_pending(&self) -> (Seq, Seq) {
        self.report.ack_pending()
    }

    /// Records that the memory of the window was replaced.
    pub(super) fn on_memory_replaced(&mut self) {
        self.report.on_memory_replaced();
    }

    /// Announces at least `window` numbers from now on.
    pub(super) fn promise(&mut self, window: u32) {
        self.promise = self.promise.max(window);
    }

    /// How many numbers SACKs announce at most.
    pub(super) fn most<M: Memory>(&self, window: &Window<M>) -> u32 {
        self.promise.max(window.places())
    }

    /// Processes the arrival of an INFO.
    #[inline(always)]
    pub(super) fn handle_info<M: Memory>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        info: ReceivedInfo,
        offer: Offer,
    ) -> Arrival {
        let number = info.number;
        if SHORTCUTS && number == self.next && number == self.top && offer.fits && number != offer.limit {
            // The number is in order and no later one was received, so no bit is needed.
            self.next = number.next();
            self.top = self.next;
            self.received = self.received.saturating_add(1).min(HALF_CIRCLE);
            self.report.on_arrival(window, now, info, Arrived::InOrder);
            return Arrival::Next;
        }
        self.handle_other(window, now, info, offer)
    }

    /// Processes every number outside the common case.
    fn handle_other<M: Memory>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        info: ReceivedInfo,
        offer: Offer,
    ) -> Arrival {
        let number = info.number;
        let ahead = number.distance_from(self.next);
        let room = offer.limit.distance_from(self.next).min(window.places());
        if ahead >= room {
            if self.next.distance_from(number) <= self.received && ahead != 0 {
                self.report.on_arrival(window, now, info, Arrived::News);
                return Arrival::Old;
            }
            return if ahead == 0 { Arrival::NoRoom } else { Arrival::BeyondWindow };
        }
        if window.has(Mark::RECEIVED, number) {
            self.report.on_arrival(window, now, info, Arrived::News);
            return Arrival::Old;
        }
        if !offer.fits {
            return Arrival::NoRoom;
        }
        window.set(Mark::RECEIVED, number);
        // A number that follows the highest one received fills no gap.
        let in_order = number == self.top;
        let arrived = if in_order { Arrived::InOrder } else { Arrived::News };
        if !number.precedes(self.top) {
            self.top = number.next();
        }
        if ahead == 0 {
            self.pass_received(window);
        }
        self.report.on_arrival(window, now, info, arrived);
        if ahead == 0 { Arrival::Next } else { Arrival::Early }
    }

    /// Moves `next` past the numbers received without a gap.
    fn pass_received<M: Memory>(&mut self, window: &mut Window<M>) {
        loop {
            let left = self.top.distance_from(self.next);
            let count = window.bits(Mark::RECEIVED, self.next).trailing_ones().min(left);
            window.clear(Mark::RECEIVED, self.next, count);
            self.next = self.next.add(count);
            self.received = self.received.saturating_add(count).min(HALF_CIRCLE);
            if count < u64::BITS {
                return;
            }
        }
    }

    /// Makes an acknowledgement due at once, as a PROBE requests.
    pub(super) fn request_ack(&mut self) {
        self.report.request();
    }

    /// Makes an acknowledgement due at once that may repeat the last one.
    pub(super) fn repeat_ack(&mut self) {
        self.report.repeat();
    }

    /// When the next acknowledgement is due.
    #[inline]
    pub(super) fn ack_at(&self, limit: Seq) -> Option<Instant> {
        self.report.due_at(self.next, limit)
    }

    /// The acknowledgement to send `now`. `bitmap` holds the bits of a SACK.
    pub(super) fn ack<'b, M: Memory>(
        &self,
        window: &Window<M>,
        now: Instant,
        limit: Seq,
        bitmap: &'b mut Bitmap,
    ) -> Option<Ack<'b>> {
        match &self.report {
            Report::Acks(acks) => acks.first().map(Ack::Single),
            Report::Sacks(sacks) => {
                let announced = limit.distance_from(self.next).min(self.most(window));
                let sack = sacks.sack(window, now, (self.next, self.top), announced, bitmap.insert([0; MAX_BITMAP]));
                Some(Ack::Selective(sack))
            }
        }
    }

    /// Records that the acknowledgement has left.
    pub(super) fn on_ack_sent<M: Memory>(&mut self, window: &mut Window<M>, limit: Seq) {
        match &mut self.report {
            Report::Acks(acks) => acks.on_sent(window),
            Report::Sacks(sacks) => sacks.on_sent((self.next, self.top), limit),
        }
    }

    /// How lossy the path is from the peer. `answered` is the number of our packets that the peer has acknowledged.
    ///
    /// The counter of the last INFO says how many datagrams the peer had sent before. Those that have not brought a
    /// number were lost, or they were SACKs, at most one for each of our packets, or a few other packets.
    pub(super) fn losses(&self, answered: Seq) -> u8 {
        let explained = self.received.saturating_add(answered.value()).saturating_add(OTHER_PACKETS);
        loss_level(self.report.counter().saturating_sub(explained).into(), self.received.into())
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.report.rebase(shift);
    }
}
