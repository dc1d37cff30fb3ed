//! The receiver: which numbers have arrived, and when to say so.

use super::scoreboard::{Mark, Memory, Window};
use crate::arq::{Arrival, MAX_ACK_DELAY, Offer};
use crate::wire::{MAX_BITMAP, Sack, SackDelay};
use crate::{ClockShift, Instant, Seq};

/// How many numbers a bitmap can tell of.
pub(super) const BITMAP_NUMBERS: u32 = 1_024;
const _: () = assert!(BITMAP_NUMBERS as usize == MAX_BITMAP * 8);

/// How many INFO packets are acknowledged by one SACK where nothing hurries.
const INFOS_PER_SACK: u8 = 2;
/// The furthest that numbers can lie back and still be told from those ahead.
const HALF_CIRCLE: u32 = 1 << 31;
/// Due, and overdue whatever the time is.
const AT_ONCE: Option<Instant> = Some(Instant::ZERO);

/// The receiving half.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Receiver {
    /// The lowest number not received.
    next: Seq,
    /// One after the highest number received; `next` if nothing is received ahead of it.
    top: Seq,
    /// How many numbers before `next` have been received, as far as it matters.
    received: u32,
    /// The number that arrived last, and when.
    latest: Option<(Seq, Instant)>,
    /// The numbers that no SACK has told of lie from the first (included) to the second (excluded); none if both are the same.
    untold: (Seq, Seq),
    /// INFO packets since the last SACK.
    count: u8,
    /// When the next SACK is due.
    due: Option<Instant>,
    /// What the last SACK said the window ends at.
    told_limit: Option<Seq>,
    /// Base mode: the numbers whose acknowledgement waits lie from the first (included) to the second (excluded), and one too
    /// old to have a bit.
    owed: (Seq, Seq),
    owed_old: Option<Seq>,
}

/// Whether the peer must hear of an arrival at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    AtOnce,
    Delayed,
}

