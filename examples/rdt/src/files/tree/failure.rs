//! Why a file of a tree is not stored or sent, and what its peer learns of that.

use super::super::folder::{Kept, Unusable};
use crate::access::Barred;
use crate::messages::error_text;
use rdt_proto::ftp::StorageError;
use std::fmt;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was there of the file is gone")
    }
}

impl std::error::Error for Gone {}

impl From<Gone> for io::Error {
    fn from(gone: Gone) -> Self {
        Self::new(ErrorKind::InvalidData, gone)
    }
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
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Barred::Uploads) => return StorageError::NoUploads,
        Some(Barred::Downloads) => return StorageError::NoDownloads,
        Some(Barred::Folders) => return StorageError::NoFolders,
        None => {}
    }
    if let Some(Kept) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return StorageError::NoReplace;
    }
    let unusable: Option<&Unusable> = error.get_ref().and_then(|inner| inner.downcast_ref());
    if unusable.is_some() {
        return StorageError::Unavailable;
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Gone) => StorageError::PrefixGone,
        // A newer request for the same path goes on with the part.
        None if error.kind() == ErrorKind::ResourceBusy => StorageError::Busy,
        None if error.kind() == ErrorKind::IsADirectory => StorageError::NoSuchFile,
        None => error.kind().into(),
    }
}
