//! The vocabulary of both sides: what a session asks, what it is told, how it ends.

use bitflags::bitflags;
use thiserror::Error;

use super::code::{ErrorCode, StorageError};
use super::name::Name;
use crate::time::Instant;

/// What a [`Client`](super::Client) and a [`Server`](super::Server) have in common, so that one driver runs both.
///
/// Any call is legal at any time and in any order. A driver goes round: input, requests, outputs, events, until
/// [`FileEvent::Done`].
pub trait Session {
    /// Looks at the bytes that came from the peer and were not taken yet, and takes some from the front: as many as it
    /// returns. The rest must be shown again, with or without more behind it, in a later call.
    ///
    /// Content is not copied: while a [`Request::Write`] is unanswered its bytes are not taken, and after the answer
    /// the *next* call takes them. So call this in every round, even when nothing has arrived. Once the exchange is
    /// decided it takes and drops what still comes, so that the peer's data never blocks a connection that is closing.
    fn handle_input(&mut self, now: Instant, unread: &[u8]) -> usize;

    /// The peer has closed its direction, and every byte before that was shown to [`handle_input`](Self::handle_input).
    fn handle_peer_closed(&mut self);

    /// The peer has ended the connection at once, with this code. Base mode cannot tell that from a close.
    fn handle_aborted(&mut self, code: ErrorCode);

    /// The connection is gone without a word: timed out, unreachable, replaced.
    fn handle_lost(&mut self);

    /// The time has come that [`poll_timeout`](Self::poll_timeout) told. Earlier or later is harmless.
    fn handle_timeout(&mut self, now: Instant);

    /// The answer to the request that is outstanding.
    ///
    /// # Errors
    /// [`Unasked`] if no request is outstanding, if the answer is of another kind, or if it counts more bytes than were
    /// asked for. Nothing has changed then: the request is still outstanding.
    fn handle_answer(&mut self, now: Instant, answer: Answer) -> Result<(), Unasked>;

    /// What is to be done with the outgoing stream. A [`Header`](Output::Header) stays until
    /// [`header_sent`](Self::header_sent); the others are given once.
    fn poll_output(&mut self) -> Option<Output<'_>>;

    /// `len` more bytes of the header have gone into the stream.
    ///
    /// # Errors
    /// [`Unasked`] if the header has not so many bytes left. Nothing has changed then.
    fn header_sent(&mut self, len: usize) -> Result<(), Unasked>;

    /// What storage shall do next: one request at a time, given once, then none until it is answered.
    ///
    /// `room` is how many bytes of content the outgoing stream could take now: [`Request::Read`] never asks for more,
    /// and with 0 it does not come.
    fn poll_request(&mut self, room: usize) -> Option<Request<'_>>;

    /// News. All of it is derived from the state: events that nobody polls cost nothing and block nothing.
    fn poll_event(&mut self) -> Option<FileEvent>;

    /// When [`handle_timeout`](Self::handle_timeout) must be called; `None` if nothing will happen by time alone.
    /// Outputs, requests and events come from calls, so drain them after each call; none of them waits for a time.
    fn poll_timeout(&self) -> Option<Instant>;

    /// How many bytes of content have been written to storage, or read from it into the stream.
    fn bytes_done(&self) -> u64;

    /// How many bytes the file has, once that is known.
    fn length(&self) -> Option<u64>;

    /// How it ended, as in [`FileEvent::Done`]: from then on the session asks for nothing and may be dropped. A session
    /// that is dropped earlier asks for no [`Request::Discard`]: throw away what was created, and abort the connection.
    fn outcome(&self) -> Option<Outcome>;
}

/// What storage shall do. Answered by [`Session::handle_answer`], at once or much later.
///
/// A file that was opened for reading needs no request to be closed: release it when the session is done. Offsets are
/// consecutive, from 0 on: what can only append needs no seeking. A request that is not known is answered by
/// [`Answer::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Open the file for reading. → [`Answer::Opened`]
    Open {
        /// The file. Open it beneath the storage folder, without following a link out of it.
        name: Name<'a>,
    },
    /// Prepare to store a file, beside its name: until [`Commit`](Self::Commit) the name shows what it showed before.
    /// → [`Answer::Created`]
    Create {
        /// The name that it will have. Open it beneath the storage folder, without following a link out of it.
        name: Name<'a>,
        /// How many bytes will come. The peer says so: reserve space on the disk with it, never memory.
        length: u64,
        /// Whether a file of this name may be replaced. If not, answer [`StorageError::Exists`].
        replace: bool,
    },
    /// Read up to `len` bytes (at least one) at `offset` and put them into the outgoing stream. The answer says how
    /// many have gone into it; none means that the file ends there. → [`Answer::Read`]
    Read {
        /// Where in the file.
        offset: u64,
        /// At most so many bytes.
        len: usize,
    },
    /// Write the first `len` bytes of the unread input at `offset`. Fewer may be written. → [`Answer::Written`]
    Write {
        /// Where in the file.
        offset: u64,
        /// So many bytes, from the front of what [`Session::handle_input`] has not taken.
        len: usize,
    },
    /// Make the file durable under its name: flush it, rename it, flush the folder. → [`Answer::Committed`]
    Commit,
    /// Throw away what was created. It comes exactly once after [`Create`](Self::Create) succeeded, unless
    /// [`Commit`](Self::Commit) did. → [`Answer::Discarded`]
    Discard,
}

