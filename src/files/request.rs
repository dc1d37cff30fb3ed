//! The interface of client and server: requests to storage, outputs and events.

use super::message::{Digest, Entry, Metadata, Prefix, Wish};
use super::path::FilePath;
use crate::ftp::{ErrorCode, StorageError, Unasked};

/// The common interface of [`Client`](super::Client) and [`Server`](super::Server). It is sealed, so that it can grow.
///
/// Any call is legal at any time and in any order. A driver repeats input, requests, outputs and events until none of
/// them makes progress, and that after each change of the connection or of storage.
pub trait Session: super::sealed::Sealed {
    /// Processes the unconsumed bytes from the peer; returns how many to consume.
    ///
    /// Content is not copied. The bytes of a [`Request::Write`] stay unconsumed until the first call after its answer.
    /// Call this method in every round, even without new data.
    fn handle_input(&mut self, unread: &[u8]) -> usize;

    /// Reports that the peer closed its direction, after [`handle_input`](Self::handle_input) has received every byte.
    fn handle_peer_closed(&mut self);

    /// Reports that the connection ended in another way: it was reset, or lost.
    fn handle_lost(&mut self);

    /// Processes the answer to the outstanding request.
    ///
    /// # Errors
    /// [`Unasked`] if no request is outstanding, if the answer is of another kind, or if it counts more bytes than were
    /// requested. The request then remains outstanding.
    fn handle_answer(&mut self, answer: Answer<'_>) -> Result<(), Unasked>;

    /// Reports that the oldest [queued](Answer::Queued) file is durable under its path, or why it is not.
    ///
    /// # Errors
    /// [`Unasked`] if no file is queued.
    fn handle_committed(&mut self, result: Result<(), StorageError>) -> Result<(), Unasked>;

    /// Returns the next action on the outgoing stream.
    ///
    /// A [`Message`](Output::Message) is returned until [`output_sent`](Self::output_sent) covers it. Other outputs are
    /// returned once.
    fn poll_output(&mut self) -> Option<Output<'_>>;

    /// Reports that the stream accepted `len` more bytes of the message.
    ///
    /// # Errors
    /// [`Unasked`] if `len` exceeds the rest of the message. Nothing changes then.
    fn output_sent(&mut self, len: usize) -> Result<(), Unasked>;

    /// Returns the next storage request. Each is returned once, and the next one follows only after the answer.
    ///
    /// `room` is the number of bytes that the outgoing stream can accept now.
    fn poll_request(&mut self, room: usize) -> Option<Request<'_>>;

    /// Whether the session has ended: no output, request or event follows, and all files are committed.
    fn is_done(&self) -> bool;
}

/// A request to storage, answered by [`Session::handle_answer`] at once or much later.
///
/// Storage has one file open in each direction, and queued files. Answer a request of an unknown kind with
/// [`Answer::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Server: opens a file for reading. → [`Answer::Opened`]
    Open {
        /// The path. Open it beneath the storage folder, and follow no link out of that folder.
        path: FilePath<'a>,
        /// What the client has.
        have: Prefix,
    },
    /// Server: prepares to store a file. → [`Answer::Created`]
    ///
    /// The path must keep its previous content until the file is committed.
    Create {
        /// The path. Create the file beneath the storage folder, and follow no link out of that folder.
        path: FilePath<'a>,
        /// The metadata to store with the file.
        metadata: Metadata,
        /// The announced length in bytes. Storage may reserve disk space for it, but never memory.
        length: Option<u64>,
        /// [`Wish::REPLACE`]; and [`Wish::RESUME`]: go on with what an interrupted transfer has left.
        wish: Wish,
    },
    /// Client: prepares to store the file of the oldest GET. → [`Answer::Created`], whose prefix has no effect
    Receive {
        /// The metadata to store with the file.
        metadata: Metadata,
        /// The length of the whole file in bytes.
        length: u64,
        /// The position at which the content begins. 0 if what storage has is no prefix of the file.
        offset: u64,
    },
    /// Client: says whether the file to send begins with this prefix. → [`Answer::Compared`]
    Compare {
        /// What the server has.
        prefix: Prefix,
    },
    /// Server: drops what was kept of an earlier transfer: the file begins otherwise. → [`Answer::Rewound`]
    Rewind,
    /// Reads up to `len` bytes (at least one) at `offset`. → [`Answer::Read`]
    ///
    /// Read them into the outgoing stream behind [`data_header`](super::data_header) of the count, which is part of the
    /// room of [`Session::poll_request`].
    Read {
        /// The position in the file.
        offset: u64,
        /// The maximum number of bytes.
        len: u16,
    },
    /// Returns the digest of the whole file that was read. → [`Answer::Digest`]
    Digest,
    /// Writes the first `len` bytes of the unconsumed input at `offset`. Storage may write fewer. → [`Answer::Written`]
    Write {
        /// The position in the file.
        offset: u64,
        /// The number of bytes, from the front of the input that [`Session::handle_input`] left unconsumed.
        len: usize,
    },
    /// Queues the file: it is complete. → [`Answer::Queued`], and [`Session::handle_committed`] once it is durable
    ///
    /// If the content does not have this digest, answer with [`StorageError::DigestMismatch`].
    Commit {
        /// The digest of the whole file.
        digest: Digest,
    },
    /// Ends an unfinished file. → [`Answer::Discarded`]
    ///
    /// This request follows each successful [`Create`](Self::Create) and [`Receive`](Self::Receive) exactly once,
    /// unless [`Commit`](Self::Commit) succeeds.
    Discard {
        /// Whether the connection was lost, so that a file that may be [resumed](Wish::RESUME) is kept.
        may_resume: bool,
    },
    /// Server: begins to list a folder. → [`Answer::Ready`]
    List {
        /// What the client wants.
        wish: Wish,
        /// The folder; `None` for the outermost one.
        folder: Option<FilePath<'a>>,
    },
    /// Server: returns the next entry of the list. → [`Answer::Entry`], [`Answer::NoMore`]
    NextEntry,
    /// Server: describes a file or folder. → [`Answer::Entry`]
    Describe {
        /// What the client wants.
        wish: Wish,
        /// The path.
        path: FilePath<'a>,
    },
}

