//! The bodies of INFO packets, by number, in memory of the caller.
//!
//! A [`SendStore`] keeps a body until the peer has acknowledged it. A [`RecvStore`] keeps a body until the application
//! has read it. [`SendSlots`] and [`RecvSlots`] implement these traits as rings of equal slots over any memory: an
//! array, a borrowed slice or a `Vec`. In a `SlotPool` (feature `alloc`) a slot takes memory only while it holds a body,
//! and a body enters or leaves with its memory (`SwapSend`, `SwapRecv`, `PooledSlot`).
//! [`SendSource`] sends data that already lies in memory, without a copy. No store
//! knows the time. Memory can be [replaced](crate::ReplaceMemory) by larger memory while it is in use.
//!
//! The caller chooses the number of slots and their size:
//!
//! ```
//! use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};
//!
//! // Room for two bodies of up to 1,200 bytes, without an allocator.
//! let send = SendSlots::new([0; 2 * slot_bytes(1_200)], 1_200)?;
//! // Room for 64, on the heap (feature `alloc`).
//! let receive = RecvSlots::with_slots(64, 1_200)?;
//! # Ok::<(), rdt_proto::store::StoreError>(())
//! ```

mod cut;
mod growing;
#[cfg(feature = "alloc")]
mod pooled;
mod recv;
mod replace;
mod ring;
mod send;
mod slot_memory;
#[cfg(feature = "alloc")]
mod slot_pool;
mod source;
#[cfg(feature = "alloc")]
mod swap;

pub use growing::GrowingRecvSlots;
#[cfg(feature = "alloc")]
pub use pooled::PooledStore;
pub use recv::RecvSlots;
pub use ring::slot_bytes;
pub use send::SendSlots;
pub use slot_memory::SlotMemory;
#[cfg(feature = "alloc")]
pub use slot_pool::SlotPool;
pub use source::SendSource;
#[cfg(feature = "alloc")]
pub use swap::{PooledSlot, SwapRecv, SwapSend};

use crate::Seq;
use thiserror::Error;

/// Why memory cannot serve as a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum StoreError {
    /// The memory is smaller than one slot, which takes [`slot_bytes`].
    #[error("{available} bytes of memory hold no slot, which takes {needed} bytes")]
    TooSmall {
        /// The size of one slot in bytes.
        needed: usize,
        /// The size of the memory in bytes.
        available: usize,
    },
    /// The segment is 0, but a slot holds at least one byte.
    #[error("the segment is 0 bytes")]
    EmptySegment,
    /// The slots of the receive store are smaller than the least segment that extended mode can announce.
    #[error("bodies of {available} bytes are too small to receive: extended mode takes at least {needed}")]
    SegmentTooSmall {
        /// The least segment, in bytes.
        needed: usize,
        /// The segment of the receive store, in bytes.
        available: usize,
    },
    /// The send store holds bodies that are too large, and cannot cut them.
    #[error("bodies of up to {available} bytes are larger than a segment of {limit} and cannot be cut")]
    SegmentTooLarge {
        /// The largest body that may be sent, in bytes.
        limit: usize,
        /// The segment of the send store, in bytes.
        available: usize,
    },
    /// The memory for selective repeat has no block, but at least one is needed.
    #[error("selective repeat needs memory for at least one block of numbers")]
    NoBlock,
    /// The storage served another connection, and still has the sequence numbers of that connection.
    #[error("the storage served another connection: make new storage of its memory")]
    Used,
    /// The source has 2^31 bodies or more.
    #[error("{bodies} bodies are too many for one connection: use larger segments")]
    TooMany {
        /// The number of bodies.
        bodies: usize,
    },
}

/// The bodies that this side has written and the peer has not yet acknowledged.
///
/// Bodies have consecutive numbers. The newest body may be *open*: it grows until it is sealed. The connection seals a
/// body when it sends the body, because a retransmitted INFO must carry the same bytes.
pub trait SendStore {
    /// The largest body that fits, in bytes.
    fn segment(&self) -> usize;

    /// The number of the next new body. Every earlier number, back to the oldest body kept, has a body.
    fn end(&self) -> Seq;

    /// Whether there is room for at least one more byte, if no body grows beyond `limit` bytes.
    fn has_room(&self, limit: usize) -> bool;

    /// Whether a new body can start.
    fn has_free_slot(&self) -> bool;

    /// The number of the body whose memory [`spare`](Self::spare) returns for this `limit`.
    fn spare_number(&self, limit: usize) -> Seq;

    /// Memory for the next bytes: the rest of the open body, or a new body.
    ///
    /// No body grows beyond `limit` bytes. The memory is empty if there is no room. The caller writes bytes into the
    /// memory, and [`commit`](Self::commit) adds them to the body.
    fn spare(&mut self, limit: usize) -> &mut [u8];

    /// Adds the first `count` bytes of [`spare`](Self::spare) to the body; all bytes if `count` is larger.
    fn commit(&mut self, count: usize);

