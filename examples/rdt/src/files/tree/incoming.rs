//! A file that arrives.
//!
//! ```text
//! create ──→ written ── seal ──→ Sealed ── commit ──→ durable under its path
//!               │         └── another digest: removed
//!               └── discard, drop: kept for a later request, or removed
//! ```

use super::super::folder::{IfTaken, replaceable};
use super::super::space::{Reservation, Space};
use super::super::temporary::Temporary;
use super::block_tree::BlockTree;
use super::part::Part;
use super::place::{Place, has_no_link_above};
use super::sealed::{Sealed, SealedContent, SealedPart};
use super::start::Start;
use super::{SealError, Tree, attributes};
use rdt_proto::files::{BLOCK_BYTES, Cause, Digest, FileKind, FilePathBox, Metadata};
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// What a request wants to store.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) path: FilePathBox,
    pub(crate) kind: FileKind,
    pub(crate) metadata: Metadata,
    /// The length of the whole file, if it is known.
    pub(crate) length: Option<u64>,
    /// The position at which the content begins, behind what is here.
    pub(crate) offset: u64,
    /// Whether an interrupted transfer may go on later.
    pub(crate) keep: bool,
    pub(crate) if_taken: IfTaken,
}

/// A file that arrives. Dropping it interrupts it.
pub(crate) struct Incoming {
    tree: Tree,
    place: Place,
    if_taken: IfTaken,
    /// What is set when the file is complete.
    metadata: Metadata,
    length: Option<u64>,
    content: Content,
    hashed: BlockTree,
    reservation: Option<Reservation>,
    space: Option<Arc<Space>>,
    /// The number of bytes written since the last flush to the disk.
    unsynced: usize,
}

/// Where the content is.
pub(super) enum Content {
    Folder,
    /// The target.
    Link(Vec<u8>),
    /// A file without a name, which ends with the program.
    Unnamed(Temporary),
    /// A file that may be kept.
    Part(Part),
    /// Somewhere else.
    Ended,
}

/// The number of bytes after which a file is flushed to the disk. Regular flushes keep the last flush short.
const SYNC_INTERVAL: usize = 64 << 20;
/// The longest target of a link: that of Linux.
const LONGEST_TARGET: usize = 4_095;

impl Incoming {
    pub(super) fn create(tree: &Tree, want: &Wanted, reserve: Option<(Arc<Space>, IpAddr)>) -> io::Result<Self> {
        let is_supported = match want.kind {
            FileKind::File | FileKind::Folder => true,
            FileKind::Link => cfg!(unix),
            FileKind::Unreadable | FileKind::Nothing | FileKind::Other(_) => false,
        };
        if !is_supported {
            return Err(io::Error::new(ErrorKind::Unsupported, "this system does not store such a kind of file"));
        }
        let place = tree.folders().make(want.path.as_path())?;
        let space = reserve.as_ref().map(|(space, _)| space.clone());
        let mut incoming = Self {
            tree: tree.clone(),
            place,
            if_taken: want.if_taken,
            metadata: if tree.rules().preserve { want.metadata } else { Metadata::default() },
            length: want.length,
            content: Content::Ended,
            hashed: BlockTree::new(),
            reservation: None,
            space,
            unsynced: 0,
        };
        match want.kind {
            FileKind::Folder => incoming.content = Content::Folder,
            FileKind::Link => incoming.begin_link()?,
            FileKind::File | FileKind::Unreadable | FileKind::Nothing | FileKind::Other(_) => {
                incoming.begin_file(want, reserve)?;
            }
        }
        Ok(incoming)
    }

    fn begin_link(&mut self) -> io::Result<()> {
        replaceable(&self.place.parent, self.place.name(), self.if_taken)?;
        if !has_no_link_above(self.tree.folders(), &self.place)? {
            // The target is relative to the real folder, whose depth is another one.
            return Err(io::Error::new(ErrorKind::PermissionDenied, "a folder above the link is a link"));
        }
        self.content = Content::Link(Vec::new());
        Ok(())
    }

    fn begin_file(&mut self, want: &Wanted, reserve: Option<(Arc<Space>, IpAddr)>) -> io::Result<()> {
        if let Some(old) = replaceable(&self.place.parent, self.place.name(), self.if_taken)? {
            self.metadata.mode = self.metadata.mode.or(attributes::of_entry(&old).mode);
        }
        let Start { content, hashed, reservation } = Start::find(&self.tree, &self.place, want, reserve)?;
        self.content = content;
        self.hashed = hashed;
        self.reservation = reservation;
        Ok(())
    }

