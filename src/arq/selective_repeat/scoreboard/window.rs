//! Places and marks of consecutive numbers in lent memory.

use super::block::{Block, Sent};
use crate::Seq;

/// Lent memory for the numbers of a window.
pub(crate) trait Memory: AsRef<[Block]> + AsMut<[Block]> {}

impl<M: AsRef<[Block]> + AsMut<[Block]>> Memory for M {}

/// The places of consecutive numbers. The low bits of a number are the index of its place.
///
/// Only the scoreboard reads and writes the state of this side's numbers. If the lent memory shrinks later, the state
/// in the missing part is lost, but no access panics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window<M> {
    memory: M,
    /// The number of places minus one. The number of places is a power of two.
    mask: u32,
}

/// A bit for each number. The receiver has access to the marks of the peer's numbers only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(MarkKind);

#[derive(Clone, Copy, Debug)]
enum MarkKind {
    Acknowledged,
    Received,
    AckPending,
}

impl Mark {
    /// A number of this side that the peer has acknowledged.
    pub(super) const ACKNOWLEDGED: Self = Self(MarkKind::Acknowledged);
    /// A number of the peer that has been received.
    pub(crate) const RECEIVED: Self = Self(MarkKind::Received);
    /// A number of the peer whose acknowledgement is pending in base mode.
    pub(crate) const ACK_PENDING: Self = Self(MarkKind::AckPending);

    const fn of(self, block: &Block) -> u64 {
        match self.0 {
            MarkKind::Acknowledged => block.acknowledged,
            MarkKind::Received => block.received,
            MarkKind::AckPending => block.ack_pending,
        }
    }

    const fn of_mut(self, block: &mut Block) -> &mut u64 {
        match self.0 {
            MarkKind::Acknowledged => &mut block.acknowledged,
            MarkKind::Received => &mut block.received,
            MarkKind::AckPending => &mut block.ack_pending,
        }
    }
}

/// How many numbers a window over `memory` has; `None` if `memory` has no block.
pub(super) fn places_in(memory: &impl Memory) -> Option<u32> {
    const MOST_BLOCKS: u32 = 1 << 24;
    let blocks = u32::try_from(memory.as_ref().len()).unwrap_or(u32::MAX).min(MOST_BLOCKS);
    Some(Block::NUMBERS << blocks.checked_ilog2()?)
}

impl<M: Memory> Window<M> {
    /// A window over the largest power of two of blocks in `memory`; `None` if `memory` has no block.
    pub(super) fn new(memory: M) -> Option<Self> {
        let places = places_in(&memory)?;
        Some(Self::over(memory, places))
    }

    /// An empty window of `places` numbers, which `memory` must have room for.
    pub(super) fn over(mut memory: M, places: u32) -> Self {
        // `fill` would keep a copy of the empty block in flash.
        for block in memory.as_mut() {
            *block = Block::EMPTY;
        }
        Self { memory, mask: places - 1 }
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

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn block_mut(&mut self, number: Seq) -> Option<&mut Block> {
        self.memory.as_mut().get_mut(((number.value() & self.mask) / Block::NUMBERS) as usize)
    }

    /// The state of `number`, by reference, so that the caller loads only the fields that it needs.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn sent(&self, number: Seq) -> &Sent {
        let sent = self.block(number).and_then(|block| block.sent.get((number.value() % Block::NUMBERS) as usize));
        sent.unwrap_or_else(|| unsent())
    }

    pub(super) fn sent_mut(&mut self, number: Seq) -> Option<&mut Sent> {
        self.block_mut(number).and_then(|block| block.sent.get_mut((number.value() % Block::NUMBERS) as usize))
    }

    /// Changes the state of `number`.
    pub(super) fn update(&mut self, number: Seq, change: impl FnOnce(&mut Sent)) {
        if let Some(sent) = self.sent_mut(number) {
            change(sent);
        }
    }

    /// The transmission time in the place of `key`, a counter or a number.
    pub(super) fn time(&self, key: u32) -> u32 {
        let time = self.block(Seq::new(key)).and_then(|block| block.times.get((key % Block::NUMBERS) as usize));
        time.copied().unwrap_or_default()
    }

    /// Stores a transmission time in the place of `key`.
    #[inline]
    pub(super) fn set_time(&mut self, key: u32, at: u32) {
        let place =
            self.block_mut(Seq::new(key)).and_then(|block| block.times.get_mut((key % Block::NUMBERS) as usize));
        if let Some(place) = place {
            *place = at;
        }
    }

    /// All transmission times, in any order.
    pub(super) fn all_times(&mut self) -> impl Iterator<Item = &mut u32> {
        self.memory.as_mut().iter_mut().flat_map(|block| &mut *block.times)
    }

    /// The state of each number, in any order.
    pub(super) fn all_sent(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.memory.as_mut().iter_mut().flat_map(|block| &mut block.sent)
    }

    /// The marks of the 64 numbers from `first` on, which may span two blocks.
    pub(crate) fn bits(&self, mark: Mark, first: Seq) -> u64 {
        let shift = first.value() % Block::NUMBERS;
        let following = self.block(first.add(Block::NUMBERS - 1));
        let (Some(block), Some(following)) = (self.block(first), following) else { return 0 };
        // The upper bits lie in the following block, unless `shift` is 0.
        let high = mark.of(following).checked_shl(Block::NUMBERS - shift).unwrap_or(0);
        mark.of(block) >> shift | high
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

/// The state of a number whose memory is missing, because the lent memory has shrunk.
///
/// The function is cold, so that the compiler emits a branch, which the processor predicts. A conditional move would
/// delay each access.
#[cold]
#[inline(never)]
const fn unsent() -> &'static Sent {
    &Sent::UNSENT
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
