//! The scoreboard (RFC 6675): the state of each number of this side.
//!
//! ```text
//!            transmitted              acknowledged
//! (unsent) --------------> IN FLIGHT --------------> settled
//!                           ^     | declared lost
//!               transmitted |     v
//!                            LOST  ----------------> settled (it was only late)
//! ```
//!
//! Two lists hold the numbers in flight in the order of transmission: the originals and the retransmissions. The next
//! number to declare lost is therefore the first of one of these lists. A third list holds the lost numbers in the
//! order in which they were declared lost. Every operation is O(1) for each number that it changes.
//!
//! Invariants:
//!
//! - Each number from `base` to `next` is acknowledged, in exactly one list, or the one that is held back.
//! - `in_flight` is the sum of bytes over the first two lists.
//! - No number before `base` or from `next` on is marked as acknowledged or in a list.

mod ambiguous;
mod block;
mod counters;
mod list;
mod record;
mod replace;
mod times;
mod transmitted;
mod window;

pub use block::Block;
pub(super) use block::SentState;
pub(super) use record::{Flight, Record, Run, Transmitted};
pub(super) use window::{Mark, Memory, Window};

use crate::{ClockShift, Instant, Seq};
use block::Sent;
use list::List;
use times::{full_time, low_bits};

/// The state of the numbers of this side. It owns the lent memory, which also holds the receiver's marks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scoreboard<M> {
    window: Window<M>,
    /// The lowest number not acknowledged.
    base: Seq,
    /// The lowest number never sent.
    next: Seq,
    originals: List,
    retransmissions: List,
    lost: List,
    /// Bytes in flight.
    in_flight: u64,
    /// Numbers above `base` that have been acknowledged.
    acknowledged: u32,
    /// The time of the last transmission.
    last_sent: Instant,
    /// The key of the last transmission time.
    last_key: u32,
    /// The key of the oldest transmission time that larger memory has taken over.
    first_key: u32,
    /// Since when a number is outstanding, if one is. Earlier transmission times have no further effect.
    busy_since: Instant,
}

impl<M: Memory> Scoreboard<M> {
    /// An empty scoreboard that begins with number 0; `None` if `memory` has no block.
    pub(super) fn new(memory: M) -> Option<Self> {
        Some(Self {
            window: Window::new(memory)?,
            base: Seq::ZERO,
            next: Seq::ZERO,
            originals: List::default(),
            retransmissions: List::default(),
            lost: List::default(),
            in_flight: 0,
            acknowledged: 0,
            last_sent: Instant::ZERO,
            last_key: 0,
            first_key: 0,
            busy_since: Instant::ZERO,
        })
    }

