//! Loss recovery: its rules as traces, and whole connections over networks with every fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod bulk;
mod closing;
mod coarse_timers;
mod endpoints;
mod liars;
mod mixed_calls;
mod optimists;
mod pair;
mod path_size;
mod rtt_step;
mod rules;
mod seeds;
mod selective_repeat;
mod serial_lines;
mod short_transfers;
mod small_windows;
mod stop_and_wait;
mod stress;
mod way_back;
mod windows;
