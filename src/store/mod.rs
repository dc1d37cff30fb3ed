//! The bodies of INFO packets, by number, in memory of the caller.
//!
//! A [`SendStore`] keeps a body until the peer has acknowledged it. A [`RecvStore`] keeps a body until the application
//! has read it. [`SendSlots`] and [`RecvSlots`] implement these traits as rings of equal slots over any memory: an
//! array, a borrowed slice or a `Vec`. [`SendSource`] sends data that already lies in memory, without a copy. No store
//! knows the time.
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
mod recv;
mod ring;
mod send;
mod source;

pub use recv::RecvSlots;
pub use ring::slot_bytes;
pub use send::SendSlots;
pub use source::SendSource;

use crate::Seq;
use thiserror::Error;

/// Why memory cannot serve as a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum StoreError {
    /// The memory does not hold one slot, which takes [`slot_bytes`].
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
    /// The slots of the receive store are below the least segment that extended mode can announce.
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
    /// The storage served another connection, and has kept its numbers.
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
/// Bodies have consecutive numbers. The newest body may be *open*: it grows until it is sealed. A body is sealed when
/// it is sent, since a retransmitted INFO has the same body.
pub trait SendStore {
    /// The largest body that fits, in bytes.
    fn segment(&self) -> usize;

    /// The number of the next new body. Every number from the oldest kept body up to here has a body.
    fn end(&self) -> Seq;

    /// Whether a body can start or grow by at least one byte, if bodies have at most `limit` bytes.
    fn has_room(&self, limit: usize) -> bool;

    /// Whether a new body can start.
    fn has_free_slot(&self) -> bool;

    /// The number of the body whose memory [`spare`](Self::spare) returns for this `limit`.
    fn spare_number(&self, limit: usize) -> Seq;

    /// Memory for the next bytes: the rest of the open body, or a new body.
    ///
    /// No body grows beyond `limit` bytes. The memory is empty if there is no room. Bytes that are written to it become
    /// part of the body by [`commit`](Self::commit).
    fn spare(&mut self, limit: usize) -> &mut [u8];

    /// Adds the first `count` bytes of [`spare`](Self::spare) to the body; a larger count adds all of them.
    fn commit(&mut self, count: usize);

    /// Copies `data` into bodies of at most `limit` bytes, as far as there is room, and returns how many bytes it took.
    ///
    /// The result is that of [`spare`](Self::spare) and [`commit`](Self::commit) in turn.
    fn write(&mut self, data: &[u8], limit: usize) -> usize;

    /// Starts a new, empty, open body, and returns whether there was a free slot.
    fn start(&mut self) -> bool;

    /// Seals the newest body: it no longer grows.
    fn seal(&mut self);

    /// The body with this number; empty if there is none.
    fn body(&self, number: Seq) -> &[u8];

    /// Whether the store may have to fetch a body again for a retransmission, from a file for example.
    ///
    /// Such a store also implements [`is_ready`](Self::is_ready) and [`request`](Self::request).
    const FETCHES: bool = false;

    /// Whether the body with this number is in memory. Until then the connection sends other packets.
    ///
    /// Only a store that [fetches](Self::FETCHES) bodies returns false, and only for a body that was sent before: the
    /// [`end`](Self::end) moves once a new one is ready. By default every body is ready.
    fn is_ready(&self, number: Seq) -> bool {
        let _ = number;
        true
    }

    /// Asks the store to make a body [ready](Self::is_ready), which the connection needs now.
    ///
    /// Call [`poll_transmit`](crate::connection::Connection::poll_transmit) once it is.
    fn request(&mut self, number: Seq) {
        let _ = number;
    }

    /// Cuts the bodies from number `from` on into bodies of at most `limit` bytes.
    ///
    /// None of them was sent. The stream stays the same, and [`end`](Self::end) may grow. Returns whether all of them
    /// are within the limit now. A store may fail while pieces of an earlier cut are unacknowledged. A limit of 0
    /// always fails.
    fn cut(&mut self, from: Seq, limit: u16) -> bool;

    /// Removes all bodies before `base`, which the peer has acknowledged.
    fn release(&mut self, base: Seq);
}

/// The bodies that the peer has sent and the application has not yet read.
pub trait RecvStore {
    /// The largest body that fits, in bytes.
    fn segment(&self) -> usize;

    /// The first number without a slot.
    ///
    /// Every number from the oldest unread body up to here has a slot. While no body is unread, at least the next
    /// number has one.
    fn limit(&self) -> Seq;

    /// Keeps a body. A body that is too large or has no slot is ignored: check first.
    fn put(&mut self, number: Seq, body: &[u8]);

    /// Skips `number`, whose body the application has read without [`put`](Self::put).
    ///
    /// It must be the next number while no body is unread. Otherwise the call has no effect.
    fn pass(&mut self, number: Seq);

    /// Makes all bodies before `next` readable. All of them have arrived.
    fn deliver(&mut self, next: Seq);

    /// The oldest unread bytes that are contiguous in memory; empty if there are none.
    fn chunk(&self) -> &[u8];

    /// Removes the first `count` bytes of [`chunk`](Self::chunk); a larger count removes all of it.
    fn consume(&mut self, count: usize);
}
