//! What a client reports.

use super::message::Entry;
use crate::ftp::{ErrorCode, StorageError};

/// An event of a client. Each but [`Resumed`](Self::Resumed) and an entry of a list answers the oldest open request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// PUT: the file is durable under its path.
    Confirmed,
    /// PUT, GET, LIST, CHECK: the server refuses the request, or has failed.
    Refused(ErrorCode),
    /// PUT with [`Wish::RESUME`](super::Wish::RESUME): the content begins at this position. 0 if the server has
    /// nothing, or has something else.
    Resumed {
        /// The position in the file.
        offset: u64,
        /// What the server has.
        had: u64,
    },
    /// GET: storage has the whole file, and makes it durable.
    Received,
    /// GET: the file did not arrive whole.
    NotReceived(Failure),
    /// LIST, CHECK: an entry. It is the whole answer to a CHECK.
    Entry(Entry<'a>),
    /// LIST: the list is complete.
    Listed,
}

/// Why a file did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Storage failed, or the content does not have its digest.
    Storage(StorageError),
    /// The server has ended the content.
    Server(ErrorCode),
    /// The content is shorter or longer than announced.
    Length,
}
