//! Laws that hold for any input. Fuzz targets check them for hours, and `tests/random_ops` with a few thousand inputs.
//!
//! | module | subject |
//! |---|---|
//! | [`wire`] | any bytes as a datagram, any packet in every framing |
//! | [`connection`] | any calls on one connection, and two connections over a network that the input directs |
//! | [`listener`] | any calls on a listener |
//! | [`files`] | any calls on the sides of a file session with many requests |
//! | [`socket_tcp`] | SocketTCP: any bytes as a datagram, any calls on one connection and on a listener |
//!
//! Each function takes the input of a fuzzer, and panics if a law does not hold. The seeds in `fuzz/seeds` depend on
//! the order of fields and variants in the input types, so a new variant goes last.
//!
//! The laws concern the public interface. `check_invariants` of the library (feature `arbitrary`) checks private state.

pub mod connection;
pub mod files;
pub mod listener;
pub mod socket_tcp;
pub mod wire;
