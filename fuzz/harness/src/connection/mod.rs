//! Any calls on one connection, and two connections over a network that the input directs.

mod answers;
mod any_order;
mod calls;
mod choice;
mod endpoint;
mod fins;
mod pair;
mod sent;
mod tags;

pub use any_order::any_order;
pub(crate) use choice::{AnyParameters, ROOM, Start, Stores};
pub use pair::pair;