    /// Copies as much of `data` as fits into bodies of at most `limit` bytes. Returns the number of bytes copied.
    ///
    /// The effect is the same as that of [`spare`](Self::spare) and [`commit`](Self::commit) in a loop.
    fn write(&mut self, data: &[u8], limit: usize) -> usize;

    /// Starts a new, empty, open body if there is room. Returns whether a body was started.
    fn start(&mut self) -> bool;

    /// Seals the newest body: it no longer grows.
    fn seal(&mut self);

    /// The body with this number; empty if there is none.
    fn body(&self, number: Seq) -> &[u8];

    /// Whether the store may have to fetch a body again for a retransmission, from a file for example.
    ///
    /// Such a store also implements [`is_ready`](Self::is_ready) and [`request`](Self::request).
    const FETCHES: bool = false;

    /// Whether the body with this number is in memory. While it is not, the connection sends other packets.
    ///
    /// Only a store that [fetches](Self::FETCHES) bodies returns false, and only for a body that was sent before:
    /// [`end`](Self::end) includes a new body only once that body is ready. By default every body is ready.
    fn is_ready(&self, number: Seq) -> bool {
        let _ = number;
        true
    }

    /// Asks the store to make a body [ready](Self::is_ready), because the connection needs the body now.
    ///
    /// Once the body is ready, the program calls [`poll_transmit`](crate::connection::Connection::poll_transmit). By
    /// default the call has no effect.
    fn request(&mut self, number: Seq) {
        let _ = number;
    }

    /// Whether [`cut`](Self::cut) can make bodies smaller. Otherwise a connection does not search for the datagram size
    /// of the path, and the code for it is left out.
    const CUTS: bool = true;

    /// Cuts the bodies from number `from` on into bodies of at most `limit` bytes.
    ///
    /// The caller must not have sent any of these bodies. The bytes of the stream stay the same, and [`end`](Self::end)
    /// may grow. A store that reads a source may also join bodies that were cut before, and `end` then shrinks. Returns
    /// whether all these bodies are within the limit now. The call may fail unless [`can_cut`](Self::can_cut) allows
    /// it. With a limit of 0 it fails if one of these bodies contains a byte.
    fn cut(&mut self, from: Seq, limit: u16) -> bool;

    /// Whether bodies from number `from` on can be cut: whether no piece of an earlier cut before `from` is
    /// unacknowledged. By default they can.
    fn can_cut(&self, from: Seq) -> bool {
        let _ = from;
        true
    }

    /// Whether [`drop_body`](Self::drop_body) has an effect. Otherwise the connection does not call it.
    const DROPS_EARLY: bool = false;

    /// Drops a body that the peer has acknowledged, while an earlier one is missing.
    ///
    /// The [body](Self::body) is not asked for again. Its number stays in use until [`release`](Self::release). A store
    /// may keep the body, as a ring does with one that was cut. By default the call has no effect.
    fn drop_body(&mut self, number: Seq) {
        let _ = number;
    }

    /// Removes all bodies before `base`, because the peer has acknowledged them.
    fn release(&mut self, base: Seq);
}

/// The bodies that the peer has sent and the application has not yet read.
pub trait RecvStore {
    /// The largest body that fits, in bytes.
    fn segment(&self) -> usize;

    /// The first number that the peer may not send yet. It never decreases.
    ///
    /// Every earlier number, back to the oldest unread body, has a slot, unless [`fits`](Self::fits) says that it has
    /// none. If no body is unread, at least the next number has a slot.
    fn limit(&self) -> Seq;

    /// Whether a body of `len` bytes fits into the slot of `number`, which lies before the [limit](Self::limit).
    ///
    /// If not, the body is not acknowledged, and the peer repeats it. By default only the length decides. A store whose
    /// memory grows may have no slot for the number yet.
    fn fits(&self, number: Seq, len: usize) -> bool {
        let _ = number;
        len <= self.segment()
    }

    /// Moves the [limit](Self::limit) to `window` numbers from the oldest unread body on, from now on.
    ///
    /// The limit never decreases: after a smaller `window` it stays until the oldest unread body is `window` before it.
    /// By default the call has no effect: only a store whose memory grows announces more numbers than it has slots for.
    fn promise(&mut self, window: u32) {
        let _ = window;
    }

    /// Keeps a body. Ignores it if it exceeds [`segment`](Self::segment) or its number has no slot: check both first.
    fn put(&mut self, number: Seq, body: &[u8]);

    /// Skips `number`, because the application has read its body without [`put`](Self::put).
    ///
    /// The call has no effect if `number` is not the next number, or if an older body is unread.
    fn pass(&mut self, number: Seq);

    /// Makes all bodies before `next` readable. All of them must have arrived.
    fn deliver(&mut self, next: Seq);

    /// The oldest unread bytes that are contiguous in memory; empty if there are none.
    fn chunk(&self) -> &[u8];

    /// Removes the first `count` bytes of [`chunk`](Self::chunk); all bytes if `count` is larger.
    fn consume(&mut self, count: usize);
}
