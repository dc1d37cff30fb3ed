//! Tables for many peers, on the heap or in fixed memory.
//!
//! ```text
//! PeerTable                peers by index, id and address, and their schedule
//!   AddressTable           items by index, id and address
//!     Slab                 items, each at an index that does not change
//!     Index                indexes by hash
//!   Scheduler              the next index to wake, to send, or to report an event
//!     Timers               indexes by deadline
//!     Queue, Stack         indexes in order
//! ```
//!
//! `Index`, `Scheduler`, `Timers`, `Queue` and `Stack` know only the indexes of items. Look-ups and updates are O(1),
//! except that updates of `Timers` are O(log n).

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
