//! The numbers of a window, and lists of them, in lent memory.

use super::block::{Block, Sent};
use crate::Seq;

/// A number's place is its low bits: a window holds as many consecutive numbers as it has places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Window<M> {
    blocks: M,
    /// One less than the places, which are a power of two.
    mask: u32,
}

const PER_BLOCK: u32 = u64::BITS;

impl<M: AsRef<[Block]> + AsMut<[Block]>> Window<M> {
    /// The whole of `blocks`, or the largest power of two of them; `None` if there are none.
    pub(super) fn new(mut blocks: M) -> Option<Self> {
        let count = u32::try_from(blocks.as_ref().len()).unwrap_or(u32::MAX).min(1 << 24);
        let places = PER_BLOCK << count.checked_ilog2()?;
        blocks.as_mut().fill(Block::EMPTY);
        Some(Self { blocks, mask: places - 1 })
    }

    pub(super) const fn places(&self) -> u32 {
        self.mask + 1
    }

    #[allow(clippy::indexing_slicing, reason = "masked: below the number of places, which the blocks hold")]
    fn block(&self, number: Seq) -> &Block {
        &self.blocks.as_ref()[((number.value() & self.mask) / PER_BLOCK) as usize]
    }

    #[allow(clippy::indexing_slicing, reason = "masked: below the number of places, which the blocks hold")]
    fn block_mut(&mut self, number: Seq) -> &mut Block {
        &mut self.blocks.as_mut()[((number.value() & self.mask) / PER_BLOCK) as usize]
    }

    #[allow(clippy::indexing_slicing, reason = "a remainder of 64 in an array of 64")]
    pub(super) fn sent(&self, number: Seq) -> &Sent {
        &self.block(number).sent[(number.value() % PER_BLOCK) as usize]
    }

    #[allow(clippy::indexing_slicing, reason = "a remainder of 64 in an array of 64")]
    pub(super) fn sent_mut(&mut self, number: Seq) -> &mut Sent {
        &mut self.block_mut(number).sent[(number.value() % PER_BLOCK) as usize]
    }

    /// What is kept of each number, in no order.
    pub(super) fn all_sent(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.blocks.as_mut().iter_mut().flat_map(|block| &mut block.sent)
    }

    /// Bits of the numbers from `first` on, 64 of them, whatever block each is in.
    pub(super) fn bits(&self, which: Which, first: Seq) -> u64 {
        let shift = first.value() % PER_BLOCK;
        let low = which.of(self.block(first)) >> shift;
        // The upper part lies in the following block; for shift 0 there is none.
        let high = which.of(self.block(first.add(PER_BLOCK - 1))).checked_shl(PER_BLOCK - shift).unwrap_or(0);
        low | high
    }

    pub(super) fn bit(&self, which: Which, number: Seq) -> bool {
        which.of(self.block(number)) >> (number.value() % PER_BLOCK) & 1 == 1
    }

    pub(super) fn set(&mut self, which: Which, number: Seq) {
        *which.of_mut(self.block_mut(number)) |= 1 << (number.value() % PER_BLOCK);
    }

    /// Clears the bits of `count` numbers from `first` on, a block at a time.
    pub(super) fn clear(&mut self, which: Which, first: Seq, count: u32) {
        let (mut first, mut count) = (first, count);
        while count > 0 {
            let shift = first.value() % PER_BLOCK;
            let here = count.min(PER_BLOCK - shift);
            let ones = u64::MAX >> (PER_BLOCK - here);
            *which.of_mut(self.block_mut(first)) &= !(ones << shift);
            first = first.add(here);
            count -= here;
        }
    }
}

/// A bit of a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// Of ours: the peer has acknowledged it.
    Acknowledged,
    /// Of the peer's: it has been received.
    Received,
    /// Of the peer's: it waits for its acknowledgement in base mode.
    Owed,
}

impl Which {
    const fn of(self, block: &Block) -> u64 {
        match self {
            Self::Acknowledged => block.acknowledged,
            Self::Received => block.received,
            Self::Owed => block.owed,
        }
    }

    const fn of_mut(self, block: &mut Block) -> &mut u64 {
        match self {
            Self::Acknowledged => &mut block.acknowledged,
            Self::Received => &mut block.received,
            Self::Owed => &mut block.owed,
        }
    }
}

/// A list of numbers, linked through what is kept of each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct List {
    head: Seq,
    tail: Seq,
    len: u32,
}

impl List {
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn first(&self) -> Option<Seq> {
        (self.len > 0).then_some(self.head)
    }

    pub(super) fn last(&self) -> Option<Seq> {
        (self.len > 0).then_some(self.tail)
    }

