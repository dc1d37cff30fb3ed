//! Error codes: the reasons for a refusal, and the failures of storage.

use core::hash::{Hash, Hasher};
use thiserror::Error;

/// The code in an ERROR message.
///
/// Every byte is a legal code; an unassigned one becomes [`Other`](Self::Other). Codes compare by value: `Other(3)`
/// equals [`NameNotAllowed`](Self::NameNotAllowed).
#[derive(Clone, Copy, Debug, Error)]
pub enum ErrorCode {
    /// 0: the request is malformed, or its type is unknown.
    #[error("malformed or unknown request")]
    Malformed,
    /// 1: the file does not exist.
    #[error("no such file")]
    NoSuchFile,
    /// 2: the file is longer than the server accepts.
    #[error("too large")]
    TooLarge,
    /// 3: the server does not accept the name.
    #[error("name not allowed")]
    NameNotAllowed,
    /// 4: the name is taken, and what has it is not replaced. The session of this module has no other code for a server
    /// that replaces no files.
    #[error("already exists")]
    Exists,
    /// 5: storage is full.
    #[error("no space left")]
    NoSpace,
    /// 6: storage failed.
    #[error("storage failed")]
    StorageFailed,
    /// 7: the server is overloaded; a later attempt may succeed.
    #[error("busy, try later")]
    Busy,
    /// 8: the content does not match its digest. Only the sessions of [`files`](crate::files) have digests.
    #[error("content does not match its digest")]
    DigestMismatch,
    /// 9: the client lacks the permission.
    #[error("not permitted")]
    NotPermitted,
    /// 10: the transfer was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// 11: the server takes no uploads. Only the sessions of [`files`](crate::files) have this code and the next ones.
    #[error("uploads not permitted")]
    NoUploads,
    /// 12: the server gives neither files nor lists.
    #[error("downloads not permitted")]
    NoDownloads,
    /// 13: the server takes files, but neither folders nor files in them.
    #[error("folders not permitted")]
    NoFolders,
    /// 14: the server no longer has the bytes before the offset of the content.
    #[error("what was there of the file is gone")]
    PrefixGone,
    /// 15: the file exists, and the server replaces none.
    #[error("already exists, and no file is replaced")]
    NoReplace,
    /// 16: the storage of the server is gone as a whole: its folder was removed, its disk was taken away.
    #[error("storage not available")]
    Unavailable,
    /// 17: a newer request for the same path goes on with the part of this one.
    #[error("a newer request for the same path has taken over")]
    TakenOver,
    /// A code from 18 to 255, which this version does not define.
    #[error("error code {0}")]
    Other(u8),
}

impl ErrorCode {
    /// The value on the wire.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::Malformed => 0,
            Self::NoSuchFile => 1,
            Self::TooLarge => 2,
            Self::NameNotAllowed => 3,
            Self::Exists => 4,
            Self::NoSpace => 5,
            Self::StorageFailed => 6,
            Self::Busy => 7,
            Self::DigestMismatch => 8,
            Self::NotPermitted => 9,
            Self::Cancelled => 10,
            Self::NoUploads => 11,
            Self::NoDownloads => 12,
            Self::NoFolders => 13,
            Self::PrefixGone => 14,
            Self::NoReplace => 15,
            Self::Unavailable => 16,
            Self::TakenOver => 17,
            Self::Other(value) => value,
        }
    }
}

impl PartialEq for ErrorCode {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for ErrorCode {}

impl Hash for ErrorCode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value().hash(state);
    }
}

impl From<u8> for ErrorCode {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::Malformed,
            1 => Self::NoSuchFile,
            2 => Self::TooLarge,
            3 => Self::NameNotAllowed,
            4 => Self::Exists,
            5 => Self::NoSpace,
            6 => Self::StorageFailed,
            7 => Self::Busy,
            8 => Self::DigestMismatch,
            9 => Self::NotPermitted,
            10 => Self::Cancelled,
            11 => Self::NoUploads,
            12 => Self::NoDownloads,
            13 => Self::NoFolders,
            14 => Self::PrefixGone,
            15 => Self::NoReplace,
            16 => Self::Unavailable,
            17 => Self::TakenOver,
            other => Self::Other(other),
        }
    }
}

