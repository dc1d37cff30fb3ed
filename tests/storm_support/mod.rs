//! The two ends of a storm, and what is noted of them.
#![allow(dead_code, unreachable_pub, reason = "a module of a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

#[path = "../account/mod.rs"]
mod account;
mod client;
mod ledger;
mod plan;
mod server;
mod session;

pub use client::Client;
pub use ledger::{Ledger, Side};
pub use plan::Plan;
pub use server::Server;
