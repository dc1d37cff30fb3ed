//! The values of messages.

use core::fmt;

use bitflags::bitflags;

use super::path::{FilePath, MAX_PATH};
use crate::ftp::ErrorCode;

/// The maximum length of a message in bytes, without the content after DATA: ENTRY with the longest path.
pub const MAX_MESSAGE: usize = 1 + 1 + METADATA + 8 + DIGEST + 2 + MAX_PATH;

/// The length of a DATA message in bytes; its content follows.
pub const DATA_HEADER: usize = 3;

const METADATA: usize = 8 + 2;
const DIGEST: usize = 32;

/// A BLAKE3 digest (version 3 of 2021, 32 bytes).
///
/// The sessions compare digests, and never compute one: storage does, while the content passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Digest(pub [u8; DIGEST]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Prefix {
    /// Their number.
    pub length: u64,
    /// Their digest.
    pub digest: Digest,
}

/// What a file system says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Metadata {
    /// The time of the last modification, in nanoseconds since 1970 (Unix time); `None` if it is unknown.
    pub modified: Option<i64>,
    /// The permission bits of POSIX; `None` if it is unknown.
    pub mode: Option<u16>,
}

/// The kind of an entry of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

bitflags! {
    /// What a client wants of a request. Unknown bits are ignored.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Wish: u8 {
        /// PUT: an existing file may be replaced.
        const REPLACE = 1;
        /// PUT: what arrived of an interrupted transfer is kept, and the transfer goes on there. RESUME answers.
        const RESUME = 1 << 1;
        /// LIST: the folders below as well.
        const RECURSIVE = 1 << 2;
        /// LIST, CHECK: with the digest of each file.
        const DIGEST = 1 << 3;
    }
}

/// A file or a folder, as its server describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry<'a> {
    /// The kind.
    pub kind: Kind,
    /// The metadata.
    pub metadata: Metadata,
    /// The length in bytes; 0 for a folder.
    pub length: u64,
    /// The digest of a file, if it was asked for; otherwise 32 zeros.
    pub digest: Digest,
    /// The path.
    pub path: FilePath<'a>,
}

/// A message of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// Client: store the content that follows.
    Put {
        /// What the client wants.
        wish: Wish,
        /// The metadata of the file.
        metadata: Metadata,
        /// The length of the content in bytes; `None` if it is not known yet.
        length: Option<u64>,
        /// The path of the file.
        path: FilePath<'a>,
    },
    /// Client: send a file.
    Get {
        /// What the client has of the file. The content begins after it if the file begins so.
        have: Prefix,
        /// The path of the file.
        path: FilePath<'a>,
    },
    /// Client: list a folder.
    List {
        /// What the client wants.
        wish: Wish,
        /// The folder; `None` for the outermost one.
        folder: Option<FilePath<'a>>,
    },
    /// Client: describe a file or folder by one ENTRY.
    Check {
        /// What the client wants.
        wish: Wish,
        /// The path.
        path: FilePath<'a>,
    },
    /// After RESUME: the content begins at this offset.
    Start {
        /// The position in the file.
        offset: u64,
    },
    /// The next `len` bytes of content follow.
    Data {
        /// The number of bytes.
        len: u16,
    },
    /// The content is complete.
    End {
        /// The digest of the whole file, including what the receiver had before.
        digest: Digest,
    },
    /// The content ends early.
    Cancel {
        /// The reason.
        code: ErrorCode,
    },
    /// Server: this much of the file of a PUT is there already.
    Resume(Prefix),
    /// Server: the file of the oldest open PUT is durable under its path.
    Confirm,
    /// Server: the oldest open request is refused or has failed.
    Error {
        /// The reason.
        code: ErrorCode,
    },
    /// Server: the content of the file of a GET follows.
    File {
        /// The metadata of the file.
        metadata: Metadata,
        /// The length of the whole file in bytes.
        length: u64,
        /// The position in the file at which the content begins.
        offset: u64,
    },
    /// Server: an entry of a LIST, or the answer to a CHECK.
    Entry(Entry<'a>),
    /// Server: the list of a LIST is complete.
    Listed,
}
