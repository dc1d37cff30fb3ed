//! One connection, as traces: how it opens, carries data and closes, in base mode and in extended mode, and its limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod close;
mod data;
mod early_data;
mod extended;
mod handshake;
mod hot_path;
mod limits;
mod rebase;
mod retry;
mod states;
mod stores;
mod timers;
mod trace;
