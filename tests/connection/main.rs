//! One connection, as traces: handshake, data, close and limits, in base mode and in extended mode.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod ack_request;
mod answers;
mod at_once;
mod close;
mod data;
mod early_data;
mod early_repeats;
mod eifel;
mod extended;
mod gather;
mod handshake;
mod heap_window;
mod hot_path;
mod limits;
mod linger;
mod path_size;
mod probes;
mod progress;
mod rebase;
mod retry;
mod stateless_reset;
mod states;
mod stores;
mod swap;
mod timers;
mod trace;
mod version;
mod windows;
