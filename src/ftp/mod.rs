//! File transfer sessions: upload and download over any reliable byte stream.
//!
//! A connection carries one request. Integers are little-endian; names are UTF-8. The sender writes a header as one
//! piece, so that the header fills a packet of its own. A receiver accepts the stream in pieces of any size.
//!
//! | type u8 | message | fields | sender |
//! |---|---|---|---|
//! | 0 | UPLOAD | `length` u64, `name length` u16, name, then `length` bytes of content | client |
//! | 1 | DOWNLOAD | `name length` u16, name | client |
//! | 2 | FILE | `length` u64, then `length` bytes of content | server |
//! | 3 | CONFIRM | nothing | server |
//! | 4 | ERROR | `code` u8 ([`ErrorCode`]) | server |
//!
//! Types from 5 on are reserved. A server answers them with ERROR 0. A server that offers [`files`](crate::files) as
//! well tells the sessions by the client's first byte: 0 and 1 begin this one, 16 begins the other.
//!
//! ```text
//! client                               server        client                               server
//!   | --- UPLOAD, content ------------> |              | --- DOWNLOAD -------------------> |
//!   |     (without waiting)             | stores it    | <-- FILE, content --------------- |
//!   | <-- CONFIRM --------------------- | durably      | stores it                         |
//!   | --- closes ---  --- closes ------ |              | --- closes ---  --- closes ------ |
//!
//!   | --- UPLOAD, content… -----------> |
//!   | <-- ERROR ----------------------- | refuses as soon as possible: length, name, full disk
//!   | stops, closes ------------------> | drops the content in flight
//!   | <----------------------- closes - |
//! ```
//!
//! # Rules
//!
//! - **Confirmed means stored.** The server sends CONFIRM only after storage has made the whole file durable under its
//!   name. Until then the name keeps its previous content. Without CONFIRM a client must not assume that the file is
//!   stored.
//! - **Refused means not stored.** A server that has given the file its name, but cannot make that durable
//!   ([`Answer::NotDurable`]), sends neither CONFIRM nor ERROR, but aborts the connection.
//! - The server may refuse an upload as soon as it knows the length, and at any later time until the file is durable.
//!   It then drops the content in flight, up to [`ServerConfig::drain_limit_bytes`] and [`ServerConfig::drain_limit`].
//!   Beyond either limit it aborts the connection. A client stops sending when it receives ERROR, and closes. The
//!   server closes after the client, since a close before would end the upload in some implementations, and hide the
//!   code. A refused download has nothing in flight, so its server closes at once.
//! - A client that closes before it has sent all content cancels its upload. A client that closes before it has
//!   received all content cancels its download. Neither side waits for the other to close, except for a server that
//!   drops content after a refusal.
//! - A file that shrinks while it is sent is never padded: a server aborts, a client cancels.
//! - A name is one path component that every platform can store ([`NameError`] lists the rules). It is checked before
//!   any storage request.
//! - Bytes beyond the announced length, and bytes after a DOWNLOAD request, are consumed and ignored.
//!
//! # The machines
//!
//! [`Client`] and [`Server`] are state machines that share the methods of [`Session`]. They use no datagrams, sockets,
//! disks or clocks. They allocate nothing and copy no content. Content stays in the caller's buffers; a [`Request`]
//! names a range of bytes in them.
//!
//! # Over a connection
//!
//! | session | [`Connection`](crate::connection::Connection) |
//! |---|---|
//! | `handle_input(now, unread)` returns a count | `unread` is `recv_chunk()`; `consume` the count |
//! | [`Request::Write`] of `len` bytes | write the first `len` bytes of `recv_chunk()`; do not consume them |
//! | `poll_request(room)` | `room` is the length of `send_slot()`, or 0 if that fails |
//! | [`Request::Read`], answered by [`Answer::Read`] | read from the file into `send_slot()`, then `commit` |
//! | [`Output::Header`], then `header_sent` | `send_segment`; on `Full` the header is returned again later |
//! | [`Output::Close`] | `close()` |
//! | [`Output::Abort`] | `abort(code.value())` |
//! | `handle_peer_closed()` | `is_finished_reading()`, and `ended()` is `None`, `Finished` or `PeerLeft` |
//! | `handle_aborted(code)` | `is_finished_reading()`, and `ended()` is `Reset` or `Refused`; never in base mode |
//! | `handle_lost()` | `is_finished_reading()`, and `ended()` is anything else |
//!
//! Repeat these steps after each datagram and each timeout, until none of them makes progress.
//! `examples/get_file.rs` is a complete client.
//!
//! Offsets are consecutive, so an append-only file suffices. A session that has an [outcome](Session::outcome) may be
//! dropped. Keep driving the connection until it is drained. A program that drops a session earlier must itself discard
//! the unfinished file and abort the connection, because the session can no longer return [`Request::Discard`].
//!
//! A complete server in memory:
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
