//! The simulated network: what its links do, and what it demands of its nodes.

mod network;
mod promises;
