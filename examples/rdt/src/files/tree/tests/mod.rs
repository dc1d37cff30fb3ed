//! Trees in temporary folders.

mod attributes;
mod batch;
mod escapes;
mod listing;
mod resume;
mod space;

use super::*;
use crate::files::{CommitError, IfTaken};
use rdt_proto::ftp::StorageError;
use std::path::Path;
use tempfile::TempDir;

const BLOCK: usize = 1 << 20;

/// A tree in an empty folder.
struct Place {
    folder: TempDir,
    tree: Tree,
}

impl Place {
    fn new() -> Self {
        Self::with(TreeRules::default())
    }

    fn with(rules: TreeRules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(Folder::open(folder.path()).unwrap(), rules);
        Self { folder, tree }
    }

    /// The tree of the next start of the program.
    fn restart(&mut self) {
        self.tree = Tree::new(Folder::open(self.folder.path()).unwrap(), *self.tree.rules());
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path().join(path)).unwrap()
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn begin(&self, want: &Wanted) -> Incoming {
        self.tree.create(want, None).unwrap()
    }

    /// Stores a whole file.
    fn put(&self, want: &Wanted, content: &[u8]) -> Result<Option<std::ffi::OsString>, CommitError> {
        commit(vec![self.sealed(want, content)]).pop().unwrap()
    }

    fn sealed(&self, want: &Wanted, content: &[u8]) -> Sealed {
        let mut incoming = self.begin(want);
        incoming.write(content).unwrap();
        incoming.seal(Some(digest(content))).unwrap()
    }

    /// What a PUT of `content` leaves out.
    fn common(&self, path: &str, content: &[u8]) -> u64 {
        let status = self.tree.status(file_path(path), Flags::KEEP).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Outgoing::file(file.path()).unwrap().go_on_from(status.peaks.as_peaks()).unwrap()
    }

    /// Stores what another program left out of `content`.
    fn go_on(&self, path: &str, content: &[u8]) -> u64 {
        let offset = self.common(path, content);
        let mut incoming = self.begin(&Wanted { offset, ..want(path, content) });
        incoming.write(&content[usize::try_from(offset).unwrap()..]).unwrap();
        let sealed = incoming.seal(Some(digest(content))).unwrap();
        commit(vec![sealed]).pop().unwrap().unwrap();
        assert!(self.read(path) == content);
        offset
    }

    /// The blocks of an interrupted transfer to this path.
    fn part(&self, path: &str) -> Option<PeaksBuf> {
        self.tree.inspect_part(file_path(path)).map(|(_, peaks)| peaks)
    }

    /// The names in the hidden folder.
    fn hidden(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(names::HIDDEN)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn file_path(path: &str) -> FilePath<'_> {
    FilePath::new(path).unwrap()
}

/// A file that may be kept.
fn want(path: &str, content: &[u8]) -> Wanted {
    Wanted {
        path: file_path(path).into(),
        kind: FileKind::File,
        metadata: Metadata::default(),
        length: Some(content.len() as u64),
        offset: 0,
        keep: true,
        if_taken: IfTaken::Replace,
    }
}

fn want_kind(path: &str, kind: FileKind) -> Wanted {
    Wanted { kind, length: None, ..want(path, b"") }
}

fn digest(content: &[u8]) -> Digest {
    Digest(*blake3::hash(content).as_bytes())
}

/// Content whose blocks differ.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 20)) & 0xff).unwrap()).collect()
}

fn storage_error_of<T>(result: io::Result<T>) -> StorageError {
    storage_error(&result.err().unwrap())
}
