//! Many peers on one socket: admission, limits, address changes, and a simulated flood.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod base_mode;
mod blocked;
mod busy;
mod contested;
mod flood;
mod gather;
mod hosts;
mod limits;
mod moved;
mod path_size;
mod paths;
mod release;
mod stateless_reset;
mod unknown_senders;
