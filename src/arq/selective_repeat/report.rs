//! The acknowledgements that are pending, and when they are due.

use super::acks::{Acks, including};
use super::scoreboard::{Mark, Memory, Window};
use crate::arq::{MAX_ACK_DELAY, ReceivedInfo};
use crate::wire::{MAX_BITMAP, Sack, SackDelay};
use crate::{ClockShift, Instant, Seq};

/// The most numbers that a bitmap covers.
pub(super) const BITMAP_NUMBERS: u32 = 1_024;
const _: () = assert!(BITMAP_NUMBERS as usize == MAX_BITMAP * 8);
/// A bitmap covers the packets of so many SACKs, its own included, because earlier ones may have been lost.
const COVERED_SACKS: u32 = 8;
/// The fewest packets that one of these SACKs counts for.
const FEWEST_INFOS: u32 = 8;
/// If more than one packet in so many is news, a bitmap repeats all that it can.
const NEWS_PART: u16 = 8;
/// A deadline that has passed at any time.
const AT_ONCE: Option<Instant> = Some(Instant::ZERO);

/// Pending acknowledgements in the format of the mode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Report {
    /// Base mode: an ACK of each number.
    Acks(Acks),
    /// Extended mode: a SACK of many numbers.
    Sacks(Sacks),
}

/// The content of the next SACK.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Sacks {
    /// The number that arrived last, and its arrival time.
    latest: Option<(Seq, Instant)>,
    /// The counter of that INFO.
    counter: u32,
    /// The range that contains the unreported numbers, end excluded; empty if both ends are equal.
    unreported: (Seq, Seq),
    /// INFO packets received since the last SACK.
    count: u16,
    /// How many of them are news.
    news: u8,
    asked: Asked,
    /// When the next SACK is due.
    due: Option<Instant>,
    /// The end of the receive window in the last SACK.
    reported_limit: Option<Seq>,
}

/// Whether the next SACK reports as much as a bitmap can, because earlier ones may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum Asked {
    #[default]
    No,
    ByPeer,
    /// FIN repeats it, and no INFO has arrived since the last one.
    ByFin,
}

/// What an arrival tells the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// The number follows the highest one received.
    InOrder,
    /// The number opens a gap or fills one, or arrived before: its SACK may be lost.
    News,
}

impl Default for Report {
    fn default() -> Self {
        Self::Acks(Acks::default())
    }
}

impl Report {
    pub(super) fn start_extended(&mut self) {
        match self {
            Self::Acks(_) => *self = Self::Sacks(Sacks::default()),
            Self::Sacks(_) => {}
        }
    }

    /// Makes the acknowledgement of `info` pending.
    #[inline]
    pub(super) fn on_arrival<M: Memory>(
        &mut self,
        window: &mut Window<M>,
        now: Instant,
        info: ReceivedInfo,
        arrived: Arrived,
    ) {
        match self {
            Self::Sacks(sacks) => sacks.on_arrival(now, info, arrived),
            Self::Acks(acks) => acks.mark(window, info.number),
        }
    }

    /// Makes an acknowledgement due, as a PROBE requests. Base mode has no PROBE.
    pub(super) fn request(&mut self) {
        match self {
            Self::Acks(_) => {}
            Self::Sacks(sacks) => sacks.ask(),
        }
    }

    /// Makes an acknowledgement due that may repeat the last one.
    ///
    /// Such a SACK gives no RTT sample: its delay would be a pause, most of which the peer would take for the round trip.
    pub(super) fn repeat(&mut self) {
        match self {
            Self::Acks(_) => {}
            Self::Sacks(sacks) => {
                sacks.ask();
                if sacks.count == 0 {
                    sacks.asked = Asked::ByFin;
                }
            }
        }
    }

    /// When the next acknowledgement is due.
    ///
    /// `next` is the lowest number not received. `limit` is the end of the receive window, excluded.
    #[inline]
    pub(super) fn due_at(&self, next: Seq, limit: Seq) -> Option<Instant> {
        match self {
            Self::Acks(acks) => acks.first().and(AT_ONCE),
            // After a window of 0 the peer waits for an update.
            Self::Sacks(sacks) if sacks.reported_limit == Some(next) && limit != next => AT_ONCE,
            Self::Sacks(sacks) => sacks.due,
        }
    }

    /// The counter of the INFO that arrived last; 0 in base mode.
    pub(super) const fn counter(&self) -> u32 {
        match self {
            Self::Acks(_) => 0,
            Self::Sacks(sacks) => sacks.counter,
        }
    }

    /// The range that contains the marks of pending ACKs, end excluded.
    pub(super) const fn ack_pending(&self) -> (Seq, Seq) {
        match self {
            Self::Acks(acks) => acks.range(),
            Self::Sacks(_) => (Seq::ZERO, Seq::ZERO),
        }
    }

