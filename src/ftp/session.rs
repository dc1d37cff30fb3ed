//! The interface of client and server: requests to storage, outputs, events and outcomes.

use bitflags::bitflags;
use thiserror::Error;

use super::code::{ErrorCode, StorageError};
use super::name::Name;
use crate::time::Instant;

/// The common interface of [`Client`](super::Client) and [`Server`](super::Server).
///
/// Any call is legal at any time and in any order. A driver repeats input, requests, outputs and events until it
/// receives [`FileEvent::Done`].
pub trait Session {
    /// Processes the unconsumed bytes from the peer; returns how many to consume.
    ///
    /// The consumed bytes are the first ones of `unread`. Pass the remaining ones again in a later call, with or
    /// without more after them.
    ///
    /// Content is not copied. The bytes of a [`Request::Write`] stay unconsumed until the first call after its answer.
    /// Call this method in every round, even without new data. Once the outcome is decided and no write is outstanding,
    /// all bytes are consumed and dropped, so that they never block a closing connection.
    fn handle_input(&mut self, now: Instant, unread: &[u8]) -> usize;

    /// Reports that the peer closed its direction.
    ///
    /// Call it after [`handle_input`](Self::handle_input) has received every byte that the peer sent.
    fn handle_peer_closed(&mut self);

    /// Reports that the peer aborted the connection with `code`.
    ///
    /// In base mode an abort looks like a close.
    fn handle_aborted(&mut self, code: ErrorCode);

    /// Reports that the connection ended without a close, for example by a timeout.
    fn handle_lost(&mut self);

    /// Processes the time `now`; call it when [`poll_timeout`](Self::poll_timeout) is due.
    ///
    /// Calls before or after that time are harmless.
    fn handle_timeout(&mut self, now: Instant);

    /// Processes the answer to the outstanding request.
    ///
    /// # Errors
    /// [`Unasked`] if no request is outstanding, if the answer is of another kind, or if it counts more bytes than were
    /// requested. The request then remains outstanding.
    fn handle_answer(&mut self, now: Instant, answer: Answer) -> Result<(), Unasked>;

    /// Returns the next action on the outgoing stream.
    ///
    /// A [`Header`](Output::Header) is returned until [`header_sent`](Self::header_sent) covers it. Other outputs are
    /// returned once.
    fn poll_output(&mut self) -> Option<Output<'_>>;

    /// Reports that the stream accepted `len` more bytes of the header.
    ///
    /// # Errors
    /// [`Unasked`] if `len` exceeds the rest of the header. Nothing changes then.
    fn header_sent(&mut self, len: usize) -> Result<(), Unasked>;

    /// Returns the next storage request.
    ///
    /// Each request is returned once. The next one follows only after the answer.
    ///
    /// `room` is the number of content bytes that the outgoing stream can accept now. A [`Request::Read`] asks for at
    /// most `room` bytes, and is not returned while `room` is 0.
    fn poll_request(&mut self, room: usize) -> Option<Request<'_>>;

