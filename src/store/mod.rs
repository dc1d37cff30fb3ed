//! Bodies of INFO packets by number, in memory that the caller owns. Knows nothing of time.
//!
//! A connection keeps what it sends until that is acknowledged, in a [`SendStore`], and what it received until the
//! application has read it, in a [`RecvStore`]. [`SendSlots`] and [`RecvSlots`] implement them as rings of equal slots over
//! any piece of memory: an array, a borrowed slice, a `Vec`. What lies in memory already needs no copy: [`SendSource`]. How
//! many slots, and how large, is the caller's choice:
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
    /// Not even one slot fits: [`slot_bytes`] says what one takes.
    #[error("{available} bytes of memory hold no slot: one takes {needed}")]
    TooSmall {
        /// What one slot takes.
        needed: usize,
        /// What was lent.
        available: usize,
    },
    /// A slot must hold at least one byte.
    #[error("a segment of 0 bytes carries nothing")]
    EmptySegment,
    /// A source has fewer than 2^31 bodies.
    #[error("{bodies} bodies are too many for one connection: segments must be larger")]
    TooMany {
        /// How many there would be.
        bodies: usize,
    },
}

/// What this side has written and the peer has not yet acknowledged: bodies with consecutive numbers.
///
/// The newest body may be *open*: more bytes may be added until it is sealed. Whatever was sent is sealed, since a repeated
/// INFO has the same body.
pub trait SendStore {
    /// The largest body that fits.
    fn segment(&self) -> usize;

    /// The number that the next new body will get. Every number from the oldest kept up to here has a body.
    fn end(&self) -> Seq;

    /// Whether a body of at least one byte could be started or continued now, bodies being at most `limit` bytes.
    fn has_room(&self, limit: usize) -> bool;

    /// Whether a new body could be started now.
    fn has_free_slot(&self) -> bool;

    /// The number of the body that [`spare`](Self::spare) lends room of, bodies being at most `limit` bytes.
    fn spare_number(&self, limit: usize) -> Seq;

    /// Memory for what comes next: the rest of the open body, or of a new one; empty if there is no room. No body grows
    /// beyond `limit` bytes. What is filled in counts once it is [committed](Self::commit).
    fn spare(&mut self, limit: usize) -> &mut [u8];

    /// The first `count` bytes of what [`spare`](Self::spare) lent are filled in. More than it lent counts as all of it.
    fn commit(&mut self, count: usize);

    /// Copies as much of `data` as there is room for into bodies of at most `limit` bytes, and returns how much that was. As
    /// [`spare`](Self::spare) and [`commit`](Self::commit) in turn.
    fn write(&mut self, data: &[u8], limit: usize) -> usize;

    /// Starts a new body, even an empty one, if there is a free slot; it is open. Returns whether there was one.
    fn start(&mut self) -> bool;

    /// No more bytes are added to the newest body.
    fn seal(&mut self);

    /// The body with this number; empty if there is none.
    fn body(&self, number: Seq) -> &[u8];

    /// Everything before `base` has been acknowledged and is not needed any more.
    fn release(&mut self, base: Seq);
}

/// What the peer sent and the application has not yet read.
pub trait RecvStore {
    /// The largest body that fits.
    fn segment(&self) -> usize;

    /// The first number whose body has no place: those from the oldest unread up to here have one each, so there is always
    /// one for the next while nothing is unread.
    fn limit(&self) -> Seq;

    /// Keeps a body. Does nothing where there is no room or the body is too large: ask first.
    fn put(&mut self, number: Seq, body: &[u8]);

    /// The body of `number`, which is the next one while nothing is unread, has been read without having been
    /// [kept](Self::put).
    fn pass(&mut self, number: Seq);

    /// Everything before `next` is there, and may be read.
    fn deliver(&mut self, next: Seq);

    /// The oldest unread bytes, as far as they lie in one piece; empty if nothing is to be read.
    fn chunk(&self) -> &[u8];

    /// The application has read the first `count` bytes of [`chunk`](Self::chunk). More than that counts as all of it.
    fn consume(&mut self, count: usize);
}
