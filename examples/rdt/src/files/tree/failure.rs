//! Why a file of a tree is not stored or sent, and what its peer learns of that.

use super::super::folder::Unusable;
use crate::access::Barred;
use crate::messages::error_text;
use rdt_proto::ftp::StorageError;
use std::io::{self, ErrorKind};

/// Why a file cannot be sealed.
#[derive(Debug)]
pub(crate) enum SealError {
    /// The content is not what was sent. It is removed.
    DigestMismatch,
    Io(io::Error),
}

impl From<io::Error> for SealError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The bytes before the offset of a transfer are not there any more.
pub(super) fn prefix_gone() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, StorageError::PrefixGone)
}

/// A newer request for the same path goes on with the part.
pub(super) fn taken_over() -> io::Error {
    io::Error::new(ErrorKind::ResourceBusy, StorageError::TakenOver)
}

/// What the user of this machine learns of an error, and the peer does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) text: String,
}

impl Detail {
    pub(crate) fn of(error: &io::Error) -> Self {
        Self { text: error_text(error) }
    }
}

/// Reduces an error of a tree, or of a server that offers it, to the reason that the peer may learn.
pub(crate) fn storage_error(error: &io::Error) -> StorageError {
    let inner = error.get_ref();
    if let Some(reason) = inner.and_then(|inner| inner.downcast_ref()) {
        return *reason;
    }
    match inner.and_then(|inner| inner.downcast_ref()) {
        Some(Barred::Uploads) => return StorageError::NoUploads,
        Some(Barred::Downloads) => return StorageError::NoDownloads,
        Some(Barred::Folders) => return StorageError::NoFolders,
        None => {}
    }
    if let Some(Unusable::Removed | Unusable::Barred | Unusable::Failed) = inner.and_then(|inner| inner.downcast_ref())
    {
        return StorageError::Unavailable;
    }
    match error.kind() {
        // Other programs change the folder all the time.
        ErrorKind::ResourceBusy => StorageError::Busy,
        ErrorKind::IsADirectory => StorageError::NoSuchFile,
        kind => kind.into(),
    }
}
