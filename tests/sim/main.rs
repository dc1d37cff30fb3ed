//! The simulated network: what its links do to datagrams, and what it checks of its nodes.

mod network;
mod promises;
