//! The file session: a client, a server, and both together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod client;
mod host;
mod refusals;
mod server;
mod session;
