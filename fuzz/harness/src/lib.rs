//! Laws that hold for any input. Fuzz targets explore them for hours, `tests/random_ops` with a few thousand inputs.
//!
//! | module | subject |
//! |---|---|
//! | [`wire`] | any bytes as a datagram, any packet in every framing |
//! | [`connection`] | any calls on one connection, and two connections over a network that the input directs |
//! | [`listener`] | any calls on a listener |
//! | [`socket_tcp`] | the same for SocketTCP: any bytes, one connection, a listener |
//!
//! Each function takes the input of a fuzzer, and panics if a law does not hold. The inputs in `fuzz/seeds` depend on
//! the order of fields and variants of the types that are made from input: a new variant goes last.
//!
//! The laws are stated over the public interface. What cannot be seen from there is asserted by `check_invariants` of
//! the library, under its feature `arbitrary`.

pub mod connection;
pub mod listener;
pub mod socket_tcp;
pub mod wire;
