//! Data that enters the send store, or leaves the receive store, with its memory.

use super::{Connection, ConnectionTypes, Lent, SendError};
use crate::event::Events;
use crate::store::{PooledSlot, SendStore, SwapRecv, SwapSend};
use core::ops::Range;

impl<T: ConnectionTypes> Connection<T>
where
    T::Send: SwapSend,
{
    /// Memory for a body, to be filled elsewhere and sent by [`send_swap`](Self::send_swap). Feature `alloc`.
    ///
    /// It counts neither as written nor as memory of the store.
    #[must_use]
    pub fn new_send_slot(&self) -> PooledSlot {
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
    /// # fn write(connection: &mut Connection<GrowingStorage>) -> Result<usize, SendError> {
    /// let mut slot = connection.new_send_slot();
    /// slot.bytes_mut()[..5].copy_from_slice(b"hello");
    /// match connection.send_swap(&mut slot, 5) {
    ///     Ok(()) => Ok(5),
    ///     // The path carries less for now, or not yet as much. What `send` does not take waits for `Event::Writable`.
    ///     Err(SendError::TooLarge { .. }) => connection.send(&slot.bytes()[..5]),
    ///     Err(error) => Err(error),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`SendError::TooLarge`]: `count` exceeds what one datagram may carry now.
    /// - [`SendError::ForeignSlot`]: `slot` comes from a store with another [segment](super::Config::segment).
    /// - [`SendError::Full`]: no slot is free. [`Event::Writable`](super::Event::Writable) reports when to try again.
    /// - [`SendError::Closing`] after [`close`](Self::close), [`SendError::Closed`] after the end.
    pub fn send_swap(&mut self, slot: &mut PooledSlot, count: usize) -> Result<(), SendError> {
        self.check_open()?;
        if slot.bytes().len() != self.send.segment() {
            return Err(SendError::ForeignSlot);
        }
        if count == 0 {
            return Ok(());
        }
        let limit = self.segment();
        if count > limit {
            return Err(SendError::TooLarge { length: count, limit });
        }
        if !self.send.swap(slot, count) {
            self.events.insert(Events::BLOCKED);
            return Err(SendError::Full);
        }
        self.lent = Lent::Nothing;
        Ok(())
    }
}

impl<T: ConnectionTypes> Connection<T>
where
    T::Recv: SwapRecv,
{
    /// Memory to be exchanged for a body by [`recv_swap`](Self::recv_swap). Feature `alloc`.
    #[must_use]
    pub fn new_recv_slot(&self) -> PooledSlot {
        self.recv.new_slot()
    }

    /// Takes what [`recv_chunk`](Self::recv_chunk) lends, with its memory. Feature `alloc`.
    ///
    /// The data is then in `slot`, at the range of its [bytes](PooledSlot::bytes) that the call returns, and counts as
    /// read. The memory that was in `slot` serves later bodies. `None`, without an effect, if nothing is unread, or if
    /// `slot` comes from a connection with another [segment](super::Config::recv_segment).
    ///
    /// A program whose other threads are slower than the network so spares the second copy of data that had to wait.
    ///
    /// ```
    /// # use rdt_proto::connection::{Connection, GrowingStorage};
    /// # fn on_readable(connection: &mut Connection<GrowingStorage>) {
    /// let mut slot = connection.new_recv_slot();
    /// while let Some(unread) = connection.recv_swap(&mut slot) {
    ///     println!("{:?}", &slot.bytes()[unread]);
    /// }
    /// # }
    /// ```
    pub fn recv_swap(&mut self, slot: &mut PooledSlot) -> Option<Range<usize>> {
        let unread = self.recv.swap(slot)?;
        if let Some(span) = self.state.span_mut() {
            span.on_read(unread.len());
        }
        Some(unread)
    }
}
