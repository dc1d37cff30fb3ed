//! The places of consecutive numbers in lent memory, and their bits.

use super::block::{Block, Sent};
use crate::Seq;

/// Lent memory for the numbers of a window.
pub(crate) trait Memory: AsRef<[Block]> + AsMut<[Block]> {}

impl<M: AsRef<[Block]> + AsMut<[Block]>> Memory for M {}

/// A number's place is its low bits: a window holds as many consecutive numbers as it has places.
///
/// What is kept of this side's numbers is the scoreboard's alone. Memory that shrinks after it was lent loses what it held; nothing panics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window<M> {
    memory: M,
    /// One less than the places, which are a power of two.
    mask: u32,
}

/// A bit that is kept of each number. The receiver sees those of the peer's numbers only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(Which);

#[derive(Clone, Copy, Debug)]
enum Which {
    Acknowledged,
    Received,
    AckPending,
}

impl Mark {
    /// Of this side's numbers: the peer has acknowledged it.
    pub(super) const ACKNOWLEDGED: Self = Self(Which::Acknowledged);
    /// Of the peer's numbers: it has been received.
    pub(crate) const RECEIVED: Self = Self(Which::Received);
    /// Of the peer's numbers: it waits for its acknowledgement in base mode.
    pub(crate) const ACK_PENDING: Self = Self(Which::AckPending);

    const fn of(self, block: &Block) -> u64 {
        match self.0 {
            Which::Acknowledged => block.acknowledged,
            Which::Received => block.received,
            Which::AckPending => block.ack_pending,
        }
    }

    const fn of_mut(self, block: &mut Block) -> &mut u64 {
        match self.0 {
            Which::Acknowledged => &mut block.acknowledged,
            Which::Received => &mut block.received,
            Which::AckPending => &mut block.ack_pending,
        }
    }
}

impl<M: Memory> Window<M> {
    /// The whole of `memory`, or the largest power of two of its blocks; `None` if there are none.
    pub(super) fn new(mut memory: M) -> Option<Self> {
        const MOST_BLOCKS: u32 = 1 << 24;
        let blocks = u32::try_from(memory.as_ref().len()).unwrap_or(u32::MAX).min(MOST_BLOCKS);
        let places = Block::NUMBERS << blocks.checked_ilog2()?;
        memory.as_mut().fill(Block::EMPTY);
        Some(Self { memory, mask: places - 1 })
    }

    pub(super) fn into_memory(self) -> M {
        self.memory
    }

    pub(crate) const fn places(&self) -> u32 {
        self.mask + 1
    }

    fn block(&self, number: Seq) -> Option<&Block> {
        self.memory.as_ref().get(((number.value() & self.mask) / Block::NUMBERS) as usize)
    }

    fn block_mut(&mut self, number: Seq) -> Option<&mut Block> {
        self.memory.as_mut().get_mut(((number.value() & self.mask) / Block::NUMBERS) as usize)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn sent(&self, number: Seq) -> Sent {
        let sent = self.block(number).and_then(|block| block.sent.get((number.value() % Block::NUMBERS) as usize));
        sent.copied().unwrap_or(Sent::UNSENT)
    }

    /// Changes what is kept of `number`, and returns what it was.
    pub(super) fn update(&mut self, number: Seq, change: impl FnOnce(&mut Sent)) -> Sent {
        let block = self.block_mut(number);
        let Some(place) = block.and_then(|block| block.sent.get_mut((number.value() % Block::NUMBERS) as usize)) else {
            return Sent::UNSENT;
        };
        let before = *place;
        change(place);
        before
    }

    /// What is kept of each number, in no order.
    pub(super) fn all_sent(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.memory.as_mut().iter_mut().flat_map(|block| &mut block.sent)
    }

    /// The marks of the numbers from `first` on, 64 of them, whatever block each is in.
    pub(crate) fn bits(&self, mark: Mark, first: Seq) -> u64 {
        let of = |number| self.block(number).map_or(0, |block| mark.of(block));
        let shift = first.value() % Block::NUMBERS;
        // The upper part lies in the following block; for shift 0 there is none.
        let high = of(first.add(Block::NUMBERS - 1)).checked_shl(Block::NUMBERS - shift).unwrap_or(0);
        of(first) >> shift | high
    }

    pub(crate) fn has(&self, mark: Mark, number: Seq) -> bool {
        self.block(number).is_some_and(|block| mark.of(block) >> (number.value() % Block::NUMBERS) & 1 == 1)
    }

    pub(crate) fn set(&mut self, mark: Mark, number: Seq) {
        if let Some(block) = self.block_mut(number) {
            *mark.of_mut(block) |= 1 << (number.value() % Block::NUMBERS);
        }
    }

    /// Clears the marks of `count` numbers from `first` on, a block at a time.
    pub(crate) fn clear(&mut self, mark: Mark, first: Seq, count: u32) {
        let (mut first, mut count) = (first, count);
        while count > 0 {
            let shift = first.value() % Block::NUMBERS;
            let here = count.min(Block::NUMBERS - shift);
            let ones = u64::MAX >> (Block::NUMBERS - here);
            if let Some(block) = self.block_mut(first) {
                *mark.of_mut(block) &= !(ones << shift);
            }
            first = first.add(here);
            count -= here;
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

    #[test]
    fn a_window_has_a_power_of_two_of_places() {
        assert_eq!(window(1).places(), 64);
        assert_eq!(window(3).places(), 128);
        assert!(Window::new([]).is_none());
    }

    #[test]
    fn bits_are_read_and_cleared_across_blocks_and_the_wrap() {
        let mut window = window(2);
        for first in [0, 1, 63, 64, 100, u32::MAX - 40] {
            let first = Seq::new(first);
            for step in [0, 3, 40, 63] {
                window.set(Mark::RECEIVED, first.add(step));
            }
            assert_eq!(window.bits(Mark::RECEIVED, first), 1 | 1 << 3 | 1 << 40 | 1 << 63);
            assert_eq!(window.bits(Mark::ACKNOWLEDGED, first), 0);
            assert!(window.has(Mark::RECEIVED, first.add(40)) && !window.has(Mark::RECEIVED, first.add(41)));
            window.clear(Mark::RECEIVED, first, 41);
            assert_eq!(window.bits(Mark::RECEIVED, first), 1 << 63);
            window.clear(Mark::RECEIVED, first, 128);
            assert_eq!(window.bits(Mark::RECEIVED, first), 0);
        }
    }
}
