//! Tables for many peers: items by number, by hash, by deadline and in turn, in memory of one kind.
//!
//! They know items by their numbers only, whatever these are and wherever they are kept.

mod index;
mod key;
mod memory;
mod peer_id;
mod queue;
mod slab;
mod stack;
mod timers;
mod turns;

pub(crate) use index::Index;
pub(crate) use key::HashKey;
#[cfg(feature = "alloc")]
pub use memory::Growable;
pub use memory::{Fixed, List, Memory};
pub use peer_id::PeerId;
pub(crate) use queue::Queue;
pub(crate) use slab::Slab;
use stack::Stack;
use timers::Timers;
pub(crate) use turns::Turns;
