//! File sessions with many requests: folders, interrupted transfers that go on, digests from end to end.
//!
//! A session of this module speaks over a connection in extended mode, or over any other reliable byte stream.
//! Connections in base mode carry the sessions of [`ftp`](crate::ftp), as foreign implementations do. In extended mode
//! a server may offer both: the first byte of a client is 16 (VERSION) here, and 0 or 1 there.
//!
//! # Messages
//!
//! A message is its type (u8), the length of its fields (u32), and its fields. Integers are little-endian. Later
//! versions may append fields, which are ignored. Unknown types from 128 on are skipped; all others end the connection,
//! as do messages out of place. Each side begins with VERSION, and waits for none.
//!
//! *Metadata* is the time of the last modification (i64, nanoseconds since 1970, or −2^63 as "unknown") and the
//! permission bits (u16, or `ffff`). A *digest* is a byte that says whether it is known, and 32 bytes of BLAKE3. A
//! *path* is its length (u16) and its UTF-8 ([`PathError`] has the rules). A length of 2^64 − 1 is unknown. *Peaks* are
//! a number of blocks of 1 MiB (u64), and the BLAKE3 chaining values of the subtrees that cover them ([`Peaks`]).
//!
//! | type | message | fields | sender |
//! |---|---|---|---|
//! | 16 | VERSION | version u16 | both |
//! | 17 | PUT | [flags](Flags) u8, [kind](FileKind) u8, metadata, `length` u64, `offset` u64, path | client |
//! | 18 | GET | flags u8, path, peaks of what the client has | client |
//! | 19 | STAT | flags u8, path | client |
//! | 20 | LIST | flags u8, path of a folder or empty, path of the entry before the first one or empty | client |
//! | 24 | DATA | content: the length is that of the content | both |
//! | 25 | END | 32 bytes: the BLAKE3 of the whole file | both |
//! | 26 | CANCEL | `code` u8 ([`ErrorCode`](crate::ftp::ErrorCode)) | both |
//! | 32 | CONFIRM | `number` u32 | server |
//! | 33 | ERROR | `number` u32, `code` u8 | server |
//! | 34 | FILE | `number` u32, kind u8, metadata, `length` u64, `offset` u64 | server |
//! | 35 | STATUS | `number` u32, kind u8, metadata, `length` u64, digest, peaks of what is there | server |
//! | 36 | ENTRY | `number` u32, kind u8, metadata, `length` u64, digest, path | server |
//! | 37 | LISTED | `number` u32, `has more` u8 | server |
//! | 40 | LEAVE | `code` u8 | server |
//! | 128 | WORKING | 1,024 bytes of padding | client |
//!
//! PUT, GET, STAT and LIST are requests. They are numbered from 0 on, and leave without waiting for answers. Those to
//! GET, STAT and LIST come in the order of the requests, those to PUT at any time.
//!
//! ```text
//! client                               server        client                               server
//!   | --- PUT a, DATA…, END ----------> |              | --- GET x ----------------------> |
//!   | --- PUT b, DATA…, END ----------> |              | --- GET y ----------------------> |
//!   | <-- ERROR 1 --------------------- | no space     | <-- FILE 0, DATA…, END ---------- |
//!   | <-- CONFIRM 0 ------------------- | durable      | <-- ERROR 1 --------------------- | there is no y
//!
//!   | --- STAT c ---------------------> |              | --- GET z, peaks of 5 blocks ---> |
//!   | <-- STATUS 0, peaks of 7 blocks - | of a part    | <-- FILE 0 from block 4 on,       |
//!   | --- PUT c from block 7 on,        |              |                      DATA…, END - | z begins so
//!   |            DATA…, END ----------> |              |                                   |
//! ```
//!
//! # Rules
//!
//! - **Confirmed means stored.** CONFIRM leaves once the file is durable under its path, with its digest. If that is
//!   uncertain, the server aborts the connection. Everything else goes on meanwhile, so one flush may serve many files.
//!   At most [`MAX_OPEN_PUTS`] PUTs are open.
//! - **A file is whole.** The receiver compares the digest of END with that of what it has stored, and stores nothing
//!   if they differ. The content of a link is its target. A folder has none, and one with a length is refused.
//! - A PUT that is refused ends only itself. Its content is dropped until END or CANCEL, up to
//!   [`FileServerConfig::drain_limit`]. A client that receives ERROR while content still leaves sends CANCEL.
//! - **Interrupted transfers.** A server keeps what has arrived of a PUT with [`Flags::KEEP`]. STATUS shows it
//!   if STAT has the same flag, or else the blocks of the file itself. The client compares the peaks with those of its
//!   own file, and begins its content at the last border that both share. A GET says what the client has, and the server
//!   compares. So neither side reads what the other one has, if it remembers the chaining values of blocks. A server that
//!   does not may answer without peaks, and begin at 0.
//! - **What was there may be gone.** Between STATUS and PUT a part may expire, or another client may replace the file. A
//!   server without the bytes before the offset refuses the PUT with code 14. One that has others there refuses the
//!   content at its end, with code 8. The client then sends the file again, and at last from its start: a PUT at offset
//!   0 has neither fate. A GET whose `offset` lies behind what its client still has is repeated without peaks.
//! - A file that shrinks or changes while it is sent ends with CANCEL. It is never padded.
//! - A request with a path that breaks a rule, or with a critical flag that the server does not know, is refused, and
//!   a GET of a folder. A message that is longer than [`MAX_SESSION_MESSAGE`] ends the connection.
//! - The server closes after the client has closed and every request is answered. A client that closes in the midst of
//!   content has stopped, as if the connection had broken. A GET is stopped only so.
//! - A server that takes no uploads refuses each PUT with code 11, one that shows no files refuses each GET, STAT and
//!   LIST with code 12, and one that takes no folders refuses them and what is in them with code 13. A client need not
//!   ask again. Code 9 is about one path.
//! - After LEAVE, and shortly before, every further request is refused.
//! - **A client that works keeps its place.** Places are scarce, so a server may end a connection without
//!   [progress](crate::connection::ProgressLimits): of 1 KiB in a minute, for example. A client may need longer to hash
//!   a large file, or wait for a pipe. It sends WORKING meanwhile, between any two messages. Its padding costs the
//!   client what the least progress costs, so it holds a place no cheaper than content that trickles does. Nothing else
//!   follows from it. After [`FileServerConfig::max_working`] of them in a row the server aborts the connection, so
//!   that a client that hangs goes at last. A server needs no such message: while it works, it
//!   [notes progress](crate::connection::Connection::note_progress) itself, and its clients only wait.
//!
//! # The machines
//!
//! [`FileClient`] and [`FileServer`] share the methods of [`FileSession`]. They use no datagrams, sockets, disks or
//! clocks, allocate nothing, and copy no content. They compare no digests and compute none: storage does, while the
//! content passes. Each has two halves, so content may flow in both directions at once.
//!
//! | session | [`Connection`](crate::connection::Connection) |
//! |---|---|
//! | [`handle_input(unread)`](FileSession::handle_input) returns a count | `unread` is `recv_chunk()`; `consume` the count |
//! | [`ReceiveRequest::Write`] of `len` bytes | write the first `len` bytes of `recv_chunk()`; do not consume them |
//! | [`poll_send(room)`](FileSession::poll_send) | `room` is the length of `send_slot()`, or 0 if that fails |
//! | [`SendRequest::Read`], answered by [`SendAnswer::Read`] | read into `send_slot()` behind [`data_header`], then `commit` both |
//! | [`FileOutput::Message`], then [`output_sent`](FileSession::output_sent) | `send`, which may take a part |
//! | [`FileOutput::Close`] | `close()` |
//! | [`FileOutput::Abort`] | `abort(code.value())` |
//! | [`handle_peer_closed`](FileSession::handle_peer_closed) | `is_finished_reading()`, and `ended()` is `None` or `Finished` |
//! | [`handle_lost`](FileSession::handle_lost) | `ended()` is anything else; at a client also `is_finished_reading()` |
//!
//! Repeat these steps after each datagram, timeout and answer of storage, until none of them makes progress.
//!
//! A server that receives one file:
//!
//! ```
//! use rdt_proto::files::{
//!     Digest, Encoded, FileKind, FileOutput, FilePath, FileServer, FileServerConfig, FileSession, Flags, Metadata,
//!     ReceiveAnswer, ReceiveRequest, Committed, SESSION_VERSION, SessionMessage,
//! };
//!
//! let digest = Digest([7; 32]); // storage computes it
//! let put = SessionMessage::Put {
//!     flags: Flags::REPLACE,
//!     kind: FileKind::File,
//!     metadata: Metadata::default(),
//!     length: Some(5),
//!     offset: 0,
//!     path: FilePath::new("notes/a.txt")?.into(),
//! };
//! let mut unread = Vec::new();
//! for message in [SessionMessage::Version { version: SESSION_VERSION }, put, SessionMessage::Data { len: 5 }] {
//!     unread.extend_from_slice(Encoded::encode(&message).as_bytes());
//! }
//! unread.extend_from_slice(b"hello");
//! unread.extend_from_slice(Encoded::encode(&SessionMessage::End { digest }).as_bytes());
//!
//! let mut server = FileServer::new(FileServerConfig::default());
//! let (mut stored, mut sent) = (Vec::new(), Vec::new());
//! for _ in 0..8 {
//!     let taken = server.handle_input(&unread);
//!     unread.drain(..taken);
//!     let answer = match server.poll_receive() {
//!         None => None,
//!         Some(ReceiveRequest::Create(_)) => Some(ReceiveAnswer::Created),
//!         Some(ReceiveRequest::Write { len, .. }) => {
//!             stored.extend_from_slice(&unread[..len]);
//!             Some(ReceiveAnswer::Written(len))
//!         }
//!         Some(ReceiveRequest::Commit { .. }) => Some(ReceiveAnswer::Queued),
//!         Some(other) => unreachable!("{other:?}"),
//!     };
//!     if let Some(answer) = answer {
//!         server.answer_receive(answer)?;
//!         if answer == ReceiveAnswer::Queued {
//!             server.handle_committed(Committed::Durable)?; // after a flush
//!         }
//!     }
//!     if let Some(FileOutput::Message(bytes)) = server.poll_output() {
//!         sent.extend_from_slice(bytes);
//!         let len = bytes.len();
//!         server.output_sent(len)?;
//!     }
//! }
//! assert_eq!(stored, b"hello");
//! assert!(sent.ends_with(Encoded::encode(&SessionMessage::Confirm { number: 0 }).as_bytes()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod config;
mod encoded;
mod event;
mod fields;
mod incoming;
mod message;
mod outgoing;
mod path;
mod request;
mod server;
mod stream;

pub use client::{FileClient, MAX_OPEN_REQUESTS, PutRequest};
pub use config::{Access, FileServerConfig};
pub use encoded::{Encoded, MAX_SESSION_MESSAGE, MESSAGE_HEADER, data_header};
pub use event::{Failure, SessionEnd, SessionEvent};
pub use fields::MessageError;
pub use message::{
    BLOCK_BYTES, Digest, Entry, FileKind, Flags, MAX_PEAKS, Metadata, Peaks, SESSION_VERSION, SessionMessage, Status,
};
#[cfg(feature = "alloc")]
pub use path::FilePathBox;
pub use path::{FilePath, FilePathBuf, MAX_COMPONENT, MAX_PATH, PathError, RawPath};
pub use request::{
    Cause, Committed, FileOutput, FileSession, ReceiveAnswer, ReceiveRequest, SendAnswer, SendRequest, Target,
};
pub use server::{FileServer, MAX_OPEN_PUTS};

mod sealed {
    /// A session of this module.
    pub trait Sealed {}
}