/// What storage did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Answer {
    /// The file is open for reading.
    Opened {
        /// How many bytes it has.
        length: u64,
    },
    /// The file can be written.
    Created,
    /// So many bytes were read and have gone into the outgoing stream. 0: the file has no more.
    Read(usize),
    /// So many bytes were written. 0: none yet, they will be asked for again.
    Written(usize),
    /// The file is stored durably under its name.
    Committed,
    /// What was created is gone.
    Discarded,
    /// It failed. After a failed [`Request::Create`] nothing is there; after a failed [`Request::Write`] or
    /// [`Request::Commit`] comes [`Request::Discard`], whose own failure changes nothing.
    Failed(StorageError),
}

/// What is to be done with the outgoing stream, in the order in which it is given, content included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<'a> {
    /// Send these bytes as one piece of their own, so that they start a packet and end it. A stream that takes a part
    /// of them is fine as well: tell [`Session::header_sent`] how much, and the rest is given again.
    Header(&'a [u8]),
    /// Close the outgoing direction once everything before has been sent.
    Close,
    /// End the connection at once, with this code if it can carry one. Nothing but storage matters from now on.
    Abort(ErrorCode),
}

/// News from a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileEvent {
    /// Server: a whole request is here, its name is allowed, storage was not touched yet. The moment to
    /// [`refuse`](super::Server::refuse) it for a reason of one's own.
    Requested(Transfer),
    /// The length of the file is known.
    Started {
        /// How many bytes of content there are.
        length: u64,
    },
    /// It is over: storage has answered, the outputs were given. The last event, and it comes once.
    Done(Outcome),
}

/// Which way the content goes, as the client sees it.
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
    /// Upload: the file is stored durably under its name. The client was told so by CONFIRM. The server stored it; if
    /// the connection broke at that moment the client may not know.
    Stored,
    /// Upload, client: the peer closed without an answer. The file may be stored or not; nobody has promised it.
    Unconfirmed,
    /// Download, server: the whole file has gone into the stream. Whether it arrived only the client knows.
    Sent,
    /// Download, client: the whole file came and storage has committed it.
    Received,
    /// The server said no: with an ERROR, or, once the content of a download had begun, by ending the connection.
    Refused(ErrorCode),
    /// The client stopped it before the end. An upload is not stored, unless the client had already sent all of it.
    Cancelled,
    /// Download, client: the peer closed before the end of the file.
    CutShort,
    /// The peer ended the connection at once. A download was cut short; of an upload the client cannot know.
    Aborted(ErrorCode),
    /// The connection broke. A download was cut short; of an upload the client cannot know.
    Lost,
    /// The storage of this side failed (the peer's says so in [`Refused`](Self::Refused)): on a client, or on a server
    /// in the middle of a download (otherwise a server answers ERROR and ends as [`Refused`](Self::Refused)).
    StorageFailed(StorageError),
    /// The file became shorter while it was sent. It is never padded.
    Shrunk,
    /// Client: what came is no answer to the request.
    Violation,
    /// Server: the peer closed before its request was whole.
    NoRequest,
}

/// The session did not ask for this. The call had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the session did not ask for this")]
pub struct Unasked;

/// It is decided already: the file is being made durable, or the session has ended. The call had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the exchange is decided already")]
pub struct TooLate;

bitflags! {
    /// Which events were given.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(super) struct Told: u8 {
        const REQUESTED = 1;
        const STARTED = 2;
        const DONE = 4;
    }
}

impl Told {
    /// Whether `event` is news; it is none afterwards.
    pub(super) fn first(&mut self, event: Self) -> bool {
        let news = !self.contains(event);
        self.insert(event);
        news
    }
}

/// The outgoing stream's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// More may follow.
    Open,
    /// To be closed, after the header and the content that storage still owes.
    Closing,
    /// Closed.
    Closed,
    /// To be aborted.
    Aborting(ErrorCode),
    /// There is no stream any more.
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

    /// The output that is due, once the header is out. `busy`: content is still on its way into the stream.
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