/// The result of a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer<'a> {
    /// The file is open for reading.
    Opened {
        /// Its metadata.
        metadata: Metadata,
        /// Its length in bytes.
        length: u64,
        /// The position at which the content begins: the length of what the client has if the file begins so, or 0.
        offset: u64,
    },
    /// The file is ready to be written, behind this prefix that storage has of it already.
    Created(Prefix),
    /// Whether the file begins with the prefix.
    Compared(bool),
    /// The unfinished file is empty again.
    Rewound,
    /// The number of content bytes added to the outgoing stream. 0 means the end of the file, and adds no header.
    Read(u16),
    /// The digest of the whole file.
    Digest(Digest),
    /// The number of bytes written. After 0 the same bytes are requested again.
    Written(usize),
    /// The file is complete, and is made durable.
    Queued,
    /// The unfinished file is deleted or kept.
    Discarded,
    /// The folder can be listed.
    Ready,
    /// An entry of a folder.
    Entry(Entry<'a>),
    /// The list is complete.
    NoMore,
    /// The request failed. A failed [`Request::Create`] must leave no file behind.
    Failed(StorageError),
}

/// An action on the outgoing stream.
///
/// Apply outputs and content in the order in which the session returns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<'a> {
    /// Append these bytes, or a part of them, and report its length to [`Session::output_sent`].
    Message(&'a [u8]),
    /// Close the outgoing direction after everything before it is sent.
    Close,
    /// End the connection at once. The peer receives this code.
    Abort(ErrorCode),
}
