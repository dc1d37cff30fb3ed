//! SocketTCP: traces of segments, simulated networks, and compatibility with other programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod close;
mod course;
mod course_network;
mod limits;
mod listener;
mod messages;
mod network;
mod open;
mod program;
mod recordings;
mod report;
mod speaker;
mod turns;
