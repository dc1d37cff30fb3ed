//! Memory that is divided into slots.

use slots::Slots;

/// Memory for equal slots: bytes that the caller lends, or a [`SlotPool`](super::SlotPool) on the heap.
///
/// The trait is sealed. Everything that implements `AsRef<[u8]>` and `AsMut<[u8]>` has it: arrays, slices, `Vec`s.
pub trait SlotMemory: Slots {}

impl<M: Slots> SlotMemory for M {}

pub(super) mod slots {
    use crate::copy::copy;

    /// The slots of a memory, by index. All of them have the size of the latest [`divide`](Self::divide).
    pub trait Slots {
        /// Whether a slot takes memory only while it holds a body.
        const IS_POOLED: bool = false;

        /// Divides the memory into slots of `slot_bytes` bytes. Returns their number.
        fn divide(&mut self, slot_bytes: usize) -> u32;

        /// The size in bytes.
        fn bytes(&self) -> usize;

        /// A slot; `None` if there is none, or if it has no memory.
        fn slot(&self, index: u32, slot_bytes: u32) -> Option<&[u8]>;

        /// A slot, which gets memory if it has none; `None` if there is no such slot.
        fn slot_mut(&mut self, index: u32, slot_bytes: u32) -> Option<&mut [u8]>;

        /// Whether a slot has memory, or may get it.
        fn has_room(&self, index: u32) -> bool {
            let _ = index;
            true
        }

        /// The most slots that may have memory, if it is not the number of slots.
        fn most_kept(&self) -> u32 {
            u32::MAX
        }

        /// Gives back the memory of a slot.
        fn give_back(&mut self, index: u32) {
            let _ = index;
        }

        /// Moves the first `len` bytes of a slot to another memory of equal slots.
        fn move_slot(&mut self, index: u32, slot_bytes: u32, len: usize, to: &mut Self, place: u32) {
            let from = self.slot(index, slot_bytes).and_then(|slot| slot.get(..len)).unwrap_or_default();
            copy(from, to.slot_mut(place, slot_bytes).unwrap_or_default());
        }
    }

    impl<M: AsRef<[u8]> + AsMut<[u8]>> Slots for M {
        #[inline(always)]
        fn divide(&mut self, slot_bytes: usize) -> u32 {
            // A window must stay below 2^31 numbers (RFC 1982).
            u32::try_from(self.as_ref().len() / slot_bytes).unwrap_or(u32::MAX).min((1 << 31) - 1)
        }

        #[inline(always)]
        fn bytes(&self) -> usize {
            self.as_ref().len()
        }

        #[inline(always)]
        fn slot(&self, index: u32, slot_bytes: u32) -> Option<&[u8]> {
            let start = usize::try_from(index).ok()? * slot_bytes as usize;
            self.as_ref().get(start..start + slot_bytes as usize)
        }

        #[inline(always)]
        fn slot_mut(&mut self, index: u32, slot_bytes: u32) -> Option<&mut [u8]> {
            let start = usize::try_from(index).ok()? * slot_bytes as usize;
            self.as_mut().get_mut(start..start + slot_bytes as usize)
        }
    }
}
