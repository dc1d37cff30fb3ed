//! SocketTCP: a second protocol, which sends messages over a TCP-like connection in text segments.
//!
//! A report on `SocketTCP` defines it. The report builds TCP on UDP for teaching: three-way handshake, numbered bytes,
//! acknowledgements, close. The protocol is stop-and-wait, and its segments are readable. It shares no bytes with
//! [`wire`](crate::wire), but its machines have the same shape. This module implements both sides, and interoperates
//! with the report's code.
//!
//! Types that also exist in the main protocol carry the prefix `Socket` here.
//!
//! # Segments
//!
//! ```text
//! segment := SYN "|||" ACK "|||" FIN "|||" number "|||" body
//! ```
//!
//! SYN, ACK and FIN are `0` or `1`. The number is decimal. The body has at most 16 arbitrary bytes: only the first four
//! separators count. See [`Segment`].
//!
//! **One counter numbers the bytes of both directions.** A sender continues from the number at which the last exchange
//! ended; the receiver's counter follows. This is the main simplification compared to TCP, which has two counters. It
//! also means that only one side can send at a time.
//!
//! # Opening
//!
//! ```text
//! client                                              server
//! SYN-SENT     -- 1|||0|||0|||10|||  SYN ---------->             the first number is random, 0 to 100
//!              <- 1|||1|||0|||11|||  SYN+ACK ------   SYN-RECEIVED
//! ESTABLISHED  -- 0|||1|||0|||12|||  ACK ---------->  ESTABLISHED
//! ```
//!
//! SYN and SYN+ACK are repeated until they are answered, within the handshake limit. Each SYN and each SYN+ACK is
//! answered. If the ACK is lost, the first segment of a message replaces it.
//!
//! A client accepts the right SYN+ACK from any port of the server's host, and uses that port from then on. Only the ACK
//! goes to the original port, where the report's server waits for it.
//!
//! # Messages
//!
//! ```text
//! sender                                              receiver
//!   | -- 0|||0|||0|||12|||19 ------------------------>  |        its length, in a segment of its own
//!   | <- 0|||1|||0|||14||| ---------------------------  |
//!   | -- 0|||0|||0|||14|||Mensaje de largo ---------->  |        its content, 16 bytes each time
//!   | <- 0|||1|||0|||30||| ---------------------------  |
//!   | -- 0|||0|||0|||30||| 19 ----------------------->  |
//!   | <- 0|||1|||0|||33||| ---------------------------  |
//! ```
//!
//! An acknowledgement carries the number of the next byte: the number of the segment plus the length of its body. An
//! unacknowledged segment is repeated after a timeout (RFC 6298) with the same number and bytes. A duplicate is
//! acknowledged again, and delivered once. An empty message consists of the length `0` alone.
//!
//! | number of a segment of a message | the receiver |
//! |---|---|
//! | the next | stores and acknowledges it; without space it ignores the segment, and the sender repeats it |
//! | lower | acknowledges again, with its current number |
//! | higher, within a message | ignores it |
//! | higher, at the start of a message | accepts it (see the report's code below) |
//!
//! A sender accepts any acknowledgement at or above the number that it expects, and continues from there. A segment of
//! the peer's own message with such a number acknowledges as well: the ACK that preceded it was lost.
//!
//! **Simultaneous messages.** Both sides may begin a message with the same number. The client then continues. The
//! server withdraws its segment, receives the client's message, and sends its own with the number that follows. A
//! client that always has a message to send therefore blocks its server: wait for the answer.
//!
//! A FIN yields to a message. If one side closes while the other begins a message, the FIN is withdrawn, and the other
//! side does not answer it.
//!
//! # Close
//!
//! ```text
//! closes first                                        closes after it
//! FIN-WAIT     -- 0|||0|||1|||33|||  FIN ---------->  LAST-ACK
//!              <- 0|||1|||1|||34|||  FIN+ACK ------
//! (ended)      -- 0|||0|||1|||35|||  three times -->  (ended)
//! ```
//!
//! A close ends both directions, once all written bytes are acknowledged and the incoming message is complete. The
//! final segment carries the flag FIN, as in the report's code. With ACK, or without a flag, it is accepted as well.
//!
//! FIN and FIN+ACK are sent up to three times, then the connection counts as closed: certainty is impossible. If two
//! FINs cross, each side answers the other's FIN, and both connections end.
//!
//! # Usage
//!
//! A [`SocketConnection`] is driven as described in [the crate's documentation](crate), with addresses added:
//! `handle_datagram` takes the source of a datagram, and `poll_transmit` returns its destination.
//! [`send`](SocketConnection::send) sends a message. [`recv`](SocketConnection::recv) reads the available part of one,
//! and [`recv_message`](SocketConnection::recv_message) reads a complete one.
//!
//! ```
//! use rdt_proto::Instant;
//! use rdt_proto::socket_tcp::{SocketConfig, SocketConnection, Segment};
//!
//! let now = Instant::ZERO;
//! let (server_address, client_address) = (1_u8, 2_u8);
//! let mut client = SocketConnection::<u8>::connect(now, SocketConfig::default(), [7; 16], server_address);
//! client.send(b"Mensaje de largo 19")?;
//!
//! // The first segment opens the server's side.
//! let mut buf = [0; 64];
//! let Some((_to, syn)) = client.poll_transmit(now, &mut buf)? else { unreachable!() };
//! let syn = Segment::decode(&buf[..syn.len])?;
//! let mut server = SocketConnection::<u8>::accept(now, SocketConfig::default(), [8; 16], client_address, &syn)?;
//!
//! let mut message = [0; 100];
//! let len = loop {
//!     while let Some((_to, transmit)) = server.poll_transmit(now, &mut buf)? {
//!         client.handle_datagram(now, server_address, &buf[..transmit.len]);
//!     }
//!     while let Some((_to, transmit)) = client.poll_transmit(now, &mut buf)? {
//!         server.handle_datagram(now, client_address, &buf[..transmit.len]);
//!     }
//!     if let Some(len) = server.recv_message(&mut message)? {
//!         break len;
//!     }
//! };
//! assert_eq!(&message[..len], b"Mensaje de largo 19");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! On a server, a [`SocketListener`] assigns datagrams to the connections of its clients.
//!
//! | [`SocketEvent`] | when |
//! |---|---|
//! | `Connected` | the handshake is complete |
//! | `Readable` | a part of a message arrived, at least its length: read until [`recv`](SocketConnection::recv) returns `None` |
//! | `Writable` | a message is fully acknowledged, or an incomplete write may continue |
//! | `PeerClosed` | the peer closed, and nothing more can be sent |
//! | `Closed` | the connection ended for one of the reasons below; received bytes can still be read |
//!
//! | [`SocketCloseReason`] | meaning |
//! |---|---|
//! | `Finished` | one side closed with all messages delivered, and the other answered or was asked three times |
//! | `PeerLeft` | the peer closed before it received a whole message of this side |
//! | `CutShort` | the peer closed within its own message |
//! | `Aborted` | this side called [`abort`](SocketConnection::abort) |
//! | `HandshakeTimedOut`, `TimedOut`, `Quiet` | a time [limit](SocketConfig) expired |
//! | `NumbersExhausted` | the next number would exceed 2^63 |
//!
//! # The report's own code
//!
//! [`SocketConfig::report`] sets the report's timeouts, and gives the peer priority when both sides send at once. The
//! report's code has these limitations, which this implementation handles as follows:
//!
//! - Its server answers from a new socket, at the client's own IP address and the port above the client's. Both must
//!   therefore run on one host. This client accepts that answer. This server answers from the port that received SYN,
//!   which the report's client accepts.
//! - Its server accepts no message before the ACK of the handshake. This client therefore repeats that ACK, to the
//!   original port, with each repetition of its first segment.
//! - Its server ignores datagrams for 8 to 16 s after a SYN without an ACK. [`SocketConfig::report`] waits that long
//!   before it repeats SYN.
//! - Its receiver counts every length as two bytes, but its sender counts the real bytes. It therefore cannot deliver a
//!   message of 100 bytes or more to itself. This sender accepts any higher number as the acknowledgement of a length.
//! - Its receiver appends the bytes of a segment again if that segment is repeated because the ACK was lost. **The
//!   message then contains those bytes twice**, and no sender can prevent it. The numbers of its acknowledgements run
//!   ahead. This side continues from them, during a message and after it, and accepts a message that starts at a higher
//!   number.
//! - It sends an empty segment after the length of an empty message. This receiver acknowledges it.
//! - It never yields when both sides send at once, and never withdraws a FIN. This side yields, and answers the FIN. A
//!   message that crosses that FIN is lost, which is reported as [`PeerLeft`](SocketCloseReason::PeerLeft).
//! - It answers a final FIN as if it were a new one. The connection on this side has ended by then.
//! - It counts the characters of decoded UTF-8, and splits a segment at its last separators. Only ASCII without `|` is
//!   safe towards it. This side accepts and sends any byte.
//!
//! # Limitations
//!
//! The protocol has no security. An attacker that forges source addresses can open connections, and make a server send
//! about eight SYN+ACKs to each forged address. An attacker that guesses a number, which is easy, can inject data and
//! end connections.
//!
//! The only checksum is that of UDP. A client that restarts on the same port is ignored until its old connection ends
//! by a limit. Use the protocol for teaching, and on trusted links.

mod application;
mod bytes;
mod config;
mod connection;
mod event;
mod input;
mod listener;
mod message;
mod output;
mod segment;

#[doc(no_inline)]
pub use crate::event::{Role, Transmit};
#[cfg(feature = "alloc")]
#[doc(no_inline)]
pub use crate::tables::HeapTables;
#[doc(no_inline)]
pub use crate::tables::{FixedTables, List, PeerId, TableMemory};
#[doc(no_inline)]
pub use crate::timing::{Rtt, Timer};
pub use config::{AnswerFrom, SocketConfig, SocketPeer, Timeouts};
pub use connection::{SOCKET_ENTROPY_BYTES, SocketConnection};
pub use event::{
    RecvError, SocketCloseReason, SocketEvent, SocketHandled, SocketIgnored, SocketSendError, SocketStats,
};
pub use listener::{
    SocketAcceptError, SocketDispatch, SocketDropCounts, SocketDropReason, SocketIncoming, SocketListener,
    SocketListenerConfig, SocketListenerStats,
};
pub use message::{MAX_MESSAGE, Message, Received};
pub use segment::{Kind, MAX_BODY, MAX_NUMBER, MAX_SEGMENT, Segment, SegmentError};
