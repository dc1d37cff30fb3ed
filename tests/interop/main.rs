//! Connections with the public implementation: its recorded sessions, its behaviour, and the rules of closing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod close;
mod close_stop_and_wait;
mod finished;
mod habits;
mod methods;
mod recordings;
mod rostov;
mod rules;