    /// Sets the first number.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, first: Seq) {
        (self.base, self.next) = (first, first);
    }

    pub(super) fn into_memory(self) -> M {
        self.window.into_memory()
    }

    /// The window with the receiver's marks.
    pub(super) const fn window(&self) -> &Window<M> {
        &self.window
    }

    pub(super) const fn window_mut(&mut self) -> &mut Window<M> {
        &mut self.window
    }

    pub(super) const fn base(&self) -> Seq {
        self.base
    }

    pub(super) const fn next(&self) -> Seq {
        self.next
    }

    /// The time of the last transmission.
    pub(super) const fn last_sent(&self) -> Instant {
        self.last_sent
    }

    /// How many numbers lie from `base` to `next`, `next` excluded.
    pub(super) const fn span(&self) -> u32 {
        self.next.distance_from(self.base)
    }

    /// How many new numbers the window has room for.
    pub(super) const fn free_places(&self) -> u32 {
        self.window.places().saturating_sub(self.span())
    }

    /// Bytes in flight.
    pub(super) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// How many numbers are in flight.
    pub(super) const fn outstanding(&self) -> u32 {
        self.originals.len() + self.retransmissions.len()
    }

    /// How many numbers above `base` have been acknowledged.
    pub(super) const fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// How many numbers are declared lost and wait for their retransmission.
    pub(super) const fn lost(&self) -> u32 {
        self.lost.len()
    }

    /// Whether no number is in flight or lost.
    pub(super) const fn is_clear(&self) -> bool {
        self.outstanding() + self.lost.len() == 0
    }

    /// Whether no number but `number` is in flight or lost.
    pub(super) fn is_alone(&self, number: Seq) -> bool {
        self.outstanding() + self.lost.len() == u32::from(self.is_outstanding(number))
    }

    /// The number to retransmit first.
    ///
    /// If `base` is lost, it comes first, because all later data waits for it. Otherwise the number that was declared
    /// lost first comes first.
    pub(super) fn first_lost(&self) -> Option<Seq> {
        let first = self.lost.first()?;
        Some(if self.window.sent(self.base).state == SentState::Lost { self.base } else { first })
    }

    /// The lost number that was declared lost last, or that was declared lost before `later`.
    pub(super) fn lost_before(&self, later: Option<Seq>) -> Option<Seq> {
        match later {
            None => self.lost.last(),
            Some(later) if Some(later) == self.lost.first() => None,
            Some(later) => Some(Seq::new(self.window.sent(later).before)),
        }
    }

    /// The number in the list `flight` that was sent first.
    pub(super) fn oldest(&self, flight: Flight) -> Option<Seq> {
        self.flight(flight).first()
    }

    /// The number in the list `flight` that was sent last.
    pub(super) fn newest(&self, flight: Flight) -> Option<Seq> {
        self.flight(flight).last()
    }

    const fn flight(&self, flight: Flight) -> &List {
        match flight {
            Flight::Originals => &self.originals,
            Flight::Retransmissions => &self.retransmissions,
        }
    }

    /// The record of `number`, which lies between `base` and `next`.
    pub(super) fn record(&self, number: Seq) -> Record {
        self.record_of(self.window.sent(number))
    }

    fn record_of(&self, sent: &Sent) -> Record {
        let Sent { bytes, transmissions, state, .. } = *sent;
        Record { sent_at: full_time(self.last_sent, sent.at), bytes, transmissions, state }
    }

    /// Whether `number` was sent and is not acknowledged. It may be lost.
    pub(super) fn is_outstanding(&self, number: Seq) -> bool {
        number.distance_from(self.base) < self.span() && !self.window.has(Mark::ACKNOWLEDGED, number)
    }

    /// Whether `number`, which lies between `base` and `next`, is marked as acknowledged.
    pub(super) fn is_acknowledged(&self, number: Seq) -> bool {
        self.window.has(Mark::ACKNOWLEDGED, number)
    }

    /// The bits of `word` whose numbers, from `first` on, are not marked as acknowledged.
    pub(super) fn unmarked(&self, first: Seq, word: u64) -> u64 {
        word & !self.window.bits(Mark::ACKNOWLEDGED, first)
    }

    /// Marks `number`, which is [outstanding](Self::is_outstanding), as acknowledged. Returns its previous record.
    pub(super) fn acknowledge(&mut self, number: Seq) -> Record {
        let record = self.settle(number);
        self.window.set(Mark::ACKNOWLEDGED, number);
        self.acknowledged += 1;
        record
    }

    /// Begins a cumulative acknowledgement of all numbers before `next`.
    ///
    /// Returns a count of up to 64 numbers from `base` on, and a mask of those that are already marked as acknowledged.
    /// The caller [settles](Self::settle) the others, then [passes](Self::pass) all of them.
    pub(super) fn chunk_before(&self, next: Seq) -> (u32, u64) {
        let count = next.distance_from(self.base).min(u64::BITS);
        let range = u64::MAX.checked_shr(u64::BITS - count).unwrap_or(0);
        (count, self.window.bits(Mark::ACKNOWLEDGED, self.base) & range)
    }

    /// Settles `number`, which is acknowledged. The caller [passes](Self::pass) it next. Returns its previous record.
    pub(super) fn settle(&mut self, number: Seq) -> Record {
        let Some(place) = self.window.sent_mut(number) else { return self.record(number) };
        let sent = *place;
        place.state = SentState::Settled;
        match sent.state {
            SentState::Original | SentState::Retransmitted | SentState::Probed | SentState::Proactive => {
                self.leave_flight(number, sent);
            }
            SentState::Lost => self.lost.remove(&mut self.window, number, sent),
            SentState::Settled | SentState::HeldBack | SentState::Ambiguous => {}
        }
        self.record_of(&sent)
    }

    /// Settles the run of originals that begins at `base`, at most `most` of them; `None` if the run is empty.
    ///
    /// The effect is that of [`settle`](Self::settle) for each, at lower cost. Without losses, runs cover all numbers.
    pub(super) fn settle_run(&mut self, most: u32) -> Option<Run> {
        let (mut count, mut number, mut bytes, mut at) = (0, self.base, 0, 0);
        while count < most && self.originals.first() == Some(number) {
            let Some(place) = self.window.sent_mut(number) else { break };
            let sent = *place;
            place.state = SentState::Settled;
            self.originals.remove(&mut self.window, number, sent);
            bytes += u64::from(sent.bytes);
            at = sent.at;
            number = number.next();
            count += 1;
        }
        self.in_flight -= bytes;
        let newest_sent_at = full_time(self.last_sent, at);
        (count > 0).then_some(Run { count, bytes, newest: number.sub(1), newest_sent_at })
    }

    /// Moves `base` by `count` acknowledged numbers, of which `marked` are marked.
    pub(super) fn pass(&mut self, count: u32, marked: u32) {
        self.window.clear(Mark::ACKNOWLEDGED, self.base, count);
        self.acknowledged -= marked;
        self.base = self.base.add(count);
    }

    /// Moves `base` past the numbers acknowledged without a gap.
    pub(super) fn pass_acknowledged(&mut self) {
        while self.base != self.next {
            let marks = self.window.bits(Mark::ACKNOWLEDGED, self.base);
            let count = marks.trailing_ones().min(self.span());
            self.pass(count, count);
            if count < u64::BITS {
                break;
            }
        }
    }

    /// Declares the oldest number of `flight` lost, and returns it.
    pub(super) fn declare_oldest_lost(&mut self, flight: Flight) -> Option<Seq> {
        let number = self.oldest(flight)?;
        let sent = *self.window.sent(number);
        self.in_flight -= u64::from(sent.bytes);
        match flight {
            Flight::Originals => self.originals.remove(&mut self.window, number, sent),
            Flight::Retransmissions => self.retransmissions.remove(&mut self.window, number, sent),
        }
        let before = self.lost.push(&mut self.window, number);
        self.window.update(number, |place| *place = Sent { before, state: SentState::Lost, ..sent });
        Some(number)
    }

    /// Removes `number`, whose state is `sent`, from its list of numbers in flight.
    fn leave_flight(&mut self, number: Seq, sent: Sent) {
        self.in_flight -= u64::from(sent.bytes);
        let list = if sent.state == SentState::Original { &mut self.originals } else { &mut self.retransmissions };
        list.remove(&mut self.window, number, sent);
    }

    /// Translates every time to another clock, and clears the state of settled numbers.
    ///
    /// Returns the shift with the transmission time of the oldest outstanding number.
    pub(super) fn rebase(&mut self, shift: ClockShift) -> ClockShift {
        let (last_sent, is_idle, busy_since) = (self.last_sent, self.span() == 0, self.busy_since);
        let oldest = if is_idle { shift.from() } else { busy_since };
        for sent in self.window.all_sent() {
            match sent.state {
                SentState::Settled => *sent = Sent::UNSENT,
                SentState::Ambiguous
                | SentState::HeldBack
                | SentState::Original
                | SentState::Retransmitted
                | SentState::Probed
                | SentState::Proactive
                | SentState::Lost => sent.at = low_bits(shift.apply(full_time(last_sent, sent.at))),
            }
        }
        for time in self.window.all_times() {
            *time = low_bits(shift.apply(full_time(last_sent, *time)));
        }
        self.busy_since = if is_idle { Instant::ZERO } else { shift.apply(busy_since) };
        for list in [&mut self.originals, &mut self.retransmissions, &mut self.lost] {
            list.forget_ends(&mut self.window);
        }
        let shift = shift.with_oldest(oldest);
        self.last_sent = shift.sending(last_sent);
        shift
    }
}
