//! The simulated network: the behaviour of its links, and its checks of the nodes.

mod network;
mod promises;
