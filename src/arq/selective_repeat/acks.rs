//! The numbers whose ACK is pending, in base mode.

use super::scoreboard::{Mark, Memory, Window};
use crate::Seq;

/// The numbers whose ACK is pending. Each has a mark in the window.
///
/// The window is divided into [`REGIONS`]. A region without a mark is skipped in one step, so that pending numbers far
/// apart do not cost a search of the whole window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Acks {
    /// The range that contains the marks, end excluded; empty if both ends are equal.
    ack_pending: (Seq, Seq),
    /// A pending number that is too old for a mark.
    older: Option<Seq>,
    /// A bit for each region that may contain a mark.
    regions: u64,
}

/// Whether regions are used. Small machines have small windows, and little flash.
const USES_REGIONS: bool = usize::BITS >= 64;
/// The number of regions of a window, whose size is a power of two that is no smaller.
const REGIONS: u32 = u64::BITS;

impl Acks {
    /// The range that contains the marks, end excluded.
    pub(super) const fn range(&self) -> (Seq, Seq) {
        self.ack_pending
    }

    /// Marks `number` as pending.
    pub(super) fn mark<M: Memory>(&mut self, window: &mut Window<M>, number: Seq) {
        let ack_pending = including(self.ack_pending, number);
        if ack_pending.1.distance_from(ack_pending.0) > window.places() {
            // The range would exceed the window. The peer repeats the number that `older` held before.
            self.older = Some(number);
            return;
        }
        window.set(Mark::ACK_PENDING, number);
        self.ack_pending = ack_pending;
        if USES_REGIONS {
            self.regions |= 1 << (number.value() >> region_bits(window) & (REGIONS - 1));
        }
    }

    /// The next number to acknowledge.
    pub(super) fn first(&self) -> Option<Seq> {
        let (first, end) = self.ack_pending;
        self.older.or((first != end).then_some(first))
    }

    /// Records that the ACK of the [first](Self::first) number has left.
    pub(super) fn on_sent<M: Memory>(&mut self, window: &mut Window<M>) {
        let (first, end) = self.ack_pending;
        if self.older.take().is_some() || first == end {
            return;
        }
        window.clear(Mark::ACK_PENDING, first, 1);
        let next = self.next_mark(window, first.next(), end);
        if next == end {
            self.regions = 0;
        }
        self.ack_pending = (next, end);
    }

    /// The first mark between `next` and `end`; `end` if there is none.
    fn next_mark<M: Memory>(&mut self, window: &Window<M>, mut next: Seq, end: Seq) -> Seq {
        if !USES_REGIONS {
            return first_mark(window, next, end.distance_from(next)).unwrap_or(end);
        }
        let bits = region_bits(window);
        while next != end {
            // The rest of the region of `next`, or the empty regions up to the next one with a mark.
            let region = next.value() >> bits & (REGIONS - 1);
            let empty = self.regions.rotate_right(region).trailing_zeros();
            let (left, passed) = (end.distance_from(next), next.value() & ((1 << bits) - 1));
            let here = left.min((empty.max(1) << bits) - passed);
            if empty > 0 {
                next = next.add(here);
                continue;
            }
            if let Some(found) = first_mark(window, next, here) {
                return found;
            }
            // A range as wide as the window begins and ends in the same region.
            if left <= window.places() - passed {
                self.regions &= !(1 << region);
            }
            next = next.add(here);
        }
        end
    }

    /// Records that the memory of the marks was replaced: the regions have another size.
    pub(super) fn on_memory_replaced(&mut self) {
        self.regions = u64::MAX;
    }
}

/// A region has two to the power of this many numbers.
fn region_bits<M: Memory>(window: &Window<M>) -> u32 {
    window.places().trailing_zeros().saturating_sub(REGIONS.trailing_zeros())
}

/// The first mark of the `count` numbers from `first` on.
fn first_mark<M: Memory>(window: &Window<M>, first: Seq, count: u32) -> Option<Seq> {
    let (mut next, mut left) = (first, count);
    loop {
        let skip = window.bits(Mark::ACK_PENDING, next).trailing_zeros();
        if skip < left.min(u64::BITS) {
            return Some(next.add(skip));
        }
        left = left.checked_sub(u64::BITS).filter(|&left| left > 0)?;
        next = next.add(u64::BITS);
    }
}

/// The shortest interval that contains `number` and the interval from `first` to `end`, which may be empty.
pub(super) fn including((first, end): (Seq, Seq), number: Seq) -> (Seq, Seq) {
    if first == end {
        return (number, number.next());
    }
    (if number.precedes(first) { number } else { first }, if number.precedes(end) { end } else { number.next() })
}

#[cfg(test)]
mod tests {
    use super::super::scoreboard::{Block, Scoreboard};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    proptest! {
        /// Numbers are marked anywhere in the window, and acknowledged in order.
        #[test]
        fn pending_numbers_agree_with_a_set(
            blocks in prop_oneof![Just(1_usize), Just(2), Just(128)],
            start in prop_oneof![Just(0_u32), Just(u32::MAX - 5_000), any::<u32>()],
            steps in prop::collection::vec((0_u32..9_000, 0_usize..3, 0_u32..200), 1..300),
        ) {
            let mut scoreboard = Scoreboard::new(std::vec![Block::EMPTY; blocks]).unwrap();
            let window = scoreboard.window_mut();
            let (mut acks, mut pending, mut from) = (Acks::default(), BTreeSet::new(), 0_u32);
            for (ahead, sent, moves) in steps {
                from += moves;
                let number = from + ahead % window.places();
                let span = |pending: &BTreeSet<u32>| pending.last().unwrap() - pending.first().unwrap();
                pending.insert(number);
                // A number too far from the others has no mark, and is not part of this test.
                if span(&pending) >= window.places() {
                    pending.remove(&number);
                    continue;
                }
                let older = acks.older;
                acks.mark(window, Seq::new(start.wrapping_add(number)));
                prop_assume!(acks.older == older);
                for _ in 0..sent {
                    let first = pending.pop_first();
                    prop_assert_eq!(acks.first(), first.map(|number| Seq::new(start.wrapping_add(number))));
                    acks.on_sent(window);
                }
            }
            let rest = core::iter::from_fn(|| {
                let first = acks.first()?;
                acks.on_sent(window);
                Some(first.value().wrapping_sub(start))
            });
            prop_assert_eq!(rest.collect::<Vec<_>>(), Vec::from_iter(pending));
            prop_assert_eq!(acks.regions, 0);
        }
    }
}
