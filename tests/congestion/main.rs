//! The congestion controllers: their rules, and their behaviour at simulated bottlenecks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod changes;
mod flows;
mod network;
mod pacing;
mod rate_limited;
mod rules;
mod slow_lines;
mod unpaced;
