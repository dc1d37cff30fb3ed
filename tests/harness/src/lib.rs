//! The shared test harness of `rdt-proto`: traces in virtual time and scripted peers.
//!
//! A [`Trace`](trace::Trace) holds a machine under test, its peer and the time. A test scripts the peer, states
//! which datagrams it expects, and advances the time:
//!
//! ```text
//! let mut client = BaseTrace::established_client(Config::base());
//! client.machine.send(b"hello").unwrap();
//! client.expect(info(1, b"hello"));
//! client.sleep(20, 40);                   // the retransmit timer
//! client.expect(info(1, b"hello"));
//! client.peer_sends(ack(1));
//! client.expect_nothing();
//! ```
//!
//! | module | machine under test | its peers |
//! |---|---|---|
//! | [`base`] | a connection, stop-and-wait | one of base mode |
//! | [`extended`] | a connection, selective repeat | one of extended mode |
//! | [`base_listener`] | a listener | clients of base mode |
//! | [`listener`] | a listener | clients of extended mode |
//! | [`socket_tcp`] | a connection or a listener of SocketTCP | one or more, in segments of text |
//!
//! Every trace asserts that `poll_timeout` was due before each datagram that the machine sends. [`byte_account`]
//! asserts that a listener sends no more bytes to an unvalidated address than it has received from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

pub mod address;
pub mod base;
pub mod base_listener;
pub mod byte_account;
pub mod extended;
pub mod listener;
pub mod machine;
pub mod packets;
pub mod socket_tcp;
pub mod trace;
