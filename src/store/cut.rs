//! The mapping of numbers to slots, for bodies that are cut after they were written.

use core::num::NonZero;
use core::ops::Range;

/// The mapping of numbers to slots, with at most one range of slots that are cut into pieces.
///
/// Numbers and slots are counted from the oldest slot. Before the range a number equals its slot. After the range they
/// differ by a constant. In this example each slot between the bars is cut into two pieces:
///
/// ```text
/// slots     0   | 1     2   | 3
/// numbers   0   | 1 2   3 4 | 5
/// ```
///
/// If `MAY_CUT` is false, there is never a cut, and no code for it.
///
/// The type is packed, so that the store that contains it can use two bytes that would be padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(Rust, packed(2))]
pub(super) struct Cut<const MAY_CUT: bool> {
    /// The number of slots before the range.
    ahead: u32,
    /// The number of slots in the range.
    slots: u32,
    /// The number of pieces of each slot in the range; 1 without a range.
    pieces: NonZero<u16>,
}

/// One of several nearly equal parts of a body, or the whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    index: u16,
    of: NonZero<u16>,
}

impl Piece {
    pub(super) const WHOLE: Self = Self { index: 0, of: NonZero::<u16>::MIN };

    /// The bytes of this piece in a body of `len` bytes. `len` is at most 65,535, so the products fit 32 bits.
    pub(super) fn range(self, len: usize) -> Range<usize> {
        let at = |index: u16| len * usize::from(index) / usize::from(self.of.get());
        if self == Self::WHOLE { 0..len } else { at(self.index)..at(self.index + 1) }
    }
}

impl<const MAY_CUT: bool> Cut<MAY_CUT> {
    /// The mapping without a cut: each number equals its slot.
    pub(super) const NONE: Self = Self { ahead: 0, slots: 0, pieces: NonZero::<u16>::MIN };

    /// Leaves the `ahead` oldest slots whole, and cuts each of the next `slots` slots into `pieces` pieces.
    ///
    /// `None` if `pieces` is below 2, or if the cut slots have 2^31 pieces or more in all (RFC 1982).
    pub(super) fn new(ahead: u32, slots: u32, pieces: u16) -> Option<Self> {
        let numbers = slots.checked_mul(pieces.into())?;
        let pieces = NonZero::new(pieces)?;
        (pieces > NonZero::<u16>::MIN && numbers < 1 << 31).then_some(Self { ahead, slots, pieces })
    }

    const fn is_none(&self) -> bool {
        !MAY_CUT || self.pieces.get() == 1
    }

    /// Whether a slot before this one is cut.
    pub(super) const fn begins_before(&self, slot: u32) -> bool {
        !self.is_none() && self.ahead < slot
    }

    /// The slot of a number, and the piece of the body in that slot.
    #[inline]
    pub(super) fn find(&self, number: u32) -> (u32, Piece) {
        if self.is_none() { (number, Piece::WHOLE) } else { self.find_cut(number) }
    }

    #[cold]
    fn find_cut(&self, number: u32) -> (u32, Piece) {
        let pieces = u32::from(self.pieces.get());
        let Some(inside) = number.checked_sub(self.ahead) else { return (number, Piece::WHOLE) };
        match inside.checked_sub(self.slots * pieces) {
            Some(after) => (self.ahead + self.slots + after, Piece::WHOLE),
            None => {
                // The remainder is below `pieces`, so it fits 16 bits.
                let index = u16::try_from(inside % pieces).unwrap_or_default();
                (self.ahead + inside / pieces, Piece { index, of: self.pieces })
            }
        }
    }

    /// The first number of a slot.
    #[inline]
    pub(super) fn number_of(&self, slot: u32) -> u32 {
        if self.is_none() {
            return slot;
        }
        let before = slot.saturating_sub(self.ahead).min(self.slots);
        slot + before * (u32::from(self.pieces.get()) - 1)
    }

    /// Removes the `count` oldest slots from the mapping.
    #[inline]
    pub(super) fn forget(&mut self, count: u32) {
        if self.is_none() {
            return;
        }
        let removed = count.saturating_sub(self.ahead);
        if removed < self.slots {
            self.ahead = self.ahead.saturating_sub(count);
            self.slots -= removed;
        } else {
            *self = Self::NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Cut = super::Cut<true>;

    fn cut() -> Cut {
        // Slots 2 and 3 are cut into three pieces each.
        Cut::new(2, 2, 3).unwrap()
    }

    fn find(cut: &Cut, number: u32) -> (u32, u16) {
        let (slot, piece) = cut.find(number);
        (slot, piece.index)
    }

    #[test]
    fn numbers_before_in_and_after_a_cut_find_their_slots() {
        let found = [0, 1, 2, 3, 4, 5, 7, 8, 9].map(|number| find(&cut(), number));
        assert_eq!(found, [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (3, 0), (3, 2), (4, 0), (5, 0)]);
    }

    #[test]
    fn each_slot_maps_to_its_first_number() {
        assert_eq!([1, 2, 3, 4, 5].map(|slot| cut().number_of(slot)), [1, 2, 5, 8, 9]);
    }

    #[test]
    fn later_numbers_keep_their_pieces_when_older_slots_are_removed() {
        let mut cut = cut();
        cut.forget(1);
        assert_eq!([0, 1, 3, 4, 7].map(|number| find(&cut, number)), [(0, 0), (1, 0), (1, 2), (2, 0), (3, 0)]);
        cut.forget(2);
        assert_eq!([0, 2, 3, 4].map(|number| find(&cut, number)), [(0, 0), (0, 2), (1, 0), (2, 0)]);
        assert_eq!([0, 1, 2].map(|slot| cut.number_of(slot)), [0, 3, 4]);
        cut.forget(2);
        assert_eq!(cut, Cut::NONE);
    }

    #[test]
    fn a_cut_into_one_piece_or_too_many_is_refused() {
        assert_eq!((Cut::new(0, 1, 1), Cut::new(0, 1 << 16, 1 << 15)), (None, None));
        assert_eq!(Cut::new(0, u32::MAX, 2), None);
    }

    #[test]
    fn pieces_are_nearly_equal_and_add_up() {
        let of = NonZero::new(3).unwrap();
        let ranges = [0, 1, 2].map(|index| Piece { index, of }.range(10));
        assert_eq!(ranges, [0..3, 3..6, 6..10]);
        assert_eq!(Piece::WHOLE.range(7), 0..7);
    }
}
