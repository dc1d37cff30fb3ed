//! Bodies that enter or leave a store with their memory.

use super::ring::LENGTH_BYTES;
use super::{GrowingRecvSlots, RecvSlots, RecvStore, SendSlots, SendStore, SlotPool};
use alloc::boxed::Box;
use core::ops::Range;

/// Memory for one body of a [`SlotPool`], outside of the pool. Feature `alloc`.
///
/// It is used where the data comes from or goes to, by a thread that reads or writes a file for example.
/// [`send_swap`](crate::connection::Connection::send_swap) sends its content without a copy, and
/// [`recv_swap`](crate::connection::Connection::recv_swap) exchanges it for a body that has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PooledSlot {
    pub(super) memory: Box<[u8]>,
}

impl PooledSlot {
    /// The room for the body. After a swap it holds what an earlier body left there.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(LENGTH_BYTES..).unwrap_or_default()
    }

    /// The room for the body, to be filled from the front.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(LENGTH_BYTES..).unwrap_or_default()
    }
}

/// A [`SendStore`] that takes the memory of a body, and gives other memory for it. Feature `alloc`.
pub trait SwapSend: SendStore {
    /// Memory for a body of this store.
    fn new_slot(&self) -> PooledSlot;

    /// Adds the first `count` bytes of `slot` as a body of its own, and leaves other memory in `slot`.
    ///
    /// Returns false, and changes nothing, if no slot is free, if `count` is 0 or more than a body holds, or if `slot`
    /// comes from a store with another segment.
    fn swap(&mut self, slot: &mut PooledSlot, count: usize) -> bool;
}

impl<const MAY_CUT: bool> SwapSend for SendSlots<SlotPool, MAY_CUT> {
    fn new_slot(&self) -> PooledSlot {
        PooledSlot { memory: self.ring.new_slot() }
    }

    fn swap(&mut self, slot: &mut PooledSlot, count: usize) -> bool {
        let Ok(length @ 1..) = u16::try_from(count) else { return false };
        if count > slot.bytes().len() || !self.has_free_slot() || !self.ring.swap(self.used, &mut slot.memory) {
            return false;
        }
        self.seal();
        self.ring.set_length(self.used, length);
        self.used += 1;
        true
    }
}

/// A [`RecvStore`] that gives away the memory of a body, and takes other memory for it. Feature `alloc`.
pub trait SwapRecv: RecvStore {
    /// Memory for a body of this store.
    fn new_slot(&self) -> PooledSlot;

    /// Moves the oldest unread body to `slot`, and keeps the memory that was there.
    ///
    /// Returns where the unread bytes are in [`bytes`](PooledSlot::bytes). `None`, without an effect, if nothing is
    /// unread, or if `slot` comes from a store with another segment.
    fn swap(&mut self, slot: &mut PooledSlot) -> Option<Range<usize>>;
}

impl SwapRecv for GrowingRecvSlots<SlotPool> {
    fn new_slot(&self) -> PooledSlot {
        SwapRecv::new_slot(&self.slots)
    }

    fn swap(&mut self, slot: &mut PooledSlot) -> Option<Range<usize>> {
        let unread = SwapRecv::swap(&mut self.slots, slot);
        self.settle();
        unread
    }
}

impl SwapRecv for RecvSlots<SlotPool> {
    fn new_slot(&self) -> PooledSlot {
        PooledSlot { memory: self.ring.new_slot() }
    }

    fn swap(&mut self, slot: &mut PooledSlot) -> Option<Range<usize>> {
        let unread = self.chunk().len();
        let body = self.ring.body(0).len();
        if unread == 0 || !self.ring.swap(0, &mut slot.memory) {
            return None;
        }
        self.forget_first();
        Some(body - unread..body)
    }
}
