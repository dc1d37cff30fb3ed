//! The interface of client and server: requests to storage, outputs.

use super::message::{Digest, Entry, FileKind, Flags, Metadata, Peaks, Status};
use super::path::FilePath;
use crate::ftp::{ErrorCode, StorageError, Unasked};

/// The common interface of [`FileClient`](super::FileClient) and [`FileServer`](super::FileServer). It is sealed, so
/// that it can grow.
///
/// A session has two halves, each with at most one outstanding request to storage: one receives content, and the other
/// sends it. Any call is legal at any time and in any order. A driver repeats
/// rounds of input, requests, outputs and events, in this order, until one makes no progress, and that after each change
/// of the connection or of storage: the input may hold back a message that waits for the answer to a request.
pub trait FileSession: super::sealed::Sealed {
    /// Processes the unconsumed bytes from the peer; returns how many to consume.
    ///
    /// Content is not copied. The bytes of a [`ReceiveRequest::Write`] stay unconsumed until the first call after its
    /// answer. Call this method in every round, even without new data.
    fn handle_input(&mut self, unread: &[u8]) -> usize;

    /// Reports that the peer closed its direction, after [`handle_input`](Self::handle_input) has received every byte.
    fn handle_peer_closed(&mut self);

    /// Reports that the connection ended in another way: it was lost, or the peer aborted it with `code`.
    ///
    /// A client first processes what has arrived, which may be answers. A server hears of it at once: its input may wait
    /// for room in a stream that takes nothing any more. It drops the rest.
    fn handle_lost(&mut self, code: Option<ErrorCode>);

    /// Returns the next request of the half that receives content. Each is returned once, and the next one follows only
    /// after the answer.
    fn poll_receive(&mut self) -> Option<ReceiveRequest<'_>>;

    /// Processes the answer to the outstanding [`ReceiveRequest`].
    ///
    /// # Errors
    /// [`Unasked`] if no request is outstanding, if the answer is of another kind, or if it counts more bytes than were
    /// requested. The request then remains outstanding.
    fn answer_receive(&mut self, answer: ReceiveAnswer) -> Result<(), Unasked>;

    /// Returns the next request of the half that sends content. Each is returned once, and the next one follows only
    /// after the answer.
    ///
    /// `room` is the number of bytes that the outgoing stream can accept now.
    fn poll_send(&mut self, room: usize) -> Option<SendRequest<'_>>;

    /// Processes the answer to the outstanding [`SendRequest`].
    ///
    /// # Errors
    /// As for [`answer_receive`](Self::answer_receive).
    fn answer_send(&mut self, answer: SendAnswer<'_>) -> Result<(), Unasked>;

    /// Reports what has become of the oldest [queued](ReceiveAnswer::Queued) file.
    ///
    /// # Errors
    /// [`Unasked`] if no file is queued.
    fn handle_committed(&mut self, result: Committed) -> Result<(), Unasked>;

    /// Returns the next action on the outgoing stream.
    ///
    /// A [`Message`](FileOutput::Message) is returned until [`output_sent`](Self::output_sent) covers it. Other
    /// outputs are returned once.
    fn poll_output(&mut self) -> Option<FileOutput<'_>>;

    /// Reports that the stream accepted `len` more bytes of the message.
    ///
    /// # Errors
    /// [`Unasked`] if `len` exceeds the rest of the message. Nothing changes then.
    fn output_sent(&mut self, len: usize) -> Result<(), Unasked>;

    /// Whether the session has ended: no output, request or event follows, and no file is queued.
    fn is_done(&self) -> bool;
}

/// A file to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target<'a> {
    /// The number of the request.
    pub number: u32,
    /// The path, at a server. A client knows it by the number of its GET.
    pub path: Option<FilePath<'a>>,
    /// The kind.
    pub kind: FileKind,
    /// The metadata to store with it.
    pub metadata: Metadata,
    /// The length of the whole file in bytes, if it is known. Storage may reserve disk space for it, but never memory.
    pub length: Option<u64>,
    /// The position at which the content begins, behind what storage has of the file. 0 if it has nothing of use.
    pub offset: u64,
    /// At a server: [`Flags::REPLACE`] and [`Flags::KEEP`].
    pub flags: Flags,
}

/// A request of the half that receives content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiveRequest<'a> {
    /// Prepares to store a file. → [`ReceiveAnswer::Created`]
    ///
    /// The path must keep its previous content until the file is committed. Create the file beneath the storage folder,
    /// and follow no link out of that folder. If storage no longer has the bytes before the offset, it fails with
    /// [`StorageError::PrefixGone`]. A part belongs to the newest request that asked for
    /// it. The older one fails with [`StorageError::TakenOver`].
    Create(Target<'a>),
    /// Writes the first `len` bytes of the unconsumed input at `offset`. Storage may write fewer. →
    /// [`ReceiveAnswer::Written`]
    Write {
        /// The position in the file.
        offset: u64,
        /// The number of bytes, from the front of the input that [`FileSession::handle_input`] left unconsumed.
        len: usize,
    },
    /// Queues the file: it is complete. → [`ReceiveAnswer::Queued`], and [`FileSession::handle_committed`] once it is
    /// durable
    ///
    /// If the content does not have this digest, fail with [`StorageError::DigestMismatch`].
    Commit {
        /// The digest of the whole file; `None` for a folder.
        digest: Option<Digest>,
    },
    /// Ends an unfinished file. → [`ReceiveAnswer::Discarded`]
    ///
    /// This request follows each successful [`Create`](Self::Create) exactly once, unless [`Commit`](Self::Commit)
    /// succeeds.
    Discard(Cause),
}

