//! Saves the values of a file while it is read, so that an interruption does not lose them.
//!
//! A save costs 32 bytes for each MiB. The steps grow with the file, so all saves of a file together take at most 17
//! times the last one, and an interruption loses the values of 64 MiB, or of a sixteenth of what was read.

use super::block_tree::BlockTree;
use super::remembered::{FileVersion, LEAST, Remembered};
use super::version::Version;
use blake3::hazmat::ChainingValue;
use rdt_proto::files::{BLOCK_BYTES, Digest};
use std::fs::{File, Metadata};
use std::io;
use std::time::SystemTime;

/// Where the values of an open file are saved, and when.
pub(super) struct Saving {
    remembered: Remembered,
    opened: Version,
    opened_at: SystemTime,
    /// The number of blocks from which the next save is due. `u64::MAX`: all are saved.
    due: u64,
}

impl Saving {
    /// For a file with this metadata, of which `known` blocks were saved before; `None` if all are.
    pub(super) fn new(remembered: Remembered, metadata: &Metadata, opened_at: SystemTime, known: Option<u64>) -> Self {
        Self { remembered, opened: Version::of(metadata), opened_at, due: known.map_or(u64::MAX, next) }
    }

    /// Saves the values of the blocks so far, if there are enough more of them.
    pub(super) fn on_read(&mut self, file: &File, tree: &BlockTree) {
        if tree.blocks() < self.due {
            return;
        }
        self.due = next(tree.blocks());
        let Ok(metadata) = file.metadata() else { return };
        if !self.has_changed(&metadata) {
            self.put(&metadata, tree.values(), None);
        }
    }

    /// Saves the values of the whole file, unless they are known. Fails if it has changed since it was opened. Returns
    /// whether it has grown: what was read of it is not known to be there still.
    pub(super) fn on_end(&self, file: &File, tree: &BlockTree, digest: Digest, is_known: bool) -> io::Result<bool> {
        let metadata = file.metadata()?;
        if self.has_changed(&metadata) {
            return if self.opened.is_shorter_than(&metadata) { Ok(true) } else { Err(changed()) };
        }
        if !is_known {
            self.put(&metadata, tree.values(), Some(digest));
        }
        Ok(false)
    }

    /// Forgets the values of the file, which are wrong.
    pub(super) fn forget(&self, file: &File) {
        let version = file.metadata().ok().as_ref().and_then(FileVersion::of);
        version.into_iter().for_each(|version| self.remembered.forget(version));
    }

    fn has_changed(&self, metadata: &Metadata) -> bool {
        Version::of(metadata).differs_from(&self.opened)
    }

    fn put(&self, metadata: &Metadata, values: &[ChainingValue], digest: Option<Digest>) {
        let version = FileVersion::of(metadata).filter(|_| metadata.len() >= LEAST);
        if let Some(version) = version.filter(|version| version.rested_before(self.opened_at, true)) {
            self.remembered.put(version, values, digest);
        }
    }
}

/// The content is no longer that of the file which was opened.
pub(super) fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

/// The number of blocks from which a save is due, after one of so many.
fn next(blocks: u64) -> u64 {
    blocks.saturating_add((LEAST / BLOCK_BYTES).max(blocks / 16))
}
