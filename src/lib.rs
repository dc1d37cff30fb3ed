//! Reliable data transfer over datagrams, as pure state machines.
#![no_std]
#![deny(clippy::indexing_slicing)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod arq;
pub mod connection;
mod error;
pub mod ftp;
pub mod listener;
mod seq;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
mod time;
pub mod wire;

pub use error::BufferTooSmall;
pub use seq::Seq;
pub use time::{Duration, Instant};
