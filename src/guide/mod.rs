//! The guide: what the machines do, how a program drives them, and why they are built this way.
//!
//! The reference documentation says what each item does. These chapters say how the items work together. Each chapter
//! can be read alone. All Rust code in the chapters compiles and runs as a test.
//!
//! | chapter | read it |
//! |---|---|
//! | [`concepts`] | first: sans-IO, packets, numbers, windows, the two modes, the origin of the protocol |
//! | [`event_loop`] | before you write a driver: the loop, the four rules, timers, batches, tokio |
//! | [`tuning`] | when a transfer is slower than its path: window, segment, controller, pacing |
//! | [`memory`] | when you choose stores, lend arrays, or reuse memory |
//! | [`many_peers`] | when you write a server |
//! | [`security`] | before you expose a port: what each mode protects, and what it does not |
//! | [`small_machines`] | when there is no operating system or no allocator |
//! | [`protocol`] | when you write another implementation, or read a packet capture |
//! | [`ecn`] | when you want explicit congestion notification, which this version does not have |
//! | [`comparison`] | when you choose between this crate, TCP, QUIC, KCP, ENet and TFTP |
//! | [`standards`] | when you look for the source of a rule |

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("concepts.md")]
pub mod concepts {}

#[doc = include_str!("ecn.md")]
pub mod ecn {}

#[doc = include_str!("event_loop.md")]
pub mod event_loop {}

#[doc = include_str!("many_peers.md")]
pub mod many_peers {}

#[doc = include_str!("memory.md")]
pub mod memory {}

#[doc = include_str!("protocol.md")]
pub mod protocol {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("small_machines.md")]
pub mod small_machines {}

#[doc = include_str!("standards.md")]
pub mod standards {}

#[doc = include_str!("tuning.md")]
pub mod tuning {}
