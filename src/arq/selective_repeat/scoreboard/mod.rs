//! The scoreboard (RFC 6675): where each number of this side stands.
//!
//! ```text
//!            transmitted              acknowledged
//! (unsent) --------------> IN FLIGHT --------------> settled
//!                           ^     | declared lost
//!               transmitted |     v
//!                            LOST  ----------------> settled (it was only late)
//! ```
//!
//! What is in flight is listed in the order of sending: originals in one list, what was sent again in another. So what is to
//! be judged is always at the front of one of the two. Lost numbers are listed in the order in which they were declared lost.
//! Every operation is O(1) for each number that it changes.
//!
//! These always hold: each number from `base` to `next` is acknowledged, or in exactly one list; the bytes in flight are
//! those of the numbers in the first two lists; nothing before `base` or from `next` on is in a list or marked.

mod block;
mod list;
mod window;

pub use block::Block;
pub(super) use block::SentState;
pub(super) use window::{Mark, Memory, Window};

use crate::{ClockShift, Instant, Seq};
use block::Sent;
use list::List;

/// Where the numbers of this side stand. It owns the lent memory, which the receiver's marks are in too.
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
    /// When anything left last.
    last_sent: Instant,
}

/// One of the two lists of what is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// Sent once, in the order of their numbers.
    Originals,
    /// Sent again, for whatever reason.
    Retransmissions,
}

/// What is known of a number that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// When it was sent last.
    pub(super) sent_at: Instant,
    /// How many bytes its datagram has.
    pub(super) bytes: u16,
    /// How often it was sent.
    pub(super) transmissions: u8,
    pub(super) state: SentState,
}

/// What kind of transmission has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transmitted {
    /// A number for the first time.
    Original,
    /// What was judged lost, after so many transmissions.
    Retransmission { transmissions: u8 },
    /// What was in flight already, as a probe.
    Probe,
    /// What was in flight already, proactively.
    Proactive,
    /// A number that is not outstanding: it is acknowledged already.
    Needless,
}

/// Consecutive originals that were acknowledged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u32,
    pub(super) bytes: u64,
    /// The last of them, and when it was sent.
    pub(super) newest: Seq,
    pub(super) newest_sent_at: Instant,
}