impl Receiver {
    /// A direction whose first number is not 0.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, first: Seq) {
        (self.next, self.top) = (first, first);
    }

    pub(super) const fn next(&self) -> Seq {
        self.next
    }

    #[inline(always)]
    pub(super) fn handle_info<M: Memory>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        number: Seq,
        offer: Offer,
    ) -> Arrival {
        if number == self.next && number == self.top && offer.fits && number != offer.limit {
            // In order, and nothing waits ahead: no bit has to be kept for it.
            self.next = number.next();
            self.top = self.next;
            self.received = self.received.saturating_add(1).min(HALF_CIRCLE);
            self.on_arrival(now, number, Urgency::Delayed);
            return Arrival::Next;
        }
        self.handle_other(window, now, number, offer)
    }

    /// What is not simply the next one.
    fn handle_other<M: Memory>(&mut self, window: &mut Window<M>, now: Instant, number: Seq, offer: Offer) -> Arrival {
        let ahead = number.distance_from(self.next);
        let room = offer.limit.distance_from(self.next).min(window.places());
        if ahead >= room {
            if self.next.distance_from(number) <= self.received && ahead != 0 {
                self.on_arrival(now, number, Urgency::AtOnce);
                return Arrival::Old;
            }
            return if ahead == 0 { Arrival::NoRoom } else { Arrival::BeyondWindow };
        }
        if window.has(Mark::RECEIVED, number) {
            self.on_arrival(now, number, Urgency::AtOnce);
            return Arrival::Old;
        }
        if !offer.fits {
            return Arrival::NoRoom;
        }
        window.set(Mark::RECEIVED, number);
        // In order: it continues the newest that has arrived, and fills no gap.
        let in_order = number == self.top;
        let urgency = if in_order { Urgency::Delayed } else { Urgency::AtOnce };
        if !number.precedes(self.top) {
            self.top = number.next();
        }
        if ahead == 0 {
            self.advance(window);
        }
        self.on_arrival(now, number, urgency);
        if ahead == 0 { Arrival::Next } else { Arrival::Early }
    }

    /// Moves `next` over what has been received without a gap.
    fn advance<M: Memory>(&mut self, window: &mut Window<M>) {
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

    fn on_arrival(&mut self, now: Instant, number: Seq, urgency: Urgency) {
        self.latest = Some((number, now));
        self.untold = including(self.untold, number);
        self.count = self.count.saturating_add(1);
        if urgency == Urgency::AtOnce || self.count >= INFOS_PER_SACK {
            self.due = AT_ONCE;
        } else if self.due.is_none() {
            self.due = Some(now + MAX_ACK_DELAY);
        }
    }

    /// Base mode: `number` is to be acknowledged.
    pub(super) fn owe_ack<M: Memory>(&mut self, window: &mut Window<M>, number: Seq) {
        let owed = including(self.owed, number);
        if owed.1.distance_from(owed.0) > window.places() {
            // Where two are that far apart one has to wait for its repetition.
            self.owed_old = Some(number);
            return;
        }
        window.set(Mark::OWED, number);
        self.owed = owed;
    }

    pub(super) fn next_ack(&self) -> Option<Seq> {
        let (first, end) = self.owed;
        self.owed_old.or((first != end).then_some(first))
    }

    pub(super) fn on_ack_sent<M: Memory>(&mut self, window: &mut Window<M>, number: Seq) {
        if self.owed_old == Some(number) {
            self.owed_old = None;
            return;
        }
        let (first, end) = self.owed;
        if number != first || first == end {
            return;
        }
        window.clear(Mark::OWED, number, 1);
        let mut next = first;
        self.owed = loop {
            let left = end.distance_from(next);
            let skip = window.bits(Mark::OWED, next).trailing_zeros();
            if skip < left.min(u64::BITS) {
                break (next.add(skip), end);
            }
            if left <= u64::BITS {
                break (end, end);
            }
            next = next.add(u64::BITS);
        };
    }

    /// A PROBE asks for a SACK.
    pub(super) fn request_sack(&mut self) {
        self.due = AT_ONCE;
    }

    /// When the next SACK is due.
    pub(super) fn sack_at(&self, limit: Seq) -> Option<Instant> {
        // The window opens from 0: the peer waits to hear of it.
        if self.told_limit == Some(self.next) && limit != self.next {
            return AT_ONCE;
        }
        self.due
    }

    /// The SACK to send `now`, with the bits in lent memory. It counts once [`on_sack_sent`](Self::on_sack_sent) is told.
    pub(super) fn sack<'b, M: Memory>(
        &self,
        window: &Window<M>,
        now: Instant,
        limit: Seq,
        bitmap: &'b mut [u8; MAX_BITMAP],
    ) -> Sack<'b> {
        let base = self.sack_base();
        let numbers = self.top.distance_from(base).min(BITMAP_NUMBERS);
        let mut told = 0;
        for bytes in bitmap.chunks_exact_mut(size_of::<u64>()) {
            let left = numbers - told;
            if left == 0 {
                break;
            }
            let here = left.min(u64::BITS);
            // Places beyond the newest are those of other numbers.
            let word = window.bits(Mark::RECEIVED, base.add(told)) & (u64::MAX >> (u64::BITS - here));
            bytes.copy_from_slice(&word.to_le_bytes());
            told += here;
        }
        let len = usize::try_from(numbers.div_ceil(u8::BITS)).unwrap_or(MAX_BITMAP);
        Sack {
            next: self.next,
            window: limit.distance_from(self.next).min(window.places()),
            latest: self.latest.map_or(self.next, |(number, _)| number),
            delay: self
                .latest
                .map_or(SackDelay::NO_SAMPLE, |(_, at)| SackDelay::from_duration(now.saturating_since(at))),
            base,
            bitmap: bitmap.get(..len).unwrap_or_default(),
        }
    }

    /// Where the bitmap begins: so that it tells all that is untold, and as much as possible of what was told already, since
    /// a SACK may have been lost.
    fn sack_base(&self) -> Seq {
        let (first, end) = match self.untold {
            (first, end) if first != end && self.next.precedes(end) => {
                (if first.precedes(self.next) { self.next } else { first }, end)
            }
            _ => (self.next, self.top),
        };
        if end.distance_from(self.next) <= BITMAP_NUMBERS {
            self.next
        } else if end.distance_from(first) <= BITMAP_NUMBERS {
            end.sub(BITMAP_NUMBERS)
        } else {
            first
        }
    }

    /// The SACK has left.
    pub(super) fn on_sack_sent(&mut self, limit: Seq) {
        let told = self.sack_base().add(BITMAP_NUMBERS);
        self.told_limit = Some(limit);
        self.count = 0;
        let (first, end) = self.untold;
        let is_left = first != end && told.precedes(end);
        self.untold = if is_left { (told, end) } else { (end, end) };
        self.due = if is_left { AT_ONCE } else { None };
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.latest = self.latest.map(|(number, at)| (number, shift.aged(at, SackDelay::TOO_LONG)));
        self.due = self.due.and_then(|at| if at <= shift.from() { AT_ONCE } else { Some(shift.apply(at)) });
    }
}

/// The shortest interval with all of `interval`, if that is not empty, and `number`.
fn including((first, end): (Seq, Seq), number: Seq) -> (Seq, Seq) {
    if first == end {
        return (number, number.next());
    }
    (if number.precedes(first) { number } else { first }, if number.precedes(end) { end } else { number.next() })
}
