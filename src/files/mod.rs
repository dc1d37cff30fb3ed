//! File sessions with many requests: folders, interrupted transfers that go on, digests from end to end.
//!
//! A session of this module speaks over a connection in extended mode, or over any other reliable byte stream that no
//! peer of an older version shares. Connections in base mode carry the sessions of [`ftp`](crate::ftp), as foreign
//! implementations do. So nothing is negotiated.
//!
//! # Messages
//!
//! The client sends requests one after the other, without waiting for answers. The server answers them in their order.
//! Integers are little-endian; *metadata* is the time of the last modification (i64, nanoseconds since 1970, or 2^63 as
//! "unknown") and the permission bits (u16, or `ffff`); a *digest* is the BLAKE3 of 32 bytes; a *path* is its length
//! (u16) and its UTF-8 ([`PathError`] lists the rules).
//!
//! | type u8 | message | fields | sender |
//! |---|---|---|---|
//! | 16 | PUT | [wish](Wish) u8, metadata, `length` u64 (2^64 − 1: unknown), path | client |
//! | 17 | GET | `have` u64 and its digest, path | client |
//! | 18 | LIST | wish u8, path of a folder, empty for the outermost one | client |
//! | 19 | CHECK | wish u8, path | client |
//! | 24 | START | `offset` u64 | client |
//! | 25 | DATA | `len` u16, then `len` bytes of content | both |
//! | 26 | END | digest of the whole file | both |
//! | 27 | CANCEL | `code` u8 ([`ErrorCode`](crate::ftp::ErrorCode)) | both |
//! | 32 | RESUME | `length` u64 and its digest | server |
//! | 33 | CONFIRM | nothing | server |
//! | 34 | ERROR | `code` u8 | server |
//! | 35 | FILE | metadata, `length` u64, `offset` u64 | server |
//! | 36 | ENTRY | kind u8 (0 file, 1 folder), metadata, `length` u64, digest, path | server |
//! | 37 | LISTED | nothing | server |
//!
//! All other types end the connection, as do messages out of place.
//!
//! ```text
//! client                               server        client                               server
//!   | --- PUT a, DATA…, END ----------> |              | --- GET x ----------------------> |
//!   | --- PUT b, DATA…, END ----------> |              | --- GET y ----------------------> |
//!   | <-- CONFIRM (a) ----------------- | durable      | <-- FILE, DATA…, END ------------ |
//!   | <-- ERROR (b) ------------------- | no space     | <-- ERROR ----------------------- | there is no y
//!
//!   | --- PUT c, to be resumed -------> |              | --- GET z, have 5 MB ------------> |
//!   | <-- RESUME: 7 MB, digest -------- |              | <-- FILE from 5 MB, DATA…, END --- | z begins so
//!   | --- START 7 MB, DATA…, END -----> |              |
//! ```
//!
//! # Rules
//!
//! - **Confirmed means stored.** CONFIRM leaves once the file is durable under its path, with its digest. The next
//!   requests are served meanwhile, so that one flush may serve many files. At most [`MAX_OPEN_PUTS`] PUTs are open.
//! - **A file is whole.** The receiver compares the digest of END with that of what it has stored, and keeps nothing if
//!   they differ.
//! - A PUT that is refused ends only itself. Its content is dropped until END or CANCEL. A client that receives ERROR
//!   while content still leaves sends CANCEL, except in place of RESUME: then no content follows.
//! - **Resuming.** A client that may go on later sends PUT with [`Wish::RESUME`]. RESUME says how much the server has
//!   of the file, and its digest. The client compares that with its own file, and sends START: at that position if they
//!   agree, at 0 otherwise. What is left of a lost connection is kept only for such a PUT.
//! - A GET says what the client has. The server compares, and FILE begins behind it, or at 0.
//! - A file that shrinks while it is sent ends with CANCEL. It is never padded.
//! - A file of unknown length ends with END. A file is never longer than its announced length.
//! - The server closes after the client has closed and every request is answered. A client that closes in the midst of
//!   content has lost it, as if the connection had broken.
//!
//! # The machines
//!
//! [`Client`] and [`Server`] share the methods of [`Session`]. They use no datagrams, sockets, disks or clocks, allocate
//! nothing, and copy no content. They compare digests and never compute one: storage does, while the content passes.
//!
//! | session | [`Connection`](crate::connection::Connection) |
//! |---|---|
//! | [`handle_input(unread)`](Session::handle_input) returns a count | `unread` is `recv_chunk()`; `consume` the count |
//! | [`Request::Write`] of `len` bytes | write the first `len` bytes of `recv_chunk()`; do not consume them |
//! | [`poll_request(room)`](Session::poll_request) | `room` is the length of `send_slot()`, or 0 if that fails |
//! | [`Request::Read`], answered by [`Answer::Read`] | read into `send_slot()` behind [`data_header`], then `commit` both |
//! | [`Output::Message`], then [`output_sent`](Session::output_sent) | `send`, which may take a part |
//! | [`Output::Close`] | `close()` |
//! | [`Output::Abort`] | `abort(code.value())` |
//! | [`handle_peer_closed`](Session::handle_peer_closed) | `is_finished_reading()`, and `ended()` is `None` or `Finished` |
//! | [`handle_lost`](Session::handle_lost) | `is_finished_reading()`, and `ended()` is anything else |
//!
//! Repeat these steps after each datagram, timeout and answer of storage, until none of them makes progress.
//!
//! A server that receives one file:
//!
//! ```
//! use rdt_proto::files::{
//!     Answer, Digest, Encoded, FilePath, Message, Metadata, Output, Prefix, Request, Server, ServerConfig, Session, Wish,
//! };
//!
//! let digest = Digest([7; 32]); // storage computes it
//! let path = FilePath::new("notes/a.txt")?;
//! let put = Message::Put { wish: Wish::REPLACE, metadata: Metadata::default(), length: Some(5), path };
//! let mut unread = Vec::new();
//! for message in [put, Message::Data { len: 5 }] {
//!     unread.extend_from_slice(Encoded::encode(&message).as_bytes());
//! }
//! unread.extend_from_slice(b"hello");
//! unread.extend_from_slice(Encoded::encode(&Message::End { digest }).as_bytes());
//!
//! let mut server = Server::new(ServerConfig::default());
//! let (mut stored, mut sent) = (Vec::new(), Vec::new());
//! while sent.is_empty() {
//!     let taken = server.handle_input(&unread);
//!     unread.drain(..taken);
//!     let answer = match server.poll_request(0) {
//!         None => None,
//!         Some(Request::Create { .. }) => Some(Answer::Created(Prefix::default())),
//!         Some(Request::Write { len, .. }) => {
//!             stored.extend_from_slice(&unread[..len]);
//!             Some(Answer::Written(len))
//!         }
//!         Some(Request::Commit { .. }) => Some(Answer::Queued),
//!         Some(other) => unreachable!("{other:?}"),
//!     };
//!     if let Some(answer) = answer {
//!         server.handle_answer(answer)?;
//!         if answer == Answer::Queued {
//!             server.handle_committed(Ok(()))?; // after a flush
//!         }
//!     }
//!     if let Some(Output::Message(bytes)) = server.poll_output() {
//!         sent.extend_from_slice(bytes);
//!     }
//! }
//! assert_eq!((&stored[..], &sent[..]), (&b"hello"[..], Encoded::encode(&Message::Confirm).as_bytes()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod config;
mod encoded;
mod event;
mod incoming;
mod message;
mod outgoing;
mod path;
mod request;
mod server;
mod stream;

pub use client::{Client, MAX_OPEN_REQUESTS, PutRequest};
pub use config::{Access, ServerConfig};
pub use encoded::{Encoded, HEADER, MAX_MESSAGE, MessageError, data_header};
pub use event::{Ended, Event, Failure};
pub use message::{BLOCK, Digest, Entry, Flags, Kind, MAX_PEAKS, Message, Metadata, Peaks, Status, VERSION};
pub use path::{FilePath, FilePathBuf, MAX_COMPONENT, MAX_PATH, PathError, RawPath};
pub use request::{Cause, Committed, Output, Receive, Received, Send, Sent, Session, Target};
pub use server::{MAX_OPEN_PUTS, Server};

mod sealed {
    /// A session of this module.
    pub trait Sealed {}
}
