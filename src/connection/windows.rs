//! Windows that grow: which memory is the limit, and how the caller replaces it.

use super::{Connection, ConnectionTypes, Lent};
use crate::ReplaceMemory;
use crate::arq::Arq;
use crate::event::Events;
use crate::store::{RecvStore, SendStore};

/// How much of the memory for one purpose is in use, in bodies or numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryUse {
    /// The places in use, from the oldest to the newest, gaps included.
    pub used: u32,
    /// All places.
    pub room: u32,
    /// Whether the window is limited by this memory, or soon will be.
    ///
    /// To send, this means that the application has filled the store, and less than a quarter of it waits for the
    /// congestion controller. For received bodies and for numbers it means that more than half of the places are in
    /// use. Half of these places remain until the caller has replaced the memory.
    pub is_limit: bool,
}

/// Windows that grow. No other call allocates or asks for memory, so nothing that arrives decides an allocation.
///
/// Ask [`is_limit`](MemoryUse::is_limit) after reading and writing, and lend larger memory, for example twice as much.
/// Ready-made for the heap: [`HeapWindow`](super::HeapWindow).
impl<T: ConnectionTypes> Connection<T> {
    /// The use of the send store's memory.
    #[must_use]
    pub fn send_memory(&self) -> MemoryUse
    where
        T::Send: ReplaceMemory,
    {
        let (used, room) = (self.send.used(), self.send.room());
        let unsent = self.send.end().distance_from(self.arq.sent_end());
        MemoryUse { used, room, is_limit: !self.send.has_free_slot() && unsent < room.div_ceil(4) }
    }

    /// The use of the receive store's memory.
    #[must_use]
    pub fn recv_memory(&self) -> MemoryUse
    where
        T::Recv: ReplaceMemory,
    {
        more_than_half(&self.recv)
    }

    /// The use of the memory for numbers, which both directions share.
    #[must_use]
    pub fn number_memory(&self) -> MemoryUse
    where
        T::Arq: ReplaceMemory,
    {
        more_than_half(&self.arq)
    }

    /// Replaces the memory of the send store, and returns the earlier memory. [Writable](super::Event::Writable)
    /// follows if a write has waited for room.
    ///
    /// The memory that [`send_slot`](Self::send_slot) has lent is no longer valid: ask for a slot again. Call
    /// [`poll_transmit`](Self::poll_transmit) afterwards.
    ///
    /// # Errors
    ///
    /// If `memory` is too small for the unacknowledged bodies, the call returns it and changes nothing.
    pub fn replace_send_memory<M>(&mut self, memory: M) -> Result<M, M>
    where
        T::Send: ReplaceMemory<Memory = M>,
    {
        let earlier = self.send.replace_memory(memory)?;
        self.on_send_memory_changed();
        Ok(earlier)
    }

    /// The memory that was lent may have moved, and there may be room.
    pub(super) fn on_send_memory_changed(&mut self) {
        self.lent = Lent::Nothing;
        self.report_room();
    }

    /// Replaces the memory of the receive store, and returns the earlier memory.
    ///
    /// # Errors
    ///
    /// If `memory` is too small for the bodies that are kept, the call returns it and changes nothing.
    pub fn replace_recv_memory<M>(&mut self, memory: M) -> Result<M, M>
    where
        T::Recv: ReplaceMemory<Memory = M>,
    {
        self.recv.replace_memory(memory)
    }

    /// Replaces the memory for numbers, and returns the earlier memory. Call [`poll_transmit`](Self::poll_transmit)
    /// afterwards.
    ///
    /// # Errors
    ///
    /// If `memory` is too small for the numbers in use, the call returns it and changes nothing.
    pub fn replace_number_memory<M>(&mut self, memory: M) -> Result<M, M>
    where
        T::Arq: ReplaceMemory<Memory = M>,
    {
        self.arq.replace_memory(memory)
    }

    /// Announces a receive window of `window` numbers, although there may be less memory.
    ///
    /// The window counts from the oldest unread body on. Use it with
    /// [`GrowingRecvSlots`](crate::store::GrowingRecvSlots), and lend memory as it is used. A body without a slot or a
    /// number is not acknowledged, and the peer repeats it, so a promise without memory costs the network repeats. The
    /// right edge never moves back: after a smaller promise it stays until the oldest unread body is `window` before it. A
    /// peer that stopped sending at the old end of the window learns of the new one with the next SACK, at once if the
    /// window was closed.
    ///
    /// Before the first call the window is what the memory holds. Base mode announces no window.
    pub fn promise(&mut self, window: u32) {
        self.recv.promise(window);
        self.arq.promise(window);
    }

    /// Reports that a write that found no room can continue, if it can.
    #[inline(always)]
    pub(super) fn report_room(&mut self) {
        if self.events.contains(Events::BLOCKED) && self.check_open().is_ok() && self.send.has_free_slot() {
            self.events.remove(Events::BLOCKED);
            self.events.insert(Events::WRITABLE);
        }
    }
}

fn more_than_half(memory: &impl ReplaceMemory) -> MemoryUse {
    let (used, room) = (memory.used(), memory.room());
    MemoryUse { used, room, is_limit: used > room / 2 }
}
