//! The files of a server, for one of its clients.

use super::chunk::Chunk;
use super::content::{Content, Taker};
use super::place::{Job, Place};
use super::receiving::Create;
use crate::access::{Access, Barred};
use crate::files::{BlockTree, IfTaken, Page, PeaksBuf, StatusBuf, Wanted};
use crate::memory_file::{MemoryFile, is_memory_file};
use crate::server::Store;
use rdt_proto::files::{FileKind, FilePath, FilePathBox, Flags, Target};
use std::io::{self, ErrorKind};
use std::net::IpAddr;

/// The files that a client at `host` may use.
#[derive(Clone)]
pub(crate) struct Beneath {
    store: Store,
    host: IpAddr,
}

impl Beneath {
    pub(crate) fn new(store: Store, host: IpAddr) -> Self {
        Self { store, host }
    }

    /// Nothing is looked up where nothing may be read: all answers are the same.
    fn check_read(&self) -> io::Result<()> {
        match self.store.access {
            Access::WriteOnly => Err(Barred::Downloads.into()),
            Access::ReadOnly | Access::ReadWrite => Ok(()),
        }
    }

    fn if_taken(&self, flags: Flags) -> io::Result<IfTaken> {
        match self.store.access {
            Access::ReadOnly => Err(Barred::Uploads.into()),
            Access::WriteOnly => Ok(IfTaken::Rename),
            Access::ReadWrite if flags.contains(Flags::REPLACE) && self.store.replaces => Ok(IfTaken::Replace),
            Access::ReadWrite => Ok(IfTaken::Refuse),
        }
    }
}

/// Whether storing it shows nothing of what is there: it begins at its start, and lies in no folder.
fn is_plain(target: &Target<'_>) -> bool {
    let is_outermost = target.path.is_some_and(|path| path.components().count() == 1);
    target.kind == FileKind::File && target.offset == 0 && is_outermost
}

impl Place for Beneath {
    fn memory_file(&self, path: FilePath<'_>) -> Option<io::Result<MemoryFile>> {
        is_memory_file(path.as_str()).then(|| MemoryFile::open(path.as_str(), self.store.bench))
    }

    fn create(&mut self, target: &Target<'_>) -> io::Result<Create> {
        let Some(path) = target.path else { return Err(ErrorKind::InvalidInput.into()) };
        if let Some(file) = self.memory_file(path) {
            let file = file?;
            return Ok(Box::new(move || Ok(Taker::Memory(file, BlockTree::new()))));
        }
        let if_taken = self.if_taken(target.flags)?;
        if self.store.access == Access::WriteOnly && !is_plain(target) {
            return Err(Barred::Folders.into());
        }
        let wanted = Wanted {
            path: path.into(),
            kind: target.kind,
            metadata: target.metadata,
            length: target.length,
            offset: target.offset,
            keep: target.flags.contains(Flags::KEEP) && if_taken == IfTaken::Replace,
            if_taken,
        };
        let (tree, space) = (self.store.tree.clone(), (self.store.space.clone(), self.host));
        Ok(Box::new(move || tree.create(&wanted, Some(space)).map(Taker::File)))
    }

    fn max_length(&self) -> u64 {
        self.store.max_size
    }

    fn open(&mut self, path: FilePath<'_>, have: PeaksBuf) -> io::Result<Job<Chunk>> {
        if let Some(file) = self.memory_file(path) {
            let file = file?;
            return Ok(Box::new(move || Ok(Chunk::first(Content::memory(file)))));
        }
        self.check_read()?;
        let (tree, path) = (self.store.tree.clone(), FilePathBox::from(path));
        Ok(Box::new(move || {
            let file = tree.open(path.as_path(), have.as_peaks())?;
            Ok(Chunk::first(Content::File(file)))
        }))
    }

    fn stat(&mut self, path: FilePath<'_>, flags: Flags) -> io::Result<Job<StatusBuf>> {
        self.check_read()?;
        let (tree, path) = (self.store.tree.clone(), FilePathBox::from(path));
        Ok(Box::new(move || tree.status(path.as_path(), flags)))
    }

    fn list(
        &mut self,
        folder: Option<FilePath<'_>>,
        after: Option<FilePath<'_>>,
        flags: Flags,
    ) -> io::Result<Job<Page>> {
        self.check_read()?;
        let (tree, folder, after) =
            (self.store.tree.clone(), folder.map(FilePathBox::from), after.map(FilePathBox::from));
        Ok(Box::new(move || {
            let [folder, after] = [&folder, &after].map(|path| path.as_ref().map(FilePathBox::as_path));
            tree.list(folder, after, flags)?.page()
        }))
    }
}