    /// The number after `number`, which is in the list.
    #[cfg(test)]
    pub(super) fn after<M: AsRef<[Block]> + AsMut<[Block]>>(&self, window: &Window<M>, number: Seq) -> Option<Seq> {
        (number != self.tail).then(|| Seq::new(window.sent(number).after))
    }

    /// Adds `number` at the end, and returns what is to be kept of it as the one before.
    #[must_use]
    pub(super) fn push<M: AsRef<[Block]> + AsMut<[Block]>>(&mut self, window: &mut Window<M>, number: Seq) -> u32 {
        let before = self.tail;
        if self.len == 0 {
            self.head = number;
        } else {
            window.sent_mut(before).after = number.value();
        }
        self.tail = number;
        self.len += 1;
        before.value()
    }

    /// Forgets the neighbours that its first and last number once had.
    pub(super) fn forget_ends<M: AsRef<[Block]> + AsMut<[Block]>>(&mut self, window: &mut Window<M>) {
        if self.len == 0 {
            *self = Self::default();
        } else {
            window.sent_mut(self.head).before = 0;
            window.sent_mut(self.tail).after = 0;
        }
    }

    /// Takes out `number`, which is in the list, and of which `sent` is kept.
    pub(super) fn remove<M: AsRef<[Block]> + AsMut<[Block]>>(
        &mut self,
        window: &mut Window<M>,
        number: Seq,
        sent: Sent,
    ) {
        let Sent { before, after, .. } = sent;
        self.len -= 1;
        if number == self.head {
            // The oldest mostly: what was sent first is acknowledged first. Of an empty list nobody asks for the head.
            self.head = Seq::new(after);
        } else if number == self.tail {
            self.tail = Seq::new(before);
        } else {
            window.sent_mut(Seq::new(before)).after = after;
            window.sent_mut(Seq::new(after)).before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn window(blocks: usize) -> Window<Vec<Block>> {
        Window::new(std::vec![Block::EMPTY; blocks]).unwrap()
    }

    fn push(list: &mut List, window: &mut Window<Vec<Block>>, number: u32) {
        window.sent_mut(Seq::new(number)).before = list.push(window, Seq::new(number));
    }

    fn remove(list: &mut List, window: &mut Window<Vec<Block>>, number: u32) {
        let sent = *window.sent(Seq::new(number));
        list.remove(window, Seq::new(number), sent);
    }

    fn numbers(list: &List, window: &Window<Vec<Block>>) -> Vec<u32> {
        let mut next = list.first();
        core::iter::from_fn(|| {
            let number = next?;
            next = list.after(window, number);
            Some(number.value())
        })
        .collect()
    }

    #[test]
    fn a_window_has_a_power_of_two_of_places() {
        assert_eq!(window(1).places(), 64);
        assert_eq!(window(3).places(), 128);
        assert!(Window::new([]).is_none());
    }

    #[test]
    fn bits_are_read_and_cleared_across_blocks_and_around_the_wrap() {
        let mut window = window(2);
        for first in [0, 1, 63, 64, 100, u32::MAX - 40] {
            let first = Seq::new(first);
            for step in [0, 3, 40, 63] {
                window.set(Which::Received, first.add(step));
            }
            assert_eq!(window.bits(Which::Received, first), 1 | 1 << 3 | 1 << 40 | 1 << 63);
            assert_eq!(window.bits(Which::Acknowledged, first), 0);
            assert!(window.bit(Which::Received, first.add(40)) && !window.bit(Which::Received, first.add(41)));
            window.clear(Which::Received, first, 41);
            assert_eq!(window.bits(Which::Received, first), 1 << 63);
            window.clear(Which::Received, first, 128);
            assert_eq!(window.bits(Which::Received, first), 0);
        }
    }

    #[test]
    fn a_list_gives_up_its_first_last_and_any_between() {
        let (mut window, mut list) = (window(1), List::default());
        for number in [5, 9, 2, 7, 63] {
            push(&mut list, &mut window, number);
        }
        remove(&mut list, &mut window, 2);
        remove(&mut list, &mut window, 5);
        remove(&mut list, &mut window, 63);
        assert_eq!(numbers(&list, &window), [9, 7]);
        assert_eq!(list.last(), Some(Seq::new(7)));
        remove(&mut list, &mut window, 9);
        remove(&mut list, &mut window, 7);
        assert_eq!((list.first(), list.last(), list.len()), (None, None, 0));
        push(&mut list, &mut window, 1);
        assert_eq!(numbers(&list, &window), [1]);
    }
}
