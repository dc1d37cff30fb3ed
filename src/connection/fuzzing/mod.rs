//! What must hold for any input: the bodies of the fuzz targets, which property tests call too.

mod any_order;
mod choice;
mod pair;
mod party;

pub(crate) use super::dialect::OPTIONS_BYTES;
pub use any_order::any_order;
pub(crate) use choice::{AnyHello, Mechanism, ROOM, Start};
pub use pair::pair;
