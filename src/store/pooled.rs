//! Stores whose slots lie in a pool.

use super::{GrowingRecvSlots, SendSlots, SlotPool};
use crate::ReplaceMemory;

/// A store over a [`SlotPool`], whose allowance can be changed at any time. Feature `alloc`.
///
/// [`ReplaceMemory`] changes the number of places.
pub trait PooledStore: ReplaceMemory<Memory = SlotPool> {
    /// The memory.
    fn pool(&self) -> &SlotPool;

    /// Sets the number of bodies that may be kept. Bodies beyond it stay, and no more are added. A receive store counts
    /// from the oldest unread number on, so that each missing body has a place.
    fn set_allowance(&mut self, bodies: u32);

    /// Gives back the memory that the pool holds on to for further bodies. A send store also gives back the slot behind
    /// its newest body: if it is lent, that loan ends.
    fn drop_spare(&mut self);
}

impl<const MAY_CUT: bool> PooledStore for SendSlots<SlotPool, MAY_CUT> {
    fn pool(&self) -> &SlotPool {
        self.ring.memory()
    }

    fn set_allowance(&mut self, bodies: u32) {
        self.ring.memory_mut().set_allowance(bodies);
    }

    fn drop_spare(&mut self) {
        self.ring.give_back(self.used);
        self.ring.memory_mut().drop_spare();
    }
}

impl PooledStore for GrowingRecvSlots<SlotPool> {
    fn pool(&self) -> &SlotPool {
        self.slots.ring.memory()
    }

    fn set_allowance(&mut self, bodies: u32) {
        self.slots.ring.memory_mut().set_allowance(bodies);
    }

    fn drop_spare(&mut self) {
        self.slots.ring.memory_mut().drop_spare();
    }
}
