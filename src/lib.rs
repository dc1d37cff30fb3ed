#![doc = include_str!("guide/front.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]
// Some functions are `inline(never)` if pointers have fewer than 64 bits. Such targets have little flash, and a
// function that is not inlined exists only once.

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod address;
pub mod arq;
mod clock_shift;
pub mod congestion;
pub mod connection;
mod copy;
mod counts;
mod error;
mod event;
pub mod files;
pub mod ftp;
pub mod guide;
mod keyed_hash;
pub mod listener;
mod replace_memory;
mod seq;
#[cfg(feature = "sim")]
pub mod sim;
pub mod socket_tcp;
pub mod store;
mod tables;
mod time;
mod timing;
mod uncompared;
pub mod wire;

pub use address::Address;
pub use clock_shift::ClockShift;
pub use counts::{Countable, Counter, Counts};
pub use error::BufferTooSmall;
pub use replace_memory::ReplaceMemory;
pub use seq::Seq;
pub use time::{Duration, Instant};

/// Whether code that only saves time is compiled. Only 64-bit machines have it, since smaller ones have little flash.
///
/// `--cfg rdt_no_shortcuts` runs the tests without this code on every machine.
const SHORTCUTS: bool = cfg!(all(target_pointer_width = "64", not(rdt_no_shortcuts)));

/// Tests the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
