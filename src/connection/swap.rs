//! Data that enters the send store with its memory.

use super::{Connection, ConnectionTypes, Lent, SendError};
use crate::event::Events;
use crate::store::{PooledSlot, SendStore, SwapStore};

impl<T: ConnectionTypes> Connection<T>
where
    T::Send: SwapStore,
{
    /// Memory for a body, to be filled elsewhere and sent by [`swap_slot`](Self::swap_slot). Feature `alloc`.
    ///
    /// It counts neither as written nor as memory of the store.
    #[must_use]
    pub fn new_slot(&self) -> PooledSlot {
        self.send.new_slot()
    }

    /// Writes the first `count` bytes of `slot` as one separate INFO packet, without a copy. Feature `alloc`.
    ///
    /// Other memory is in `slot` afterwards, ready for the next data: a program that fills a few slots in turn allocates
    /// only while the window grows. 0 bytes add no packet. On an error `slot` is as before.
    ///
    /// Another thread may fill a slot while this one sends. That pays for bodies of many kilobytes; [`send`](Self::send)
    /// is as fast for short ones.
    ///
    /// ```
    /// use rdt_proto::connection::{Connection, GrowingStorage, SendError};
    ///
    /// # fn write(connection: &mut Connection<GrowingStorage>) -> Result<(), SendError> {
    /// let mut slot = connection.new_slot();
    /// slot.bytes_mut()[..5].copy_from_slice(b"hello");
    /// match connection.swap_slot(&mut slot, 5) {
    ///     // The path carries less for now, or not yet as much.
    ///     Err(SendError::TooLarge { .. }) => connection.send(&slot.bytes()[..5]).map(drop),
    ///     sent => sent,
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`SendError::TooLarge`]: `count` exceeds what one datagram may carry now, or `slot` comes from a connection
    ///   with another [segment](super::Config::segment).
    /// - [`SendError::Full`]: no slot is free. [`Event::Writable`](super::Event::Writable) reports when to try again.
    /// - [`SendError::Closing`] after [`close`](Self::close), [`SendError::Closed`] after the end.
    pub fn swap_slot(&mut self, slot: &mut PooledSlot, count: usize) -> Result<(), SendError> {
        self.check_open()?;
        let limit = self.segment();
        if count > limit || slot.bytes().len() != self.send.segment() {
            return Err(SendError::TooLarge { length: count, limit });
        }
        if count == 0 {
            return Ok(());
        }
        if !self.send.swap(slot, count) {
            self.events.insert(Events::BLOCKED);
            return Err(SendError::Full);
        }
        self.lent = Lent::Nothing;
        Ok(())
    }
}
