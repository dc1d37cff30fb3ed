//! The values of messages.

use core::fmt;

use bitflags::bitflags;

use super::path::{FilePath, RawPath};
use crate::ftp::ErrorCode;

/// The version of the sessions of this module.
pub const SESSION_VERSION: u16 = 1;

/// The length of a block in bytes: prefixes of files are compared block by block.
pub const BLOCK_BYTES: u64 = 1 << 20;

/// The maximum number of [`Peaks`]: 2^44 blocks are 16 EiB.
pub const MAX_PEAKS: usize = 44;

pub(super) const DIGEST: usize = 32;

/// A BLAKE3 digest of 32 bytes, or the chaining value of a subtree.
///
/// The sessions carry digests, and never compute one: storage does, while the content passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Digest(pub [u8; DIGEST]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The first whole blocks of a file: their number, and the BLAKE3 chaining values that cover them.
///
/// There is one value for each bit that is set in the number, the largest subtree first: 200 blocks are covered by
/// subtrees of 128, 64 and 8. So two files agree on their common prefix with as many comparisons, and a transfer may go
/// on at each border that they share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Peaks<'a> {
    blocks: u64,
    values: &'a [u8],
}

impl<'a> Peaks<'a> {
    /// No block.
    pub const NONE: Self = Self { blocks: 0, values: &[] };

    /// `blocks` blocks, covered by the chaining values in `values`, 32 bytes each. `None` if their number does not fit.
    #[must_use]
    pub fn new(blocks: u64, values: &'a [u8]) -> Option<Self> {
        let count = usize::try_from(blocks.count_ones()).ok()?;
        (blocks < 1 << MAX_PEAKS && values.len() == count * DIGEST).then_some(Self { blocks, values })
    }

    /// The number of blocks.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(BLOCK_BYTES)
    }

    /// Each subtree: the block behind it, and its chaining value.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Digest)> + use<'a> {
        let mut left = self.blocks;
        let mut end = 0_u64;
        self.values.as_chunks().0.iter().map(move |value| {
            let subtree = 1_u64.checked_shl(u64::BITS - 1 - left.leading_zeros()).unwrap_or(0);
            left &= !subtree;
            end = end.saturating_add(subtree);
            (end, Digest(*value))
        })
    }

    /// Whether a transfer may begin at this position: at 0, or behind one of the subtrees.
    #[must_use]
    pub fn has_border(&self, offset: u64) -> bool {
        is_border(offset, self.blocks)
    }

    pub(super) const fn values(&self) -> &'a [u8] {
        self.values
    }
}

/// Whether a transfer to someone with `blocks` blocks may begin at this position.
///
/// The subtrees are as large as the bits of the number of blocks, the largest one first. So a border has its highest
/// bits, and zeros behind them.
pub(super) const fn is_border(offset: u64, blocks: u64) -> bool {
    let border = offset / BLOCK_BYTES;
    let below = match border.checked_ilog2() {
        Some(_) => (1 << border.trailing_zeros()) - 1,
        None => u64::MAX,
    };
    offset.is_multiple_of(BLOCK_BYTES) && border == blocks & !below
}

impl fmt::Debug for Peaks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
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

/// What is under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum FileKind {
    /// 0: a regular file.
    File,
    /// 1: a folder. It has no content.
    Folder,
    /// 2: a symbolic link. Its content is its target.
    Link,
    /// 3: something that no request can read, because of its permissions or a name that is not UTF-8. Only ENTRY has
    /// it, with the other bytes of such a name as `\xFF`.
    Unreadable,
    /// 255: nothing.
    Nothing,
    /// A kind that this version does not know. Storage refuses it.
    Other(u8),
}

impl FileKind {
    /// The value on the wire.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::File => 0,
            Self::Folder => 1,
            Self::Link => 2,
            Self::Unreadable => 3,
            Self::Nothing => 255,
            Self::Other(value) => value,
        }
    }
}

impl From<u8> for FileKind {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::File,
            1 => Self::Folder,
            2 => Self::Link,
            3 => Self::Unreadable,
            255 => Self::Nothing,
            other => Self::Other(other),
        }
    }
}

bitflags! {
    /// What a client asks for beside its request.
    ///
    /// The upper four bits are critical: a server refuses a request with one that it does not know.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Flags: u8 {
        /// LIST: the folders below as well.
        const RECURSIVE = 1;
        /// STAT, LIST: with the digest of each file.
        const DIGEST = 1 << 1;
        /// PUT: what has arrived of an interrupted transfer is kept for a later PUT. STAT: about what was kept so, if there
        /// is something, in place of the file.
        const KEEP = 1 << 2;
        /// PUT: what is under the path may be replaced.
        const REPLACE = 1 << 4;
        const _ = !0;
    }
}

impl Flags {
    const CRITICAL: u8 = 0xf0;
    const KNOWN: u8 = 0b1_0111;

