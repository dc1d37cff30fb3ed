//! Tables for many peers: items by number, by hash, by deadline and in turn, in memory of one kind.
//!
//! They know items by their numbers only, whatever these are and wherever they are kept.

mod address_table;
mod index;
mod key;
mod memory;
mod peer_id;
mod peer_table;
mod queue;
mod scheduler;
mod slab;
mod stack;
mod table;
mod timers;

pub(crate) use address_table::{AddressTable, Addressed};
pub(crate) use index::Index;
pub(crate) use key::HashKey;
#[cfg(feature = "alloc")]
pub use memory::HeapTables;
pub use memory::{FixedTables, List, TableMemory};
pub use peer_id::PeerId;
pub(crate) use peer_table::PeerTable;
pub(crate) use queue::Queue;
pub(crate) use scheduler::Scheduler;
pub(crate) use slab::Slab;
use stack::Stack;
use table::Table;
use timers::Timers;
