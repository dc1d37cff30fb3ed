//! SocketTCP: a second protocol, which sends messages over a TCP-like connection in text segments.
//!
//! A course report on `SocketTCP` defines the protocol. The report builds TCP on UDP for teaching: three-way handshake,
//! numbered bytes, acknowledgements, close. The protocol is stop-and-wait, and its segments are readable text. They
//! have nothing in common with the packets of [`wire`](crate::wire), but the state machines have the same kind of
//! interface. This module implements both sides, and interoperates with the report's code and with five other programs
//! of the course.
//!
//! A type that has a counterpart in the main protocol carries the prefix `Socket`.
//!
//! # Segments
//!
//! ```text
//! segment := SYN "|||" ACK "|||" FIN "|||" number "|||" body
//! ```
//!
//! SYN, ACK and FIN are `0` or `1`. The number is decimal. The body may contain any byte, since only the first four
//! separators count. This side sends bodies of at most 16 bytes. It receives longer ones as well, and ignores zeros in
//! front of a number and the body of a segment without data. See [`Segment`].
//!
//! **One counter numbers the bytes of both directions.** Only one side can therefore send at a time. A sender continues
//! from the number at which the last message ended, whichever side sent that message. TCP has a counter for each
//! direction instead.
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
//! SYN and SYN+ACK are repeated until they are answered, within the handshake limit. A server in SYN-RECEIVED answers
//! each repeated SYN. A client answers each repeated SYN+ACK. If the ACK is lost, the client's first segment of a
//! message, or its FIN, replaces the ACK.
//!
//! A client accepts a SYN+ACK with the expected number from any port of the server's host, and sends to that port from
//! then on. Some servers expect the ACK at the original port, others at the new one. The ACK therefore goes to both,
//! once and again for each repeated SYN+ACK. If the first segment of a message, or FIN, is repeated by a timer, the ACK
//! is repeated as well, but only to the original port: at the new one, a bare ACK in place of a length stops some
//! servers.
//!
//! # Messages
//!
//! ```text
//! sender                                              receiver
//!   | -- 0|||0|||0|||12|||19 ------------------------>  |        the length, in a segment of its own
//!   | <- 0|||1|||0|||14||| ---------------------------  |
//!   | -- 0|||0|||0|||14|||Mensaje de largo ---------->  |        the content, by default 16 bytes in each segment
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
//! | the next expected | stores and acknowledges the segment; without space ignores it, and the sender repeats it |
//! | lower | acknowledges again, with its current number |
//! | higher, within a message, or while its own FIN is unanswered | ignores the segment |
//! | higher, at the start of a message | accepts the segment (see the report's code below) |
//!
//! A sender accepts any acknowledgement at or above the number that it expects, and continues from the number of the
//! acknowledgement. If an ACK is lost and the peer begins its own message, the first segment of that message
//! acknowledges instead.
//!
//! **Simultaneous messages.** Both sides may begin a message with the same number. The client then has priority and
//! continues. The server withdraws its segment, receives the client's message, and sends its own message with the
//! number that follows. A client that sends without a pause therefore keeps its server from sending. It should wait for
//! the answer to each message.
//!
//! A FIN yields to a message. If a FIN crosses the first segment of a message, the sender of the FIN withdraws it and
//! receives the message. The sender of the message ignores the FIN.
//!
//! # Close
//!
//! ```text
//! closes first                                        closes after it
//! FIN-WAIT     -- 0|||0|||1|||33|||  FIN ---------->  LAST-ACK
//!              <- 0|||1|||1|||34|||  FIN+ACK ------
//! (ended)      -- 0|||1|||0|||35|||  three times -->  (ended)
//! ```
//!
//! A close ends both directions. It begins once all written bytes are acknowledged and the incoming message is
//! complete. The final segment carries the flag ACK. With [`SocketConfig::report`] it carries FIN instead, as in the
//! report's code. A final segment with ACK, with FIN, or without a flag is accepted.
//!
//! FIN and FIN+ACK are sent up to three times. The connection then counts as closed even without an answer, since no
//! exchange of segments can give both sides certainty. If two FINs cross, each side answers the FIN of its peer, and
//! both connections end.
//!
//! # Usage
//!
//! Drive a [`SocketConnection`] as [the crate's documentation](crate) describes. In addition, `handle_datagram` takes
//! the source address of the datagram, and `poll_transmit` returns the destination address.
//! [`send`](SocketConnection::send) sends a message. [`recv`](SocketConnection::recv) reads the available part of a
//! message, and [`recv_message`](SocketConnection::recv_message) reads a complete message.
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
//! | `Writable` | a message is fully acknowledged, or [`write`](SocketConnection::write) has space again |
//! | `PeerClosed` | the peer closed, and nothing more can be sent |
//! | `Closed` | the connection ended for one of the reasons below; received bytes can still be read |
//!
//! | [`SocketCloseReason`] | meaning |
//! |---|---|
//! | `Finished` | one side closed after all written bytes arrived; the other answered, or three tries failed |
//! | `PeerLeft` | the peer closed before it received a whole message of this side |
//! | `CutShort` | the peer closed within its own message |
//! | `Aborted` | this side called [`abort`](SocketConnection::abort) |
//! | `HandshakeTimedOut`, `TimedOut`, `Quiet` | a time [limit](SocketConfig) expired |
//! | `NumbersExhausted` | the next number would exceed 2^63 |
//!
//! # The report's own code
//!
//! [`SocketConfig::report`] sets the report's timeouts, and gives the peer priority when both sides send at once. The
//! list names the limitations of the report's code, and how this implementation ("this side") handles them:
//!
//! - Its server answers from a new socket, bound to the client's IP address and the client's port plus one. Client and
//!   server must therefore run on one host. This client accepts such an answer. This server answers from the port that
//!   received SYN, and the report's client accepts that.
//! - Its server accepts no message before the ACK of the handshake, which it expects at the original port. This client
//!   repeats that ACK with each repetition of its first segment. With [`SocketConfig::report`], the ACK goes to no
//!   other port, where that server expects nothing but a length.
//! - Its server ignores datagrams for 8 s after a SYN that no ACK follows, and fails after 16 s. With
//!   [`SocketConfig::report`], this client repeats SYN after 12 s.
//! - Its receiver counts every length as two bytes, but its sender counts the real digits. Two sides that both run the
//!   report's code therefore cannot exchange a message of 100 bytes or more. This sender accepts any higher number as
//!   the acknowledgement of a length.
//! - If an ACK is lost and a segment repeated, its receiver appends the bytes of that segment again, unless the segment
//!   is a length or has 2 bytes. **The message then contains those bytes twice, and its end is lost.** The
//!   acknowledgements of that receiver then carry numbers that are too high. This side continues from the higher
//!   number, within a message and after it. It also accepts a message that starts at a higher number. [`Pieces::Pairs`]
//!   sends pieces of 2 bytes, which that receiver recognizes. Even so, an acknowledged message is no proof that the
//!   report's code has it unchanged.
//! - It sends an empty segment after the length of an empty message. This receiver acknowledges that segment.
//! - It never yields when both sides send at once, and never withdraws a FIN. This side yields, and answers the FIN. A
//!   message of this side that crosses the FIN is lost, and the connection ends as
//!   [`PeerLeft`](SocketCloseReason::PeerLeft).
//! - It answers a final FIN as if it were a new FIN. This side ignores the answer, since its connection has ended.
//! - It counts the characters of decoded UTF-8, and splits a segment at its last separators. Only messages in ASCII
//!   without `|` reach it unchanged. This side accepts and sends any byte.
//!
//! # Other programs of the course
//!
//! Five other public programs of the report's course speak this protocol. [`SocketConfig::default`] suits them. Their
//! habits, and what this implementation makes of them:
//!
//! - All of their servers answer from another port. Some expect the ACK of the handshake there, one at the original
//!   port. This client sends it to both.
//! - Two fill the number with zeros to 8 or 10 digits. One writes `0` or `-` as the body of segments without data. Both
//!   are accepted, and this side sends neither.
//! - One sends pieces of up to 64 bytes. A piece is accepted if the receive buffer (`RECV`) has room for it.
//! - Two accept a final segment only with the flag ACK. All five send it so, between one and four times.
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
pub use config::{AnswerFrom, Pieces, SocketConfig, SocketPeer, Timeouts};
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
