//! What a client reports.

use super::message::{Entry, Status};
use crate::ftp::{ErrorCode, StorageError};

/// An event of a client. `number` is that of the request, as its call returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent<'a> {
    /// PUT: it is durable under its path.
    Confirmed {
        /// The request.
        number: u32,
    },
    /// The server refuses the request, or has failed.
    Refused {
        /// The request.
        number: u32,
        /// The reason.
        code: ErrorCode,
    },
    /// PUT: storage of this side has failed. The server keeps nothing, or what may be [kept](super::Flags::KEEP).
    NotSent {
        /// The request.
        number: u32,
        /// The failure of storage.
        error: StorageError,
    },
    /// GET: the file is durable.
    Received {
        /// The request.
        number: u32,
    },
    /// GET: the file did not arrive whole, or is not stored.
    NotReceived {
        /// The request.
        number: u32,
        /// The reason.
        failure: Failure,
    },
    /// STAT: the answer.
    Status {
        /// The request.
        number: u32,
        /// The answer.
        status: Status<'a>,
    },
    /// LIST: an entry.
    Entry {
        /// The request.
        number: u32,
        /// The entry.
        entry: Entry<'a>,
    },
    /// LIST: the list is complete.
    Listed {
        /// The request.
        number: u32,
        /// Whether there are more entries, for another LIST behind the last one.
        has_more: bool,
    },
    /// The server refuses further requests.
    Leaving {
        /// The reason.
        code: ErrorCode,
    },
    /// The session has ended. This is the last event.
    Ended {
        /// The number of requests without an answer.
        unanswered: usize,
        /// The reason.
        end: SessionEnd,
    },
}

/// Why a file did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Storage of this side failed, or the content does not have its digest.
    Storage(StorageError),
    /// The file is stored, but a power failure may bring the previous content back.
    Uncertain(StorageError),
    /// The server has ended the content.
    Server(ErrorCode),
    /// The content is shorter or longer than announced.
    Length,
    /// The session has ended.
    Ended,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The server has closed: after this side did, or because it gave up.
    Closed,
    /// The connection was lost, or the peer aborted it with this code.
    Lost(Option<ErrorCode>),
    /// The peer broke the protocol.
    Violation,
}