    /// Records that the memory of the marks was replaced.
    pub(super) fn on_memory_replaced(&mut self) {
        match self {
            Self::Acks(acks) => acks.on_memory_replaced(),
            Self::Sacks(_) => {}
        }
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        match self {
            Self::Acks(_) => {}
            Self::Sacks(sacks) => sacks.rebase(shift),
        }
    }
}

impl Sacks {
    #[inline]
    fn on_arrival(&mut self, now: Instant, info: ReceivedInfo, arrived: Arrived) {
        self.latest = Some((info.number, now));
        if self.asked == Asked::ByFin {
            self.asked = Asked::ByPeer;
        }
        self.counter = info.counter;
        self.unreported = including(self.unreported, info.number);
        self.count = self.count.saturating_add(1);
        let request = info.request;
        if arrived == Arrived::News {
            self.news = self.news.saturating_add(1);
        }
        if request.at_once {
            self.ask();
        } else if self.count.saturating_add(self.news.into()) >= request.infos() {
            // News counts twice, so that the sender repeats a lost packet sooner.
            self.due = AT_ONCE;
        } else {
            let latest = now + request.delay().min(MAX_ACK_DELAY);
            self.due = Some(self.due.map_or(latest, |due| due.min(latest)));
        }
    }

    /// Makes a SACK due that reports as much as a bitmap can.
    fn ask(&mut self) {
        (self.asked, self.due) = (Asked::ByPeer, AT_ONCE);
    }

    /// The SACK to send `now`. `bitmap` holds its bits.
    ///
    /// `next` is the lowest number not received, `top` one after the highest received. `announced` is the receive
    /// window.
    pub(super) fn sack<'b, M: Memory>(
        &self,
        window: &Window<M>,
        now: Instant,
        (next, top): (Seq, Seq),
        announced: u32,
        bitmap: &'b mut [u8; MAX_BITMAP],
    ) -> Sack<'b> {
        let base = self.bitmap_base((next, top));
        let numbers = top.distance_from(base).min(BITMAP_NUMBERS);
        let mut reported = 0;
        for bytes in bitmap.as_chunks_mut().0 {
            let left = numbers - reported;
            if left == 0 {
                break;
            }
            let here = left.min(u64::BITS);
            // Bits beyond the highest number belong to other numbers.
            let word = window.bits(Mark::RECEIVED, base.add(reported)) & (u64::MAX >> (u64::BITS - here));
            *bytes = word.to_le_bytes();
            reported += here;
        }
        let len = usize::try_from(numbers.div_ceil(u8::BITS)).unwrap_or(MAX_BITMAP);
        let delay = |at| SackDelay::from_duration(now.saturating_since(at));
        Sack {
            next,
            window: announced,
            latest: self.latest.map_or(next, |(number, _)| number),
            counter: self.counter,
            delay: self.latest.filter(|_| self.asked != Asked::ByFin).map_or(SackDelay::NO_SAMPLE, |(_, at)| delay(at)),
            ce: 0,
            base,
            bitmap: bitmap.get(..len).unwrap_or_default(),
        }
    }

    /// The first number of the bitmap.
    ///
    /// The bitmap covers the unreported numbers first. Before them it repeats what the last SACKs have reported,
    /// because they may have been lost. More would fill a narrow way back.
    fn bitmap_base(&self, (next, top): (Seq, Seq)) -> Seq {
        let (first, end) = match self.unreported {
            (first, end) if first != end && next.precedes(end) => {
                (if first.precedes(next) { next } else { first }, end)
            }
            _ => (next, top),
        };
        // A repeat fills a gap far behind, and is reported again only if the bitmap reaches back to it.
        let is_eventful = u16::from(self.news) * NEWS_PART > self.count;
        let reach = if self.asked != Asked::No || is_eventful || self.count == 0 {
            BITMAP_NUMBERS
        } else {
            (u32::from(self.count).max(FEWEST_INFOS) * COVERED_SACKS).min(BITMAP_NUMBERS)
        };
        if end.distance_from(next) <= reach {
            next
        } else if end.distance_from(first) <= reach {
            end.sub(reach)
        } else {
            first
        }
    }

    /// Records that the SACK has left.
    pub(super) fn on_sent(&mut self, received: (Seq, Seq), limit: Seq) {
        let reported = self.bitmap_base(received).add(BITMAP_NUMBERS);
        self.reported_limit = Some(limit);
        let (first, end) = self.unreported;
        let is_left = first != end && reported.precedes(end);
        self.unreported = if is_left { (reported, end) } else { (end, end) };
        // Each INFO brings one SACK at most. The next one reports what is left.
        let is_due = is_left && self.count > 1;
        self.count = if is_due { self.count - 1 } else { 0 };
        (self.news, self.asked, self.due) = (0, Asked::No, if is_due { AT_ONCE } else { None });
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.latest = self.latest.map(|(number, at)| (number, shift.aged(at, SackDelay::TOO_LONG)));
        self.due = self.due.and_then(|at| if at <= shift.from() { AT_ONCE } else { Some(shift.apply(at)) });
    }
}