/// Why a file stays unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The connection was lost or closed, or the sender has cancelled. What has arrived is of use if the file may be
    /// [kept](Flags::KEEP).
    Interrupted,
    /// Storage failed. What was stored before is of use as well.
    Storage,
    /// The content is not what was announced: its length or its digest. It is of no use.
    Invalid,
}

/// The answer to a [`ReceiveRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum ReceiveAnswer {
    /// The file is ready to be written.
    Created,
    /// The number of bytes written. After 0 the same bytes are requested again.
    ///
    /// The next [`FileSession::handle_input`] consumes them, wherever they lie by then: in the slot of
    /// [`recv_swap`](crate::connection::Connection::recv_swap), for example.
    Written(usize),
    /// The file is complete, and is made durable.
    Queued,
    /// The unfinished file is deleted or kept.
    Discarded,
    /// The request failed. A failed [`ReceiveRequest::Create`] must leave no file behind.
    Failed(StorageError),
}

/// What has become of a queued file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Committed {
    /// It is durable under its path.
    Durable,
    /// It is not stored. The path has its previous content.
    Failed(StorageError),
    /// It is stored, but a power failure may bring the previous content back. A server aborts the session, so that its
    /// client assumes neither.
    Uncertain(StorageError),
}

/// A request of the half that sends content.
///
/// At a server, a file is open from [`SendAnswer::Opened`] until its [`Digest`](Self::Digest) is answered, a request
/// fails, another file is opened, or the session ends. A client opens the file of a PUT itself, and closes it once the
/// PUT is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendRequest<'a> {
    /// Server: opens a file for reading. → [`SendAnswer::Opened`]
    Open {
        /// The path. Open it beneath the storage folder, and follow no link out of that folder. A file that is queued
        /// under it counts. A folder cannot be opened.
        path: FilePath<'a>,
        /// What the client has.
        have: Peaks<'a>,
    },
    /// Reads up to `len` bytes (at least one) at `offset`. → [`SendAnswer::Read`]
    ///
    /// Read them into the outgoing stream behind [`data_header`](super::data_header) of the count, which is part of the
    /// room of [`FileSession::poll_send`].
    Read {
        /// The position in the file.
        offset: u64,
        /// The maximum number of bytes.
        len: u32,
    },
    /// Returns the digest of the whole file that was read. → [`SendAnswer::Digest`]
    ///
    /// Fail if the file has changed since it was opened: the content is then a mixture.
    Digest,
    /// Server: describes what is under a path. → [`SendAnswer::Status`]
    Stat {
        /// What the client asks for.
        flags: Flags,
        /// The path.
        path: FilePath<'a>,
    },
    /// Server: begins to list a folder. → [`SendAnswer::Listing`]
    List {
        /// What the client asks for.
        flags: Flags,
        /// The folder; `None` for the outermost one.
        folder: Option<FilePath<'a>>,
        /// The entry behind which the list begins.
        after: Option<FilePath<'a>>,
    },
    /// Server: returns the next entry of the list. → [`SendAnswer::Entry`], [`SendAnswer::NoEntry`]
    NextEntry,
}

/// The answer to a [`SendRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendAnswer<'a> {
    /// The file is open for reading.
    Opened {
        /// Its kind.
        kind: FileKind,
        /// Its metadata.
        metadata: Metadata,
        /// Its length in bytes, if it is known.
        length: Option<u64>,
        /// The position at which the content begins: a border of what the client has if the file begins so, or 0.
        offset: u64,
    },
    /// The number of content bytes added to the outgoing stream. 0 means the end of the file, and adds no header.
    Read(u32),
    /// The digest of the whole file.
    Digest(Digest),
    /// What is under the path.
    Status(Status<'a>),
    /// The folder can be listed.
    Listing,
    /// An entry of the folder.
    Entry(Entry<'a>),
    /// No entry follows.
    NoEntry {
        /// Whether there are more, for another list.
        has_more: bool,
    },
    /// The request failed.
    Failed(StorageError),
}

/// An action on the outgoing stream.
///
/// Apply outputs and content in the order in which the session returns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileOutput<'a> {
    /// Append these bytes, or a part of them, and report its length to [`FileSession::output_sent`].
    Message(&'a [u8]),
    /// Close the outgoing direction after everything before it is sent.
    Close,
    /// End the connection at once. The peer receives this code.
    Abort(ErrorCode),
}
