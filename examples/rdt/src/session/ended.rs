//! What has become of the content of a request.

use crate::files::Detail;
use rdt_proto::Instant;
use rdt_proto::files::FilePathBox;
use rdt_proto::ftp::StorageError;
use std::ffi::OsString;

/// What has become of the content of a request.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) kind: Kind,
    /// The number of the request, for a file that arrived.
    pub(crate) number: Option<u32>,
    pub(crate) path: Option<FilePathBox>,
    pub(crate) result: Result<Success, Failure>,
    pub(crate) bytes: u64,
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    /// The number of content bytes that had left by then.
    pub(crate) sent: u64,
}

/// The direction of content, as this side sees it, or a request that failed before any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Received,
    Sent,
    LookedUp,
    Listed,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// Content is stored: under this name, if that is not the one in the request.
    Stored(Option<OsString>),
    /// Content has left. More may have been written to the end of its file meanwhile.
    Sent { has_grown: bool },
    /// A list has left. This number of its entries cannot be named or read.
    Listed { unreadable: u64 },
}

/// Why content did not arrive, or was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Storage of this side failed.
    Storage(StorageError, Detail),
    /// The same, and the file is stored, but perhaps not durable.
    Uncertain(StorageError, Detail),
    /// The peer has cancelled it, or has gone.
    Interrupted,
    /// It is shorter or longer than announced.
    Length,
    /// It has another digest.
    DigestMismatch,
}
