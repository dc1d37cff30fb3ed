//! Why a server says no, and what storage can say.

use core::hash::{Hash, Hasher};
use thiserror::Error;

/// The code in an ERROR. Codes that have no meaning yet are kept as [`Other`](Self::Other): every byte is legal.
///
/// Codes are compared by their value: `Other(3)` is [`NameNotAllowed`](Self::NameNotAllowed).
#[derive(Clone, Copy, Debug, Error)]
pub enum ErrorCode {
    /// 0: the request is malformed, or of a type that this server does not know.
    #[error("malformed or unknown request")]
    Malformed,
    /// 1: there is no such file.
    #[error("no such file")]
    NoSuchFile,
    /// 2: the file is larger than the server takes.
    #[error("too large")]
    TooLarge,
    /// 3: the name breaks a rule.
    #[error("name not allowed")]
    NameNotAllowed,
    /// 4: there is such a file, and this server does not replace files.
    #[error("already exists")]
    Exists,
    /// 5: the storage is full.
    #[error("no space left")]
    NoSpace,
    /// 6: the storage failed.
    #[error("storage failed")]
    StorageFailed,
    /// 7: the server has too much to do; later it may not.
    #[error("busy, try later")]
    Busy,
    /// 8: the content does not match its digest. Nothing sends it yet.
    #[error("content does not match its digest")]
    DigestMismatch,
    /// 9: this client may not do this.
    #[error("not permitted")]
    NotPermitted,
    /// 10: somebody stopped it.
    #[error("cancelled")]
    Cancelled,
    /// A code that this version does not know (11 to 255).
    #[error("error {0}")]
    Other(u8),
}

impl ErrorCode {
    /// The code on the wire.
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
            other => Self::Other(other),
        }
    }
}

/// Why storage could not do what was asked. A server tells its client with the code of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum StorageError {
    /// There is no such file.
    #[error("no such file")]
    NoSuchFile,
    /// The file is larger than the storage takes.
    #[error("too large")]
    TooLarge,
    /// The storage cannot keep a file of this name.
    #[error("name not allowed")]
    NameNotAllowed,
    /// There is such a file already, and it must not be replaced.
    #[error("already exists")]
    Exists,
    /// The storage is full.
    #[error("no space left")]
    NoSpace,
    /// Anything else: a read or write error, a disk that is gone.
    #[error("storage failed")]
    Failed,
    /// Too much to do; later may be better.
    #[error("busy, try later")]
    Busy,
    /// The file may not be read or written.
    #[error("not permitted")]
    NotPermitted,
}

/// What the peer is told of an error of the operating system. What it was exactly is for the user of this side only.
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
            _ => Self::Failed,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_code_and_comes_back() {
        for value in 0..=u8::MAX {
            assert_eq!(ErrorCode::from(value).value(), value);
            assert_eq!(matches!(ErrorCode::from(value), ErrorCode::Other(_)), value > 10);
        }
    }

    #[test]
    fn codes_are_compared_by_value() {
        assert_eq!(ErrorCode::Other(3), ErrorCode::NameNotAllowed);
        assert_ne!(ErrorCode::Other(3), ErrorCode::Exists);
    }
}
