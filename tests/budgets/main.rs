//! Budgets that a change must not exceed: no allocation, and the sizes of connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod no_alloc;
mod sizes;