    /// Returns the next event.
    ///
    /// Events are derived from state: an event that is never polled costs nothing and blocks nothing.
    fn poll_event(&mut self) -> Option<FileEvent>;

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` if no deadline is running.
    ///
    /// The deadline does not cover outputs, requests and events: poll them after each call.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The number of content bytes written to storage, or read from storage into the stream.
    fn bytes_done(&self) -> u64;

    /// The length of the file in bytes, once it is known.
    fn length(&self) -> Option<u64>;

    /// The outcome, as in [`FileEvent::Done`]; `None` until the session has ended.
    ///
    /// A session with an outcome has no more requests, and may be dropped. A program that drops a session earlier must
    /// itself discard the unfinished file and abort the connection.
    fn outcome(&self) -> Option<Outcome>;
}

/// A request to storage, answered by [`Session::handle_answer`].
///
/// The answer may come at once or much later. Answer a request of an unknown kind with [`Answer::Failed`]. Offsets are
/// consecutive and start at 0, so storage never needs to seek. No request closes a file that was opened for reading.
/// Close that file when the session is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Opens a file for reading. → [`Answer::Opened`]
    Open {
        /// The file. Open it beneath the storage folder, and follow no link out of that folder.
        name: Name<'a>,
    },
    /// Prepares to store a file. → [`Answer::Created`]
    ///
    /// The name must keep its previous content until [`Commit`](Self::Commit), so write to a temporary file.
    Create {
        /// The final name. Create the file beneath the storage folder, and follow no link out of that folder.
        name: Name<'a>,
        /// The length in bytes that the peer announced. Storage may reserve disk space for it, but never memory.
        length: u64,
        /// Whether an existing file of this name may be replaced. If not, answer [`StorageError::Exists`].
        replace: bool,
    },
    /// Reads up to `len` bytes (at least one) at `offset` into the outgoing stream. → [`Answer::Read`]
    ///
    /// The answer counts the bytes that the stream accepted. 0 means the end of the file.
    Read {
        /// The position in the file.
        offset: u64,
        /// The maximum number of bytes.
        len: usize,
    },
    /// Writes the first `len` bytes of the unconsumed input at `offset`. Storage may write fewer. → [`Answer::Written`]
    Write {
        /// The position in the file.
        offset: u64,
        /// The number of bytes, from the front of the input that [`Session::handle_input`] left unconsumed.
        len: usize,
    },
    /// Makes the file durable under its name: sync it, rename it, sync the folder. → [`Answer::Committed`]
    Commit,
    /// Deletes the unfinished file. → [`Answer::Discarded`]
    ///
    /// This request follows each successful [`Create`](Self::Create) exactly once, unless [`Commit`](Self::Commit)
    /// succeeds.
    Discard,
}

/// The result of a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Answer {
    /// The file is open for reading.
    Opened {
        /// The length of the file in bytes.
        length: u64,
    },
    /// The file is ready to be written.
    Created,
    /// The number of bytes read into the outgoing stream. 0 means the end of the file.
    Read(usize),
    /// The number of bytes written. After 0 the same bytes are requested again.
    Written(usize),
    /// The file is durable under its name.
    Committed,
    /// The unfinished file is deleted.
    Discarded,
    /// The request failed.
    ///
    /// A failed [`Request::Create`] must leave no file behind. After a failed [`Request::Write`] or [`Request::Commit`]
    /// the session returns [`Request::Discard`]. A failed `Discard` has no further effect.
    Failed(StorageError),
    /// A [`Request::Commit`] gave the file its name, but could not make that durable.
    ///
    /// The old content may come back after a power failure. So the peer learns neither success nor a refusal: a server
    /// aborts the connection with the code of this error, and the outcome is [`Outcome::StorageFailed`].
    NotDurable(StorageError),
}

/// An action on the outgoing stream.
///
/// Apply outputs and content in the order in which the session returns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<'a> {
    /// Send these bytes as one segment, so that they start and end a packet.
    ///
    /// If the stream accepts only a part of them, report the length of that part to [`Session::header_sent`]. The rest
    /// is then returned again.
    Header(&'a [u8]),
    /// Close the outgoing direction after everything before it is sent.
    Close,
    /// End the connection at once. The peer receives this code if the connection can carry one.
    ///
    /// No output follows. Storage requests may still follow.
    Abort(ErrorCode),
}

/// An event of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileEvent {
    /// Server: the request is complete, and its name is allowed.
    ///
    /// The application can now [`refuse`](super::Server::refuse) the request. To refuse before storage is used, call
    /// `poll_event` before `poll_request`.
    Requested(Transfer),
    /// The length of the file is known.
    Started {
        /// The length of the content in bytes.
        length: u64,
    },
    /// The session has ended: storage has answered every request, and every output was returned.
    ///
    /// This is the last event, and it is returned once.
    Done(Outcome),
}

/// The direction of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Transfer {
    /// From the client to the server.
    Upload,
    /// From the server to the client.
    Download,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Upload: the file is durable under its name.
    ///
    /// On a client, CONFIRM has arrived. On a server, CONFIRM may not arrive if the connection breaks.
    Stored,
    /// Upload, client: the peer closed without an answer. The file may or may not be stored.
    Unconfirmed,
    /// Download, server: the stream accepted the whole file. The server cannot tell whether it arrived.
    Sent,
    /// Download, client: the whole file arrived, and storage committed it.
    Received,
    /// The server refused the request with this code.
    ///
    /// The server sent ERROR. If the server instead aborts a download that has begun, only the server ends with this
    /// outcome. The client then ends as [`Aborted`](Self::Aborted), or in base mode as [`CutShort`](Self::CutShort).
    Refused(ErrorCode),
    /// The client cancelled the transfer.
    ///
    /// The server may have stored an upload nevertheless, if the client had already sent all of it.
    Cancelled,
    /// Download, client: the peer closed before the end of the file.
    CutShort,
    /// The peer aborted the connection with this code.
    ///
    /// A download is incomplete. Whether an upload is stored is unknown to the client.
    Aborted(ErrorCode),
    /// The connection was lost.
    ///
    /// A download is incomplete. Whether an upload is stored is unknown to the client.
    Lost,
    /// The storage failed: on a client, or on a server that had already answered a download with FILE.
    ///
    /// A server answers any other failure of its storage with ERROR, and ends as [`Refused`](Self::Refused). After
    /// [`Answer::NotDurable`] the name refers to the new content, on both sides with this outcome.
    StorageFailed(StorageError),
    /// The file shrank while it was sent. It is never padded.
    Shrunk,
    /// Client: the peer sent an invalid answer.
    Violation,
    /// Server: the peer closed before its request was complete.
    NoRequest,
}

/// The error of a call that answers no request, or reports more bytes than requested.
///
/// The call has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the session did not request this")]
pub struct Unasked;

/// The error of a call that can no longer change the outcome.
///
/// Storage was asked to commit the file, or the outcome is decided. The call has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the outcome is already decided")]
pub struct TooLate;

bitflags! {
    /// The events that were returned.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(super) struct Reported: u8 {
        const REQUESTED = 1;
        const STARTED = 2;
        const DONE = 4;
    }
}

impl Reported {
    /// Marks `event`; returns whether it was not marked before.
    pub(super) fn mark(&mut self, event: Self) -> bool {
        let is_new = !self.contains(event);
        self.insert(event);
        is_new
    }
}

/// The state of the outgoing direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// Open: more output may follow.
    Open,
    /// To be closed, after the header and the outstanding read.
    Closing,
    /// Closed.
    Closed,
    /// To be aborted.
    Aborting(ErrorCode),
    /// The stream no longer exists.
    Gone,
}

impl End {
    pub(super) fn close(&mut self) {
        if *self == Self::Open {
            *self = Self::Closing;
        }
    }

    pub(super) fn abort(&mut self, code: ErrorCode) {
        if *self != Self::Gone {
            *self = Self::Aborting(code);
        }
    }

    /// Returns the pending output. The caller sends the rest of a header first, unless the transfer is aborted.
    ///
    /// `busy` says that storage is still adding content to the stream.
    pub(super) fn poll(&mut self, busy: bool) -> Option<Output<'static>> {
        match *self {
            Self::Aborting(code) => {
                *self = Self::Gone;
                Some(Output::Abort(code))
            }
            Self::Closing if !busy => {
                *self = Self::Closed;
                Some(Output::Close)
            }
            Self::Open | Self::Closing | Self::Closed | Self::Gone => None,
        }
    }
}
