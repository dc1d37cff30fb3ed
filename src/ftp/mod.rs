//! The file session: upload and download over any reliable byte stream.
//!
//! One request per connection. Integers are little-endian, names are UTF-8. A header is written as one piece, so that
//! it starts a packet of its own where the stream is made of packets; a reader takes the stream cut anywhere.
//!
//! | type u8 | message | fields | who |
//! |---|---|---|---|
//! | 0 | UPLOAD | `length` u64, `name length` u16, name, then `length` bytes of content | client |
//! | 1 | DOWNLOAD | `name length` u16, name | client |
//! | 2 | FILE | `length` u64, then `length` bytes of content | server |
//! | 3 | CONFIRM | nothing | server |
//! | 4 | ERROR | `code` u8 ([`ErrorCode`]) | server |
//!
//! Types from 5 on are reserved; a server answers them with ERROR 0.
//!
//! ```text
//! client                               server        client                               server
//!   | --- UPLOAD, content ------------> |              | --- DOWNLOAD -------------------> |
//!   |     (without waiting)             | stores it    | <-- FILE, content --------------- |
//!   | <-- CONFIRM --------------------- | durably      | stores it                         |
//!   | --- closes ---  --- closes ------ |              | --- closes ---  --- closes ------ |
//!
//!   | --- UPLOAD, content… -----------> |
//!   | <-- ERROR, closes --------------- | refuses as soon as it knows: the length, the name, a full disk
//!   | stops, closes ------------------> | drops what was on its way
//! ```
//!
//! # Rules
//!
//! - **Confirmed means stored.** CONFIRM is sent only after storage said that the whole file is durable under its name.
//!   Until then the name shows what it showed before. A client without CONFIRM must not assume that it happened.
//! - The server may refuse an upload as soon as it has the length, or at any time before it commits. It then drops what
//!   the client had on its way, up to [`ServerConfig::drain_limit_bytes`] and [`ServerConfig::drain_limit`], and aborts
//!   the connection beyond. A client that sees ERROR sends no more.
//! - Closing before all content was sent cancels an upload; closing before the end of a download cancels that. Neither
//!   side waits for the other to close.
//! - A file that becomes shorter while it is served is never padded: a server aborts, a client cancels.
//! - A name is one path component that every platform can store ([`NameError`] lists the rules), checked before storage
//!   is touched.
//! - Bytes beyond an announced length, and bytes behind a request for a download, are taken and ignored.
//!
//! # The machines
//!
//! [`Client`] and [`Server`] are two state machines with the same methods, those of [`Session`]. They know no datagram,
//! no socket, no disk and no clock, allocate nothing and copy no content: content stays in the caller's own buffers,
//! and a [`Request`] names a range of it.
//!
//! # Over a connection
//!
//! | session | [`Connection`](crate::connection::Connection) |
//! |---|---|
//! | `handle_input(now, unread)` returns how much it took | `unread` is `recv_chunk()`; `consume` what was taken |
//! | [`Request::Write`] of `len` bytes | the first `len` of `recv_chunk()`, to the file; not consumed |
//! | `poll_request(room)` | `room` is the length of `send_slot()`, 0 where that is an error |
//! | [`Request::Read`], answered by [`Answer::Read`] | from the file into `send_slot()`, then `commit` |
//! | [`Output::Header`], then `header_sent` | `send_segment`; while that says `Full` the header is given again |
//! | [`Output::Close`] | `close()` |
//! | [`Output::Abort`] | `abort(code.value())` |
//! | `handle_peer_closed()` | `is_finished_reading()`, and `ended()` is `None`, `Finished` or `PeerLeft` |
//! | `handle_lost()` | `is_finished_reading()`, and `ended()` is anything else |
//! | `handle_aborted(code)` | never in base mode, where an abort looks like a close |
//!
//! Go round until nothing moves, after each datagram and each timeout; `examples/blocking_get.rs` is a whole client.
//! Offsets are consecutive, so a file that can only be appended to will do. A session may be dropped once it has an
//! [outcome](Session::outcome); the connection is then driven on until it is drained. Whoever drops one earlier has to
//! throw away what storage created, since nobody asks for [`Request::Discard`] any more, and aborts the connection.
//!
//! A server in memory, in a few lines:
//!
//! ```
//! use rdt_proto::Instant;
//! use rdt_proto::ftp::{Answer, FileEvent, Outcome, Output, Request, Server, ServerConfig, Session};
//!
//! let now = Instant::ZERO;
//! let mut server = Server::new(ServerConfig::default());
//! let mut unread: &[u8] = b"\0\x05\0\0\0\0\0\0\0\x01\0ahello"; // UPLOAD of 5 bytes as "a"
//! let (mut stored, mut sent) = (Vec::new(), Vec::new());
//! let outcome = loop {
//!     let taken = server.handle_input(now, unread);
//!     unread = &unread[taken..];
//!     let answer = match server.poll_request(0) {
//!         None => None,
//!         Some(Request::Create { .. }) => Some(Answer::Created),
//!         Some(Request::Write { len, .. }) => {
//!             stored.extend_from_slice(&unread[..len]);
//!             Some(Answer::Written(len))
//!         }
//!         Some(Request::Commit) => Some(Answer::Committed),
//!         Some(other) => unreachable!("{other:?}"),
//!     };
//!     if let Some(answer) = answer {
//!         server.handle_answer(now, answer)?;
//!     }
//!     if let Some(Output::Header(header)) = server.poll_output() {
//!         sent.extend_from_slice(header);
//!         let len = header.len();
//!         server.header_sent(len)?;
//!     }
//!     if let Some(FileEvent::Done(outcome)) = server.poll_event() {
//!         break outcome;
//!     }
//! };
//! assert_eq!((outcome, &stored[..], &sent[..]), (Outcome::Stored, &b"hello"[..], &b"\x03"[..]));
//! # Ok::<(), rdt_proto::ftp::Unasked>(())
//! ```

mod client;
mod code;
mod message;
mod name;
mod server;
mod session;
mod storage;

pub use client::{Client, ClientConfig};
pub use code::{ErrorCode, StorageError};
pub use message::{FileDecodeError, FileMessage, Header, MAX_HEADER};
pub use name::{MAX_NAME, Name, NameBuf, NameError};
pub use server::{Server, ServerConfig};
pub use session::{Answer, FileEvent, Outcome, Output, Request, Session, TooLate, Transfer, Unasked};
