//! Reliable data transfer over datagrams, as pure state machines.
//!
//! Datagrams and the time go in; datagrams, deadlines and events come out. No socket, no clock, no thread, no allocator, no
//! randomness of its own: the same code drives UDP on a server, a serial line on a microcontroller, and a simulated network
//! in a test. The README shows a whole client on a blocking socket; `examples/echo.rs` is a server, `examples/blocking_get.rs`
//! downloads a file, `examples/rdt` is a program on an event loop.
//!
//! # Where to find what
//!
//! Each module imports only from those below it.
//!
//! | module | subject |
//! |---|---|
//! | [`listener`] | many peers on one socket: routing by tag and address, backlog, cookies, limits |
//! | [`ftp`] | the file session, upload and download, over any byte stream |
//! | [`socket_tcp`] | another protocol, whole: messages in text segments, stop-and-wait |
//! | [`connection`] | one connection: handshake, data in both directions, close. **Start here** |
//! | [`arq`] | which number to send now, what is acknowledged, when to wake: numbers and time only |
//! | [`congestion`] | how much may be in flight, and how fast it may leave: four controllers and a pacer |
//! | [`store`] | bodies by number, in memory that the caller owns |
//! | [`wire`] | framing and packets, every byte specified |
//! | [`Instant`], [`Duration`], [`Seq`] | time in microseconds, serial number arithmetic |
//! | [`sim`](https://docs.rs/rdt-proto/latest/rdt_proto/sim) | (feature `sim`) a network in virtual time, from a seed |
//!
//! # How every machine is used
//!
//! - `handle_datagram(now, …)` and `handle_timeout(now)` are its input.
//! - `poll_transmit(now, buf)` is its output: call it until it returns `None`, after any other call.
//! - `poll_timeout()` says when to call `handle_timeout`; `poll_event()` says what is new.
//! - Everything else (`send`, `recv`, `close`, …) is what an application does.
//!
//! Hand over the datagrams that wait before you call `handle_timeout`: a process that was stalled for long must not declare
//! a peer dead whose datagrams it has not looked at. Keep going until a connection
//! [is drained](connection::Connection::is_drained), and poll events once more then.
//!
//! # What always holds
//!
//! 1. No input or output of its own; `now` and entropy are arguments.
//! 2. `no_std`, no `unsafe`, no allocation. The features `alloc` and `std` only add.
//! 3. Any call, in any order, at any time, is legal: nothing "must be drained before". Time that goes backwards stands still.
//! 4. Input is never an error. A datagram is at worst ignored, and the reason is told and counted. Misuse by the caller is a
//!    typed error of that call. The end of a connection is one [`Event::Closed`](connection::Event::Closed), once.
//! 5. `poll_timeout` tells the whole truth: it is due while `poll_transmit` would return something, it lies in the future
//!    after `handle_timeout` and a drained `poll_transmit`, and it is `None` only when nothing can happen without input.
//! 6. Nothing that comes from the network decides an allocation, a loop bound or an index. (A listener on the heap grows with its
//!    connections, up to the limits that it was given.)
//! 7. Acknowledged means kept: what was acknowledged stays readable, even after the end.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod address;
pub mod arq;
mod clock_shift;
pub mod congestion;
pub mod connection;
mod error;
pub mod ftp;
pub mod listener;
mod seq;
#[cfg(feature = "sim")]
pub mod sim;
pub mod socket_tcp;
pub mod store;
mod tables;
mod time;
mod uncompared;
pub mod wire;

pub use address::Address;
pub use clock_shift::ClockShift;
pub use error::BufferTooSmall;
pub use seq::Seq;
pub use time::{Duration, Instant};

/// The code in the README compiles and works.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
