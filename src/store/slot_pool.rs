//! Slots on the heap that take memory only while they hold a body.

use super::slot_memory::slots::Slots;
use crate::uncompared::Uncompared;
use alloc::boxed::Box;
use alloc::{vec, vec::Vec};

/// Memory for slots on the heap, each of its own: a slot has memory only while it holds a body. Feature `alloc`.
///
/// A window of many numbers then takes the memory of the bodies that are kept, and 16 bytes for each other place. A
/// sender gives the memory of a body back once a SACK reports the body, a receiver once the body is read.
///
/// The *allowance* bounds the bodies. Only the caller changes it, so nothing that arrives decides how much memory a
/// connection takes. A slot gets memory when a body is written or arrives, within the allowance; the oldest slot also
/// beyond it, so that no connection locks. Within the allowance, a pool holds on to memory for the next bodies, and lends
/// what it got last first, which the processor has at hand. A connection whose bodies come and go does not allocate.
///
/// If the system does not have enough memory, the process aborts, as for any allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotPool {
    /// The slots. One without memory is empty.
    places: Vec<Box<[u8]>>,
    /// Memory for further slots.
    spare: Uncompared<Vec<Box<[u8]>>>,
    /// The number of slots with memory.
    kept: u32,
    /// The most slots that may have memory.
    allowance: u32,
    slot_bytes: usize,
}

impl SlotPool {
    /// The bytes that a place takes without a body.
    pub(crate) const PLACE_BYTES: usize = size_of::<Box<[u8]>>();

    /// A pool for `bodies` bodies, below 2^31 of them. It allocates 16 bytes for each.
    #[must_use]
    pub fn new(bodies: u32) -> Self {
        let bodies = bodies.min((1 << 31) - 1);
        let places = vec![Box::default(); bodies as usize];
        Self { places, spare: Uncompared::default(), kept: 0, allowance: bodies, slot_bytes: 0 }
    }

    /// The number of slots that have memory.
    #[must_use]
    pub const fn kept(&self) -> u32 {
        self.kept
    }

    /// The number of slots for whose next bodies the pool holds on to memory.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.spare.len()
    }

    /// The most slots that may have memory, with those that the pool holds on to.
    #[must_use]
    pub const fn allowance(&self) -> u32 {
        self.allowance
    }

    /// The bytes of a slot; 0 before the pool belongs to a store.
    #[must_use]
    pub const fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// Sets the [`allowance`](Self::allowance). Bodies beyond it are kept, and no more are added.
    pub(super) fn set_allowance(&mut self, bodies: u32) {
        self.allowance = bodies;
        let most = usize::try_from(bodies.saturating_sub(self.kept)).unwrap_or(usize::MAX);
        if self.spare.len() > most {
            self.spare.truncate(most);
        }
    }

    /// Exchanges the memory of a slot, which gets memory if it has none. Returns whether there is such a slot.
    pub(super) fn swap(&mut self, index: u32, memory: &mut Box<[u8]>) -> bool {
        if self.slot_mut(index, 0).is_none() {
            return false;
        }
        let place = usize::try_from(index).ok().and_then(|index| self.places.get_mut(index));
        place.map(|place| core::mem::swap(place, memory)).is_some()
    }

    /// Gives back all memory that holds no body.
    pub(super) fn drop_spare(&mut self) {
        *self.spare = Vec::new();
    }

    /// The most bytes on the heap of a pool with this number of places and this allowance.
    #[must_use]
    pub(crate) const fn most_bytes(places: u32, allowance: u32, slot_bytes: usize) -> usize {
        let table = (places as usize).saturating_mul(Self::PLACE_BYTES);
        (allowance as usize).saturating_mul(slot_bytes).saturating_add(table)
    }
}

impl Slots for SlotPool {
    const IS_POOLED: bool = true;

    fn divide(&mut self, slot_bytes: usize) -> u32 {
        self.slot_bytes = slot_bytes;
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    fn bytes(&self) -> usize {
        self.places.len().saturating_mul(self.slot_bytes)
    }

    #[inline]
    fn slot(&self, index: u32, _slot_bytes: u32) -> Option<&[u8]> {
        let place = self.places.get(usize::try_from(index).ok()?)?;
        (!place.is_empty()).then_some(place)
    }

    #[inline]
    fn slot_mut(&mut self, index: u32, _slot_bytes: u32) -> Option<&mut [u8]> {
        let place = self.places.get_mut(usize::try_from(index).ok()?)?;
        if place.is_empty() {
            *place = self.spare.pop().unwrap_or_else(|| vec![0; self.slot_bytes].into_boxed_slice());
            self.kept += 1;
        }
        Some(place)
    }

    #[inline]
    fn has_room(&self, index: u32) -> bool {
        self.kept < self.allowance || self.slot(index, 0).is_some()
    }

    fn most_kept(&self) -> u32 {
        self.allowance
    }

    #[inline]
    fn give_back(&mut self, index: u32) {
        let Some(place) = usize::try_from(index).ok().and_then(|index| self.places.get_mut(index)) else { return };
        if place.is_empty() {
            return;
        }
        let memory = core::mem::take(place);
        self.kept -= 1;
        if self.spare.len() + (self.kept as usize) < self.allowance as usize {
            self.spare.push(memory);
        }
    }

    fn move_slot(&mut self, index: u32, _slot_bytes: u32, _len: usize, to: &mut Self, place: u32) {
        let from = usize::try_from(index).ok().and_then(|index| self.places.get_mut(index));
        let to_place = usize::try_from(place).ok().and_then(|place| to.places.get_mut(place));
        if let (Some(from), Some(to_place)) = (from, to_place)
            && !from.is_empty()
        {
            *to_place = core::mem::take(from);
            self.kept -= 1;
            to.kept += 1;
        }
    }
}
