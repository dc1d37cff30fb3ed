//! Bodies that were cut after they were written: maps numbers to slots and pieces.

use crate::Seq;
use core::num::NonZero;
use core::ops::Range;

/// The mapping of numbers to slots, with at most one range of slots that are cut into pieces.
///
/// Outside the range, a number and its slot differ by a constant. Here each slot between the bars is cut into two
/// pieces:
///
/// ```text
/// slots     s   | s+1       s+2     | s+3
/// numbers   n   | n+1 n+2   n+3 n+4 | n+5
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cut {
    /// The first number of the range. Without a range: any number.
    first: Seq,
    /// The slot of `first`.
    slot: Seq,
    /// The first number after the range; equal to `first` without a range.
    end: Seq,
    /// The number of pieces of each slot in the range.
    pieces: NonZero<u16>,
}

/// One of several nearly equal parts of a body, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    index: u16,
    of: NonZero<u16>,
}

impl Piece {
    const WHOLE: Self = Self { index: 0, of: NonZero::<u16>::MIN };

    /// The bytes of this piece in a body of `len` bytes, at most 65,535.
    pub(super) fn range(self, len: usize) -> Range<usize> {
        let at = |index: u16| len * usize::from(index) / usize::from(self.of.get());
        if self == Self::WHOLE { 0..len } else { at(self.index)..at(self.index + 1) }
    }
}

impl Cut {
    /// The mapping without a cut: each number is its slot.
    pub(super) const NONE: Self =
        Self { first: Seq::ZERO, slot: Seq::ZERO, end: Seq::ZERO, pieces: NonZero::<u16>::MIN };

    /// Cuts `slots` slots from `slot` on into `pieces` pieces each. `first` is the number of `slot`.
    pub(super) fn new(first: Seq, slot: Seq, slots: u32, pieces: NonZero<u16>) -> Self {
        Self { first, slot, end: first.add(slots.wrapping_mul(pieces.get().into())), pieces }
    }

    /// Whether the range contains `number` and an earlier number.
    pub(super) fn straddles(&self, number: Seq) -> bool {
        self.first != self.end && self.first.precedes(number) && number.precedes(self.end)
    }

    /// The slot of a number, and the piece of its body.
    #[inline]
    pub(super) fn find(&self, number: Seq) -> (Seq, Piece) {
        let ahead = number.distance_from(self.first);
        if self.first == self.end {
            return (self.slot.add(ahead), Piece::WHOLE);
        }
        self.find_cut(number)
    }

    #[cold]
    fn find_cut(&self, number: Seq) -> (Seq, Piece) {
        let (ahead, numbers) = (number.distance_from(self.first), self.end.distance_from(self.first));
        let pieces = u32::from(self.pieces.get());
        if number.precedes(self.first) {
            (self.slot.add(ahead), Piece::WHOLE)
        } else if ahead < numbers {
            // The remainder is below `pieces`, so it fits 16 bits.
            let index = u16::try_from(ahead % pieces).unwrap_or_default();
            (self.slot.add(ahead / pieces), Piece { index, of: self.pieces })
        } else {
            (self.slot.add(numbers / pieces).add(ahead - numbers), Piece::WHOLE)
        }
    }

    /// The first number of a slot.
    #[inline]
    pub(super) fn number_of(&self, slot: Seq) -> Seq {
        let ahead = slot.distance_from(self.slot);
        if self.first == self.end || slot.precedes(self.slot) {
            return self.first.add(ahead);
        }
        let pieces = u32::from(self.pieces.get());
        let slots = self.end.distance_from(self.first) / pieces;
        if ahead < slots { self.first.add(ahead * pieces) } else { self.end.add(ahead - slots) }
    }

    /// Removes the range if all its numbers precede `base`. Numbers from `base` on keep their slots.
    #[inline]
    pub(super) fn forget_before(&mut self, base: Seq) {
        if self.first != self.end && !base.precedes(self.end) {
            let (slot, _) = self.find(base);
            *self = Self { first: base, slot, end: base, pieces: NonZero::<u16>::MIN };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> Cut {
        // Slot 10 has number 30. Slots 10 and 11 are cut into three pieces each.
        Cut::new(Seq::new(30), Seq::new(10), 2, NonZero::new(3).unwrap())
    }

    fn find(cut: &Cut, number: u32) -> (u32, u16) {
        let (slot, piece) = cut.find(Seq::new(number));
        (slot.value(), piece.index)
    }

    #[test]
    fn numbers_before_in_and_after_a_cut_find_their_slots() {
        let found = [28, 29, 30, 31, 32, 33, 35, 36, 37].map(|number| find(&cut(), number));
        assert_eq!(found, [(8, 0), (9, 0), (10, 0), (10, 1), (10, 2), (11, 0), (11, 2), (12, 0), (13, 0)]);
    }

    #[test]
    fn each_slot_maps_to_its_first_number() {
        assert_eq!([9, 10, 11, 12, 13].map(|slot| cut().number_of(Seq::new(slot)).value()), [29, 30, 33, 36, 37]);
    }

    #[test]
    fn a_cut_that_is_removed_leaves_later_numbers_in_their_slots() {
        let mut cut = cut();
        cut.forget_before(Seq::new(35));
        assert_eq!(cut, self::cut(), "a piece is left");
        cut.forget_before(Seq::new(40));
        assert!(!cut.straddles(Seq::new(33)));
        assert_eq!([36, 40, 41].map(|number| find(&cut, number)), [(12, 0), (16, 0), (17, 0)]);
        assert_eq!(cut.number_of(Seq::new(17)), Seq::new(41));
    }

    #[test]
    fn pieces_are_nearly_equal_and_add_up() {
        let of = NonZero::new(3).unwrap();
        let ranges = [0, 1, 2].map(|index| Piece { index, of }.range(10));
        assert_eq!(ranges, [0..3, 3..6, 6..10]);
        assert_eq!(Piece::WHOLE.range(7), 0..7);
    }
}
