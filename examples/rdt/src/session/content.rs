//! What a session reads content from, and what takes it.

use crate::files::{BlockTree, CommitError, Incoming, Outgoing, SealError, Sealed};
use crate::memory_file::MemoryFile;
use crate::output;
use crate::standard_streams::{Input, Output};
use rdt_proto::files::{Cause, Digest, FileKind, Metadata};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};

/// What is sent.
pub(crate) enum Content {
    File(Outgoing),
    /// The standard input, whose length is not known.
    StandardInput(Input, BlockTree),
    /// A measurement.
    Memory {
        file: MemoryFile,
        hashed: BlockTree,
        length: u64,
    },
    /// It has no content.
    Folder(Metadata),
}

/// What a receiver is told about content before it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) kind: FileKind,
    pub(crate) metadata: Metadata,
    pub(crate) length: Option<u64>,
    /// The position at which it begins.
    pub(crate) offset: u64,
}

impl Content {
    pub(crate) fn memory(file: MemoryFile) -> Self {
        let length = file.length();
        Self::Memory { file, hashed: BlockTree::new(), length }
    }

    pub(crate) fn opened(&self) -> Opened {
        let (kind, metadata, length, offset) = match self {
            Self::File(file) => (file.kind(), file.metadata(), Some(file.length()), file.offset()),
            Self::StandardInput(..) => (FileKind::File, Metadata::default(), None, 0),
            Self::Memory { length, .. } => (FileKind::File, Metadata::default(), Some(*length), 0),
            Self::Folder(metadata) => (FileKind::Folder, *metadata, Some(0), 0),
        };
        Opened { kind, metadata, length, offset }
    }

    /// Replaces the content of `buf` by the next bytes, at most `len`. At the end there are none.
    pub(super) fn read(&mut self, len: usize, buf: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::File(file) => file.read(len, buf),
            Self::StandardInput(input, tree) => {
                buf.resize(len, 0);
                let count = input.read(buf)?;
                buf.truncate(count);
                tree.update(buf);
                Ok(())
            }
            Self::Memory { file, hashed, .. } => {
                buf.resize(len, 0);
                let count = file.read(buf)?;
                buf.truncate(count);
                hashed.update(buf);
                Ok(())
            }
            Self::Folder(_) => {
                buf.clear();
                Ok(())
            }
        }
    }

    /// Whether it is known that nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        match self {
            Self::File(file) => file.is_at_end(),
            Self::StandardInput(..) | Self::Memory { .. } | Self::Folder(_) => false,
        }
    }

    /// Whether it has permission bits that do not come along.
    pub(super) fn has_special_bits(&self) -> bool {
        match self {
            Self::File(file) => file.has_special_bits(),
            Self::StandardInput(..) | Self::Memory { .. } | Self::Folder(_) => false,
        }
    }

    /// Whether more has been written to its end since it was opened.
    pub(super) fn has_grown(&self) -> bool {
        match self {
            Self::File(file) => file.has_grown(),
            Self::StandardInput(..) | Self::Memory { .. } | Self::Folder(_) => false,
        }
    }

    /// The digest of everything, once it was read.
    pub(super) fn digest(&mut self) -> io::Result<Digest> {
        match self {
            Self::File(file) => file.digest(),
            Self::StandardInput(_, hashed) | Self::Memory { hashed, .. } => Ok(hashed.digest()),
            Self::Folder(_) => Ok(Digest::default()),
        }
    }
}

/// What takes content.
pub(crate) enum Taker {
    File(Incoming),
    /// The standard output, which keeps what it has got. Its reader may stall.
    StandardOutput(Output, BlockTree),
    /// A measurement.
    Memory(MemoryFile, BlockTree),
}

/// Content that is complete.
pub(crate) enum Complete {
    /// It becomes durable with others.
    File(Box<Sealed>),
    Elsewhere,
}

impl Taker {
    /// Whether a write of `len` bytes waits for the disk.
    pub(super) fn will_flush(&self, len: usize) -> bool {
        match self {
            Self::File(file) => file.will_flush(len),
            Self::StandardOutput(..) | Self::Memory(..) => false,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::StandardOutput(output, tree) => {
                tree.update(bytes);
                note_missing_reader(output.write_all(bytes))
            }
            Self::Memory(file, tree) => {
                tree.update(bytes);
                file.write(bytes.len()).map(|_| ())
            }
        }
    }

    /// Ends the content. Fails if it has another digest.
    pub(super) fn seal(self, digest: Option<Digest>) -> Result<Complete, SealError> {
        match self {
            Self::File(file) => file.seal(digest).map(|sealed| Complete::File(sealed.into())),
            Self::StandardOutput(_, tree) => check(&tree, digest),
            Self::Memory(_, tree) => check(&tree, digest),
        }
    }

    /// Ends unfinished content.
    pub(super) fn discard(self, cause: Cause) {
        match self {
            Self::File(file) => file.discard(cause),
            Self::StandardOutput(..) | Self::Memory(..) => {}
        }
    }
}

/// Remembers that the standard output has no reader any more. A failure for another reason is that of the file.
fn note_missing_reader(written: io::Result<()>) -> io::Result<()> {
    if let Err(error) = &written
        && error.kind() == ErrorKind::BrokenPipe
    {
        output::note_failure(Err(error.kind().into()));
    }
    written
}

fn check(tree: &BlockTree, digest: Option<Digest>) -> Result<Complete, SealError> {
    match digest {
        Some(digest) if digest != tree.digest() => Err(SealError::DigestMismatch),
        Some(_) | None => Ok(Complete::Elsewhere),
    }
}

/// What has become of a file: the name under which it was stored, if that is not the one in the request.
pub(crate) type Stored = Result<Option<OsString>, NotStored>;

/// Why a file is not stored.
#[derive(Debug)]
pub(crate) enum NotStored {
    Failed(io::Error),
    /// A power failure may bring the old content back.
    Uncertain(io::Error),
    DigestMismatch,
}

impl From<CommitError> for NotStored {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::NotStored(error) => Self::Failed(error),
            CommitError::NotDurable(error) => Self::Uncertain(error),
        }
    }
}

impl From<SealError> for NotStored {
    fn from(error: SealError) -> Self {
        match error {
            SealError::DigestMismatch => Self::DigestMismatch,
            SealError::Io(error) => Self::Failed(error),
        }
    }
}
