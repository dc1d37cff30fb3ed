//! What may not grow unseen: allocations, of which there are none, and the sizes of connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod no_alloc;
mod sizes;
