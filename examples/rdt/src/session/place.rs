//! Where the files of a session are.

use super::chunk::Chunk;
use super::receiving::Create;
use crate::files::{Page, PeaksBuf, StatusBuf};
use crate::memory_file::MemoryFile;
use rdt_proto::files::{FilePath, Flags, Target};
use std::io;

/// Work for a thread of the disk.
pub(crate) type Job<T> = Box<dyn FnOnce() -> io::Result<T> + Send>;

/// Where the files of a session are.
pub(crate) trait Place {
    /// The file that exists in memory only, if `path` is that of one.
    fn memory_file(&self, _path: FilePath<'_>) -> Option<io::Result<MemoryFile>> {
        None
    }
    /// How to create a file that arrives.
    ///
    /// Fails if it cannot be stored at all.
    fn create(&mut self, target: &Target<'_>) -> io::Result<Create>;
    /// The length of the longest file that is stored.
    fn max_length(&self) -> u64 {
        u64::MAX
    }
    /// How to open a file to send, and to read its first chunk.
    fn open(&mut self, path: FilePath<'_>, have: PeaksBuf) -> io::Result<Job<Chunk>>;
    /// How to look up what is under a path.
    fn stat(&mut self, path: FilePath<'_>, flags: Flags) -> io::Result<Job<StatusBuf>>;
    /// How to list a page of entries.
    fn list(
        &mut self,
        folder: Option<FilePath<'_>>,
        after: Option<FilePath<'_>>,
        flags: Flags,
    ) -> io::Result<Job<Page>>;
}