    /// Whether a write of `len` bytes flushes the file to the disk.
    pub(crate) fn will_flush(&self, len: usize) -> bool {
        match &self.content {
            Content::Unnamed(_) | Content::Part(_) => self.unsynced + len >= SYNC_INTERVAL,
            Content::Folder | Content::Link(_) | Content::Ended => false,
        }
    }

    /// Writes the next bytes, and flushes the file from time to time.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reserve_more(bytes.len())?;
        match &mut self.content {
            Content::Unnamed(file) => file.file().write_all(bytes)?,
            Content::Part(part) => part.write(bytes)?,
            Content::Link(target) if target.len() + bytes.len() <= LONGEST_TARGET => target.extend_from_slice(bytes),
            Content::Folder | Content::Ended if bytes.is_empty() => {}
            Content::Link(_) | Content::Folder | Content::Ended => return Err(ErrorKind::InvalidInput.into()),
        }
        self.hashed.update(bytes);
        if let Some(reservation) = &mut self.reservation {
            reservation.write(bytes.len());
        }
        if !self.will_flush(bytes.len()) {
            self.unsynced += bytes.len();
            return Ok(());
        }
        self.unsynced = 0;
        match &self.content {
            Content::Unnamed(file) => file.file().sync_data(),
            Content::Part(part) => part.flush(&self.hashed),
            Content::Folder | Content::Link(_) | Content::Ended => Ok(()),
        }
    }

    /// Reserves space for content whose length was not announced.
    fn reserve_more(&mut self, len: usize) -> io::Result<()> {
        const STEP: u64 = 16 << 20;
        match &mut self.reservation {
            Some(reservation) if self.length.is_none() && reservation.unwritten() < len as u64 => {
                let folder = self.tree.folder();
                // What does not have room for a step may have room for the rest.
                reservation
                    .grow(|| folder.free_bytes(), STEP.max(len as u64))
                    .or_else(|_| reservation.grow(|| folder.free_bytes(), len as u64))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Ends the content. Fails if it is not what its sender has sent; then it is removed.
    pub(crate) fn seal(mut self, digest: Option<Digest>) -> Result<Sealed, SealError> {
        let found = self.hashed.digest();
        if digest.is_some_and(|digest| digest != found) || self.length.is_some_and(|length| length != self.hashed.len())
        {
            self.end(Cause::Invalid);
            return Err(SealError::DigestMismatch);
        }
        match &self.content {
            Content::Unnamed(file) => attributes::set(file.file(), self.metadata)?,
            Content::Part(part) => part.with(|files| attributes::set(&files.data, self.metadata))?,
            Content::Folder | Content::Link(_) | Content::Ended => {}
        }
        let content = match std::mem::replace(&mut self.content, Content::Ended) {
            Content::Folder => SealedContent::Folder(self.metadata),
            Content::Link(target) => SealedContent::link(target, &self.place)?,
            Content::Unnamed(file) => SealedContent::Unnamed(file),
            Content::Part(part) => SealedContent::Part(SealedPart::new(&self.tree, part)?),
            Content::Ended => return Err(io::Error::other("the file is closed").into()),
        };
        let reservation = self.reservation.take();
        let hashed = std::mem::replace(&mut self.hashed, BlockTree::new());
        Ok(Sealed::new(&self.tree, self.place.clone(), self.if_taken, content, (hashed, found), reservation))
    }

    /// Ends an unfinished file. What has arrived is kept if it may be, and is of use.
    pub(crate) fn discard(mut self, cause: Cause) {
        self.end(cause);
    }

    fn end(&mut self, cause: Cause) {
        let is_of_use = match cause {
            Cause::Interrupted | Cause::Storage => self.hashed.len() >= BLOCK_BYTES,
            Cause::Invalid => false,
        };
        let reservation = self.reservation.take();
        match std::mem::replace(&mut self.content, Content::Ended) {
            Content::Part(part) if is_of_use => {
                let kept = self.space.as_ref().map(|space| space.count_kept(self.hashed.len()));
                self.tree.parts().release(part, kept);
            }
            Content::Part(part) => self.tree.parts().remove(&part),
            // Its drop removes it.
            Content::Unnamed(_) | Content::Folder | Content::Link(_) | Content::Ended => {}
        }
        drop(reservation);
    }

    /// Leaves everything as the end of the process does, which also ends the locks.
    #[cfg(test)]
    pub(super) fn kill(self) {
        if let Content::Part(part) = &self.content {
            part.with(|files| Ok(rustix::fs::flock(&files.data, rustix::fs::FlockOperation::Unlock)?)).unwrap();
        }
        std::mem::forget(self);
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.end(Cause::Interrupted);
    }
}
