//! Many peers on one socket, as traces: who is admitted, what each may have, how they move; and a flood in the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod base_mode;
mod blocked;
mod flood;
mod hosts;
mod limits;
mod moved;
mod release;
mod unknown_senders;
