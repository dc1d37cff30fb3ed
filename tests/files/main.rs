//! The file session with many requests: a client and a server over streams in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod disk;
mod late;
mod pair;
mod random;
mod requests;
mod resume;
mod violations;
