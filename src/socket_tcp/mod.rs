//! Another protocol, whole: messages over a connection like that of TCP, in segments of text.
//!
//! It comes from a report on `SocketTCP`, which builds TCP on UDP to learn from it: three-way handshake, numbered
//! bytes, acknowledgements, close; stop-and-wait, and segments that one can read. It shares no bytes with
//! [`wire`](crate::wire), and of the machines it has the shape. Both sides of it are here, and they talk to the
//! report's own code as well.
//!
//! A type that the other protocol has too is named with the prefix `Socket` here.
//!
//! # Segments
//!
//! ```text
//! segment := SYN "|||" ACK "|||" FIN "|||" number "|||" body
//! ```
//!
//! SYN, ACK and FIN are `0` or `1`; the number is decimal; the body has at most 16 bytes, any of them: the first four
//! separators count from the left. See [`Segment`].
//!
//! **The number counts bytes, and there is one counter for both directions.** Whoever sends goes on from where the last
//! exchange ended; the receiver's counter follows. That is the great simplification beside TCP, which has two, and it
//! is why only one side can send at a time.
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
//! SYN and SYN+ACK are repeated until they are answered, for the handshake limit. Each SYN is answered, and each
//! SYN+ACK. If the ACK is lost, the first segment of a message stands for it. A client takes the right SYN+ACK from any
//! port of the host that it called, and talks to that port from then on; but the ACK goes to the one that was called,
//! where the report's server waits for it.
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
//! An acknowledgement has the number of the next byte: that of the segment and the length of its body. Without it the
//! segment is repeated after a timeout (RFC 6298), the same bytes under the same number. A segment that had arrived
//! already is acknowledged again, and delivered once. An empty message is the length `0` alone.
//!
//! | number of a segment of a message | the receiver |
//! |---|---|
//! | the next one | keeps, acknowledges and delivers it, if it has room; otherwise it does nothing, and the sender repeats it |
//! | an earlier one | acknowledges again, with the number where it is by now |
//! | a later one, in the middle of a message | ignores it |
//! | a later one, at the beginning of a message | takes it: see below, the report's code |
//!
//! A sender takes any acknowledgement at or above the number that it expects, and goes on from there. What the peer
//! sends by itself under such a number acknowledges as well: its ACK was lost, and it has gone on.
//!
//! **Who goes first.** Both sides may begin a message under the same number. Then the client goes on, and the server
//! withdraws its segment, takes the client's message, and sends its own under the number where that ended. So does a
//! side that closes while the other begins a message: it takes its FIN back, and the other does not answer it. A client
//! that always has a message to send thus never lets its server speak: wait for the answer.
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
//! Closing ends both directions, once all that was written is acknowledged and the message that comes in has arrived.
//! The last word has the flag FIN because the report's code has it; with ACK, or no flag, it is understood as well. FIN
//! and FIN+ACK are sent three times, then the connection counts as closed: nobody can know for certain. If both FINs
//! cross, each is answered, and that is all.
//!
//! # To use it
//!
//! A [`SocketConnection`] is driven as described in [the crate's documentation](crate), but it knows addresses:
//! `handle_datagram` takes where a datagram came from, and `poll_transmit` says where one goes.
//! [`send`](SocketConnection::send) sends a message, [`recv`](SocketConnection::recv) reads what there is of one,
//! [`recv_message`](SocketConnection::recv_message) waits for all of it.
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
//! A server has a [`SocketListener`], which finds the connection of each client.
//!
//! | [`SocketEvent`] | when |
//! |---|---|
//! | `Connected` | the handshake is complete |
//! | `Readable` | something of a message has arrived, its length at least: read until [`recv`](SocketConnection::recv) returns `None` |
//! | `Writable` | a message is acknowledged whole, or there is room for more of one of which not all could be written |
//! | `PeerClosed` | the peer has closed, and nothing can be sent any more |
//! | `Closed` | the end, for one of the reasons below; what has arrived can still be read |
//!
//! | [`SocketCloseReason`] | what happened |
//! |---|---|
//! | `Finished` | one side closed, everything had been said, and the other heard of it or was asked three times |
//! | `PeerLeft` | the peer closed before it had taken a message of ours |
//! | `CutShort` | the peer closed in the middle of its own message |
//! | `Aborted` | this side called [`abort`](SocketConnection::abort) |
//! | `HandshakeTimedOut`, `TimedOut`, `Quiet` | a [limit](SocketConfig) on silence |
//! | `NumbersExhausted` | the next number would be above 2^63 |
//!
//! # The report's own code
//!
//! [`SocketConfig::report`] is for it: its timeouts, and it always goes first. What it cannot do, and how ours behaves
//! towards it:
//!
//! - Its server answers from a new socket, at the client's own address and the port above the client's: both have to be
//!   on one host. Ours takes the answer from there. Our server answers from the port that was called, and its client
//!   takes that.
//! - Its server takes no message before it has the ACK of the handshake. So our client repeats that ACK, to the port
//!   that was called, with each repetition of its first segment, until it is heard.
//! - Its server is deaf for 8 to 16 s after a SYN that was not followed up: [`SocketConfig::report`] waits so long
//!   before the next.
//! - Its receiver takes the length for two bytes, whatever it has. Its own sender, which counts the bytes, never gets a
//!   message of 100 bytes or more through. For a length, ours takes any number above its own for an acknowledgement.
//! - Its receiver appends a segment that is repeated because the ACK was lost, again: **the message has those bytes
//!   twice**, and nothing on the wire can prevent it. The numbers of its acknowledgements then run ahead. Ours goes on
//!   from them, during a message and after it; and where its own message begins ahead of what it acknowledged, ours
//!   takes it.
//! - After the length of an empty message it sends an empty segment. Ours acknowledges it.
//! - It never gives way where both send at once, and never takes a FIN back: ours does the one, and answers the other.
//!   A message of ours that crosses its FIN is lost, and that is [told](SocketCloseReason::PeerLeft).
//! - It takes a last FIN for a new one, and answers it. Ours has ended by then.
//! - It counts the characters of decoded UTF-8, and splits a segment at its last separators: towards it only ASCII
//!   without `|` is safe. Ours takes and sends any byte.
//!
//! # What it does not do
//!
//! It protects against nobody. There is no secret in it: whoever forges a source address opens connections, and makes a
//! server send its SYN+ACK to somebody else, some eight times; who guesses a number, which is easy, injects and ends.
//! It has no checksum but that of UDP. A client that restarts on the same port is not heard until its old connection
//! has ended by a limit. Use it to learn, and on links of your own.

mod application;
mod bytes;
mod config;
mod connection;
mod event;
#[cfg(feature = "arbitrary")]
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod listener;
mod message;
mod output;
mod segment;

#[doc(no_inline)]
pub use crate::event::{Role, Transmit};
#[cfg(feature = "alloc")]
#[doc(no_inline)]
pub use crate::tables::Growable;
#[doc(no_inline)]
pub use crate::tables::{Fixed, List, Memory, PeerId};
#[doc(no_inline)]
pub use crate::timing::{Rtt, Timer};
pub use config::{AnswerFrom, SocketConfig, SocketPeer, Timeouts};
pub use connection::{SOCKET_ENTROPY_BYTES, SocketConnection};
pub use event::{
    RecvError, SocketCloseReason, SocketEvent, SocketHandled, SocketIgnored, SocketSendError, SocketStats,
};
pub use listener::{
    SocketAcceptError, SocketDispatch, SocketDropReason, SocketIncoming, SocketListener, SocketListenerConfig,
    SocketListenerStats,
};
pub use message::{MAX_MESSAGE, Message, Received};
pub use segment::{Kind, MAX_BODY, MAX_NUMBER, MAX_SEGMENT, Segment, SegmentError};