impl<M: Memory> Scoreboard<M> {
    /// Nothing sent, the next number is 0. `None` if there is no block.
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
        })
    }

    /// Numbers begin with `first`.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, first: Seq) {
        (self.base, self.next) = (first, first);
    }

    pub(super) fn into_memory(self) -> M {
        self.window.into_memory()
    }

    /// The marks of the peer's numbers, which are the receiver's.
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

    /// Numbers from `base` to `next`.
    pub(super) const fn span(&self) -> u32 {
        self.next.distance_from(self.base)
    }

    /// How many numbers may still be sent for the first time.
    pub(super) const fn free_places(&self) -> u32 {
        self.window.places().saturating_sub(self.span())
    }

    /// Bytes in flight.
    pub(super) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Numbers in flight.
    pub(super) const fn outstanding(&self) -> u32 {
        self.originals.len() + self.retransmissions.len()
    }

    /// Numbers above `base` that have been acknowledged.
    pub(super) const fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// Numbers that wait for their retransmission.
    pub(super) const fn lost(&self) -> u32 {
        self.lost.len()
    }

    /// What is to be retransmitted first. `base` goes before all others: everything waits for it, and a path that only ever
    /// lets the first of a burst through would otherwise never carry it.
    pub(super) fn first_lost(&self) -> Option<Seq> {
        let first = self.lost.first()?;
        Some(if self.window.sent(self.base).state == SentState::Lost { self.base } else { first })
    }

    /// What was sent first, of what is in flight.
    pub(super) fn oldest(&self, flight: Flight) -> Option<Seq> {
        self.flight(flight).first()
    }

    /// What was sent last, of what is in flight.
    pub(super) fn newest(&self, flight: Flight) -> Option<Seq> {
        self.flight(flight).last()
    }

    const fn flight(&self, flight: Flight) -> &List {
        match flight {
            Flight::Originals => &self.originals,
            Flight::Retransmissions => &self.retransmissions,
        }
    }

    /// What is known of `number`, which lies between `base` and `next`.
    pub(super) fn record(&self, number: Seq) -> Record {
        self.record_of(self.window.sent(number))
    }

    fn record_of(&self, sent: Sent) -> Record {
        let Sent { bytes, transmissions, state, .. } = sent;
        Record { sent_at: full_time(self.last_sent, sent.at), bytes, transmissions, state }
    }

    /// Whether `number` has left, and neither was acknowledged by itself nor lies before `base`.
    pub(super) fn is_outstanding(&self, number: Seq) -> bool {
        number.distance_from(self.base) < self.span() && !self.window.has(Mark::ACKNOWLEDGED, number)
    }

    /// Which of the numbers from `first` on, of which `word` has a bit each, have not been acknowledged by themselves.
    pub(super) fn unmarked(&self, first: Seq, word: u64) -> u64 {
        word & !self.window.bits(Mark::ACKNOWLEDGED, first)
    }

    /// `number` has left in a datagram of `bytes`. Only if it is [`next`](Self::next) it may be new.
    pub(super) fn transmitted(&mut self, now: Instant, number: Seq, bytes: u16, is_probe: bool) -> Transmitted {
        if number == self.next {
            self.transmitted_run(now, bytes, 1);
            return Transmitted::Original;
        }
        let sent = self.window.sent(number);
        let (state, transmitted) = match sent.state {
            SentState::Original | SentState::Probed | SentState::Retransmitted | SentState::Proactive => {
                self.land(number, sent);
                if !is_probe {
                    (SentState::Proactive, Transmitted::Proactive)
                } else if matches!(sent.state, SentState::Original | SentState::Probed) {
                    (SentState::Probed, Transmitted::Probe)
                } else {
                    (SentState::Retransmitted, Transmitted::Probe)
                }
            }
            SentState::Lost => {
                self.lost.remove(&mut self.window, number, sent);
                let transmissions = sent.transmissions;
                (SentState::Retransmitted, Transmitted::Retransmission { transmissions })
            }
            SentState::Settled => return Transmitted::Needless,
        };
        let before = self.retransmissions.push(&mut self.window, number);
        let (at, transmissions) = (low_bits(now), sent.transmissions.saturating_add(1));
        self.window.update(number, |place| *place = Sent { before, after: 0, at, bytes, transmissions, state });
        self.in_flight += u64::from(bytes);
        self.last_sent = now;
        transmitted
    }

    /// The next `count` numbers have left for the first time, each in a datagram of `bytes`.
    pub(super) fn transmitted_run(&mut self, now: Instant, bytes: u16, count: u32) {
        let (at, state) = (low_bits(now), SentState::Original);
        for _ in 0..count {
            let before = self.originals.push(&mut self.window, self.next);
            self.window.update(self.next, |place| {
                *place = Sent { before, after: 0, at, bytes, transmissions: 1, state };
            });
            self.next = self.next.next();
        }
        self.in_flight += u64::from(bytes) * u64::from(count);
        self.last_sent = now;
    }

    /// `number`, which is [outstanding](Self::is_outstanding), has been acknowledged by itself. Returns how it stood.
    pub(super) fn acknowledge(&mut self, number: Seq) -> Record {
        let record = self.settle(number);
        self.window.set(Mark::ACKNOWLEDGED, number);
        self.acknowledged += 1;
        record
    }

    /// What an acknowledgement of all numbers before `next` covers first: of up to 64 numbers from `base` on, how many, and
    /// a bit for each that had been acknowledged by itself. Settle the others, and then [pass](Self::pass) all.
    pub(super) fn chunk_before(&self, next: Seq) -> (u32, u64) {
        let count = next.distance_from(self.base).min(u64::BITS);
        let range = u64::MAX.checked_shr(u64::BITS - count).unwrap_or(0);
        (count, self.window.bits(Mark::ACKNOWLEDGED, self.base) & range)
    }

    /// `number`, which lies before what is to be [passed](Self::pass) next, has been acknowledged. Returns how it stood.
    pub(super) fn settle(&mut self, number: Seq) -> Record {
        let sent = self.window.update(number, |place| place.state = SentState::Settled);
        match sent.state {
            SentState::Original | SentState::Retransmitted | SentState::Probed | SentState::Proactive => {
                self.land(number, sent);
            }
            SentState::Lost => self.lost.remove(&mut self.window, number, sent),
            SentState::Settled => {}
        }
        self.record_of(sent)
    }

    /// As [`settle`](Self::settle) for the numbers from `base` on, `most` at most, that are the oldest originals: what a path
    /// without losses has, at a fraction of the cost.
    pub(super) fn settle_run(&mut self, most: u32) -> Option<Run> {
        let (mut count, mut number, mut bytes, mut at) = (0, self.base, 0, 0);
        while count < most && self.originals.first() == Some(number) {
            let sent = self.window.update(number, |place| place.state = SentState::Settled);
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

    /// Moves `base` by `count` numbers, all of which have been acknowledged, `marked` of them by themselves.
    pub(super) fn pass(&mut self, count: u32, marked: u32) {
        self.window.clear(Mark::ACKNOWLEDGED, self.base, count);
        self.acknowledged -= marked;
        self.base = self.base.add(count);
    }

    /// Moves `base` over what has been acknowledged without a gap.
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

    /// `number`, which is in flight, counts as lost. Returns how it stood.
    pub(super) fn declare_lost(&mut self, number: Seq) -> Record {
        let sent = self.window.sent(number);
        self.land(number, sent);
        let before = self.lost.push(&mut self.window, number);
        self.window.update(number, |place| (place.before, place.state) = (before, SentState::Lost));
        self.record_of(sent)
    }

    /// Takes `number`, of which `sent` is kept, out of flight.
    fn land(&mut self, number: Seq, sent: Sent) {
        self.in_flight -= u64::from(sent.bytes);
        let list = if sent.state == SentState::Original { &mut self.originals } else { &mut self.retransmissions };
        list.remove(&mut self.window, number, sent);
    }

    /// Moves every time to another clock, and forgets what is kept of numbers that are settled. Returns the shift with the
    /// time at which the oldest outstanding number was sent.
    pub(super) fn rebase(&mut self, shift: ClockShift) -> ClockShift {
        let (mut oldest, last_sent) = (shift.from(), self.last_sent);
        for sent in self.window.all_sent() {
            if sent.state == SentState::Settled {
                *sent = Sent::UNSENT;
                continue;
            }
            let at = full_time(last_sent, sent.at);
            oldest = oldest.min(at);
            sent.at = low_bits(shift.apply(at));
        }
        for list in [&mut self.originals, &mut self.retransmissions, &mut self.lost] {
            list.forget_ends(&mut self.window);
        }
        let shift = shift.with_oldest(oldest);
        self.last_sent = shift.sending(last_sent);
        shift
    }
}

/// A time is kept in 32 bits, which tell 71 minutes apart: much longer than anything stays in flight.
#[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
const fn low_bits(at: Instant) -> u32 {
    at.as_micros() as u32
}

/// The time before `now` with these low bits.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
const fn full_time(now: Instant, low: u32) -> Instant {
    let ago = low_bits(now).wrapping_sub(low);
    Instant::from_micros(now.as_micros().saturating_sub(ago as u64))
}
