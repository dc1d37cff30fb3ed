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
    pub(crate) result: Result<Option<OsString>, Failure>,
    pub(crate) bytes: u64,
    /// Whether more was written to the end of a file that has left.
    pub(crate) has_grown: bool,
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
    /// This number of entries of a list cannot be named or read.
    Unreadable(u64),
}