    /// Whether a critical bit is set that this version does not know.
    #[must_use]
    pub const fn is_beyond_this_version(self) -> bool {
        self.bits() & Self::CRITICAL & !Self::KNOWN != 0
    }
}

/// A file or a folder, as its server describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry<'a> {
    /// The kind.
    pub kind: FileKind,
    /// The metadata.
    pub metadata: Metadata,
    /// The length in bytes; 0 for a folder.
    pub length: u64,
    /// The digest of a file, if it was asked for and is known.
    pub digest: Option<Digest>,
    /// The path beneath the outermost folder.
    pub path: FilePath<'a>,
}

/// What a server has under a path, or of an interrupted transfer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status<'a> {
    /// What is under the path.
    pub kind: FileKind,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest, if it was asked for and is known.
    pub digest: Option<Digest>,
    /// What a PUT may leave out: the blocks of an interrupted transfer, or of the file itself.
    pub peaks: Peaks<'a>,
}

/// A message of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionMessage<'a> {
    /// The first message of each side.
    Version {
        /// The version of this side.
        version: u16,
    },
    /// Client: store what is under this path. For a file and a link the content follows.
    Put {
        /// What the client asks for.
        flags: Flags,
        /// The kind.
        kind: FileKind,
        /// The metadata.
        metadata: Metadata,
        /// The length in bytes; `None` if it is not known yet.
        length: Option<u64>,
        /// The position at which the content begins: 0, or a border of what the server has.
        offset: u64,
        /// The path.
        path: RawPath<'a>,
    },
    /// Client: send a file.
    Get {
        /// What the client asks for.
        flags: Flags,
        /// The path.
        path: RawPath<'a>,
        /// What the client has of the file.
        have: Peaks<'a>,
    },
    /// Client: describe what is under a path.
    Stat {
        /// What the client asks for.
        flags: Flags,
        /// The path.
        path: RawPath<'a>,
    },
    /// Client: list a folder.
    List {
        /// What the client asks for.
        flags: Flags,
        /// The folder; `None` for the outermost one.
        folder: Option<RawPath<'a>>,
        /// The last entry of an earlier list, behind which this one begins.
        after: Option<RawPath<'a>>,
    },
    /// Content.
    Data {
        /// The number of bytes that follow.
        len: u32,
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
    /// Server: what a PUT sent is durable under its path.
    Confirm {
        /// The number of the request.
        number: u32,
    },
    /// Server: a request is refused, or has failed.
    Error {
        /// The number of the request.
        number: u32,
        /// The reason.
        code: ErrorCode,
    },
    /// Server: the answer to a GET. The content follows.
    File {
        /// The number of the request.
        number: u32,
        /// The kind.
        kind: FileKind,
        /// The metadata.
        metadata: Metadata,
        /// The length of the whole file in bytes; `None` if it is not known yet.
        length: Option<u64>,
        /// The position at which the content begins: 0, or a border of what the client has.
        offset: u64,
    },
    /// Server: the answer to a STAT.
    Status {
        /// The number of the request.
        number: u32,
        /// The answer.
        status: Status<'a>,
    },
    /// Server: an entry of a LIST.
    Entry {
        /// The number of the request.
        number: u32,
        /// The entry.
        entry: Entry<'a>,
    },
    /// Server: the end of a LIST.
    Listed {
        /// The number of the request.
        number: u32,
        /// Whether there are more entries, for another LIST.
        has_more: bool,
    },
    /// Server: it serves no further request.
    Leave {
        /// The reason.
        code: ErrorCode,
    },
    /// Client: it works, and will go on. The padding makes it progress for the server.
    Working,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn peaks_cover_their_blocks_the_largest_first() {
        let values: Vec<u8> = (0..96).collect();
        let peaks = Peaks::new(200, &values).unwrap();
        let subtrees: Vec<_> = peaks.iter().map(|(end, value)| (end, value.0[0])).collect();
        assert_eq!(subtrees, [(128, 0), (192, 32), (200, 64)]);
        let borders = [0, 1, 128, 129, 192, 200, 201].map(|block| peaks.has_border(block * BLOCK_BYTES));
        assert_eq!(borders, [true, false, true, false, true, true, false]);
        assert!(!peaks.has_border(1) && Peaks::NONE.has_border(0));
    }

    #[test]
    fn peaks_need_a_value_for_each_subtree() {
        assert_eq!(Peaks::new(3, &[0; 63]), None);
        assert_eq!(Peaks::new(3, &[0; 96]), None);
        assert_eq!(Peaks::new(1 << MAX_PEAKS, &[0; 32]), None);
        assert_eq!(Peaks::new(0, &[]), Some(Peaks::NONE));
    }

    #[test]
    fn only_unknown_critical_flags_are_beyond_this_version() {
        for (bits, is_beyond) in [(0x0f, false), (0x1f, false), (0x20, true), (0x80, true)] {
            assert_eq!(Flags::from_bits_retain(bits).is_beyond_this_version(), is_beyond, "{bits:#x}");
        }
    }
}
