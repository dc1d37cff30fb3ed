//! The bodies of the fuzz targets, which property tests call too: rules that hold for any input.

mod any_order;
mod choice;
mod pair;
mod party;

pub(crate) use super::negotiation::OPTIONS_BYTES;
pub use any_order::any_order;
pub(crate) use choice::{AnyParameters, Mechanism, ROOM, Start};
pub use pair::pair;
