//! A ring of equal slots, in memory that the caller provides.

use super::{SlotMemory, StoreError};
use crate::Seq;
#[cfg(feature = "alloc")]
use {super::SlotPool, alloc::boxed::Box, alloc::vec};

/// The size in bytes of the length field, which precedes the body in each slot.
pub(super) const LENGTH_BYTES: usize = size_of::<u16>();

/// The size in bytes of a slot for bodies of up to `segment` bytes.
#[must_use]
pub const fn slot_bytes(segment: u16) -> usize {
    LENGTH_BYTES + segment as usize
}

/// A ring of equal slots. A slot is identified by the number of older slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ring<M> {
    memory: M,
    /// The size of a slot in bytes. With the length field it may exceed 16 bits.
    slot_bytes: u32,
    /// The number of slots.
    slots: u32,
    /// The index of the oldest slot.
    head: u32,
    /// The first number in the oldest slot.
    base: Seq,
}

impl<M> Ring<M> {
    pub(super) fn into_memory(self) -> M {
        self.memory
    }
}

impl<M: SlotMemory> Ring<M> {
    pub(super) fn new(mut memory: M, segment: u16) -> Result<Self, StoreError> {
        if segment == 0 {
            return Err(StoreError::EmptySegment);
        }
        let needed = slot_bytes(segment);
        let slots = memory.divide(needed);
        if slots == 0 {
            let available = memory.bytes();
            return Err(StoreError::TooSmall { needed, available });
        }
        Ok(Self { memory, slot_bytes: u32::try_from(needed).unwrap_or(u32::MAX), slots, head: 0, base: Seq::ZERO })
    }

    #[cfg(feature = "alloc")]
    pub(super) const fn memory(&self) -> &M {
        &self.memory
    }

    #[cfg(feature = "alloc")]
    pub(super) const fn memory_mut(&mut self) -> &mut M {
        &mut self.memory
    }

    pub(super) const fn segment(&self) -> usize {
        self.slot_bytes as usize - LENGTH_BYTES
    }

    pub(super) const fn slots(&self) -> u32 {
        self.slots
    }

    /// The first number in the oldest slot.
    pub(super) const fn base(&self) -> Seq {
        self.base
    }

    /// The body in a slot; empty if there is no such slot. A free slot returns stale bytes.
    pub(super) fn body(&self, slot: u32) -> &[u8] {
        let slot = self.place(slot).and_then(|index| self.memory.slot(index, self.slot_bytes));
        let Some((length, body)) = slot.and_then(|slot| slot.split_first_chunk()) else { return &[] };
        body.get(..u16::from_le_bytes(*length).into()).unwrap_or_default()
    }

    /// Frees the `count` oldest slots, at most all of them. Their bodies have `numbers` sequence numbers in all.
    pub(super) fn forget(&mut self, count: u32, numbers: u32) {
        if M::IS_POOLED {
            (0..count.min(self.slots)).for_each(|slot| self.give_back(slot));
        }
        self.base = self.base.add(numbers);
        self.head = self.index(count.min(self.slots));
    }

    /// The index in memory of a slot. `slot` is at most the number of slots.
    const fn index(&self, slot: u32) -> u32 {
        // No overflow: both terms are below 2^31.
        let index = self.head + slot;
        if index >= self.slots { index - self.slots } else { index }
    }

    /// The index in memory of a slot; `None` if there is no such slot.
    fn place(&self, slot: u32) -> Option<u32> {
        (slot < self.slots).then(|| self.index(slot))
    }

    /// Whether a slot has memory, or may get it. The oldest one always may, so that no connection locks.
    pub(super) fn has_room(&self, slot: u32) -> bool {
        !M::IS_POOLED || slot == 0 || self.place(slot).is_some_and(|index| self.memory.has_room(index))
    }

    /// Whether a slot may get memory even if all earlier ones do. The oldest one always may, so that no connection locks.
    pub(super) fn reserves(&self, slot: u32) -> bool {
        !M::IS_POOLED || slot == 0 || slot < self.memory.most_kept()
    }

    /// Gives back the memory of a slot, whose body is then empty, if each slot has memory of its own.
    pub(super) fn give_back(&mut self, slot: u32) {
        if let Some(index) = self.place(slot) {
            self.memory.give_back(index);
        }
    }

    /// The memory for the body of a slot, `segment` bytes; empty if there is no such slot.
    pub(super) fn room(&mut self, slot: u32) -> &mut [u8] {
        let slot = self.place(slot).and_then(|index| self.memory.slot_mut(index, self.slot_bytes));
        slot.and_then(|slot| slot.get_mut(LENGTH_BYTES..)).unwrap_or_default()
    }

    /// Sets the length of the body in a slot, and returns the body.
    ///
    /// The result is empty if there is no such slot, or if `length` exceeds the segment.
    pub(super) fn grow(&mut self, slot: u32, length: usize) -> &mut [u8] {
        let slot = self.place(slot).and_then(|index| self.memory.slot_mut(index, self.slot_bytes));
        let Some((field, room)) = slot.and_then(|slot| slot.split_first_chunk_mut()) else { return &mut [] };
        let (Ok(value), Some(body)) = (u16::try_from(length), room.get_mut(..length)) else { return &mut [] };
        *field = value.to_le_bytes();
        body
    }

    /// Sets the length of the body in a slot.
    pub(super) fn set_length(&mut self, slot: u32, length: u16) {
        let slot = self.place(slot).and_then(|index| self.memory.slot_mut(index, self.slot_bytes));
        if let Some(field) = slot.and_then(|slot| slot.first_chunk_mut()) {
            *field = length.to_le_bytes();
        }
    }

    /// Moves the `used` oldest slots to other memory, and returns the earlier memory.
    ///
    /// The call takes time in proportion to `used`.
    ///
    /// # Errors
    ///
    /// If `memory` has fewer than `used` slots, or none, the call returns it and changes nothing.
    pub(super) fn replace_memory(&mut self, mut memory: M, used: u32) -> Result<M, M> {
        let slots = memory.divide(self.slot_bytes as usize);
        if slots < used.max(1) {
            return Err(memory);
        }
        for slot in 0..used {
            // The rest of the slot has no meaning.
            let len = LENGTH_BYTES + self.body(slot).len();
            let index = self.index(slot);
            self.memory.move_slot(index, self.slot_bytes, len, &mut memory, slot);
        }
        (self.slots, self.head) = (slots, 0);
        Ok(core::mem::replace(&mut self.memory, memory))
    }
}

#[cfg(feature = "alloc")]
impl Ring<SlotPool> {
    /// Memory for one more slot.
    pub(super) fn new_slot(&self) -> Box<[u8]> {
        vec![0; self.slot_bytes as usize].into_boxed_slice()
    }

    /// Exchanges the memory of a slot. Returns whether there is such a slot, and whether the memory fits.
    pub(super) fn swap(&mut self, slot: u32, memory: &mut Box<[u8]>) -> bool {
        let fits = memory.len() == self.slot_bytes as usize;
        fits && self.place(slot).is_some_and(|index| self.memory.swap(index, memory))
    }
}