/// Why a storage request failed.
///
/// A server sends its client the [`ErrorCode`] of the same meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum StorageError {
    /// The file does not exist.
    #[error("no such file")]
    NoSuchFile,
    /// The file is longer than storage accepts.
    #[error("too large")]
    TooLarge,
    /// Storage cannot keep a file of this name.
    #[error("name not allowed")]
    NameNotAllowed,
    /// The name is taken, and what has it must not be replaced.
    #[error("already exists")]
    Exists,
    /// Storage is full.
    #[error("no space left")]
    NoSpace,
    /// Any other failure: a read or write error, a missing disk.
    #[error("storage failed")]
    Failed,
    /// Storage is overloaded; a later attempt may succeed.
    #[error("busy, try later")]
    Busy,
    /// Reading or writing the file is not permitted.
    #[error("not permitted")]
    NotPermitted,
    /// The content does not match its digest.
    #[error("content does not match its digest")]
    DigestMismatch,
    /// Storage takes no files. A server in base mode, which has no code for this and the next two, sends
    /// [`ErrorCode::NotPermitted`].
    #[error("uploads not permitted")]
    NoUploads,
    /// Storage shows no files.
    #[error("downloads not permitted")]
    NoDownloads,
    /// Storage takes neither folders nor files in them.
    #[error("folders not permitted")]
    NoFolders,
    /// Storage no longer has the bytes before the offset of the content. No content in base mode has an offset.
    #[error("what was there of the file is gone")]
    PrefixGone,
    /// The file exists, and storage replaces none. A server in base mode sends [`ErrorCode::Exists`].
    #[error("already exists, and no file is replaced")]
    NoReplace,
    /// Storage is gone as a whole: its folder was removed, its disk was taken away. A server in base mode sends
    /// [`ErrorCode::StorageFailed`].
    #[error("storage not available")]
    Unavailable,
    /// A newer request for the same path goes on with the part of this one. A server in base mode sends
    /// [`ErrorCode::Busy`].
    #[error("a newer request for the same path has taken over")]
    TakenOver,
}

/// Reduces an error of the operating system to the reason that the peer may learn. Details are not sent.
#[cfg(feature = "std")]
impl From<std::io::ErrorKind> for StorageError {
    fn from(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind as Kind;
        match kind {
            Kind::NotFound | Kind::NotADirectory | Kind::IsADirectory => Self::NoSuchFile,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::NotPermitted,
            Kind::AlreadyExists => Self::Exists,
            Kind::StorageFull | Kind::QuotaExceeded => Self::NoSpace,
            Kind::FileTooLarge => Self::TooLarge,
            Kind::InvalidFilename => Self::NameNotAllowed,
            Kind::StaleNetworkFileHandle | Kind::NotConnected => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

impl StorageError {
    /// The code in a session of this module, which foreign clients understand.
    pub(super) fn code_of_this_session(self) -> ErrorCode {
        match self {
            Self::NoUploads | Self::NoDownloads | Self::NoFolders => ErrorCode::NotPermitted,
            Self::PrefixGone | Self::Unavailable => ErrorCode::StorageFailed,
            Self::NoReplace => ErrorCode::Exists,
            Self::TakenOver => ErrorCode::Busy,
            other => other.into(),
        }
    }
}

impl From<StorageError> for ErrorCode {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NoSuchFile => Self::NoSuchFile,
            StorageError::TooLarge => Self::TooLarge,
            StorageError::NameNotAllowed => Self::NameNotAllowed,
            StorageError::Exists => Self::Exists,
            StorageError::NoSpace => Self::NoSpace,
            StorageError::Failed => Self::StorageFailed,
            StorageError::Busy => Self::Busy,
            StorageError::NotPermitted => Self::NotPermitted,
            StorageError::DigestMismatch => Self::DigestMismatch,
            StorageError::NoUploads => Self::NoUploads,
            StorageError::NoDownloads => Self::NoDownloads,
            StorageError::NoFolders => Self::NoFolders,
            StorageError::PrefixGone => Self::PrefixGone,
            StorageError::NoReplace => Self::NoReplace,
            StorageError::Unavailable => Self::Unavailable,
            StorageError::TakenOver => Self::TakenOver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_round_trips_through_a_code() {
        for value in 0..=u8::MAX {
            assert_eq!(ErrorCode::from(value).value(), value);
            assert_eq!(matches!(ErrorCode::from(value), ErrorCode::Other(_)), value > 17);
        }
    }

    /// Foreign clients of base mode know no code above 10.
    #[test]
    fn this_session_has_the_codes_of_base_mode() {
        for (error, code) in [
            (StorageError::NoSuchFile, 1),
            (StorageError::TooLarge, 2),
            (StorageError::NameNotAllowed, 3),
            (StorageError::Exists, 4),
            (StorageError::NoSpace, 5),
            (StorageError::Failed, 6),
            (StorageError::Busy, 7),
            (StorageError::DigestMismatch, 8),
            (StorageError::NotPermitted, 9),
            (StorageError::NoUploads, 9),
            (StorageError::NoDownloads, 9),
            (StorageError::NoFolders, 9),
            (StorageError::PrefixGone, 6),
            (StorageError::NoReplace, 4),
            (StorageError::Unavailable, 6),
        ] {
            assert_eq!(error.code_of_this_session().value(), code, "{error:?}");
        }
    }

    #[test]
    fn codes_compare_by_value() {
        assert_eq!(ErrorCode::Other(3), ErrorCode::NameNotAllowed);
        assert_ne!(ErrorCode::Other(3), ErrorCode::Exists);
    }
}
