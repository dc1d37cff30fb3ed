//! The folders that a client makes. They come behind the files in them, which change their times of modification.

use super::failure_text::not_a_folder;
use crate::destination::advice;
use crate::disk::{Call, Disk, Work};
use crate::files::{CommitError, IfTaken, SealError, Sealed, Tree, Wanted, commit};
use crate::messages::error_text;
use rdt_proto::files::{FileKind, FilePathBox, Metadata};
use rdt_proto::ftp::StorageError;
use std::io;
use std::path::PathBuf;

#[derive(Default)]
pub(super) struct Folders {
    waiting: Vec<Folder>,
    making: Option<Making>,
}

/// Folders that are made.
struct Making {
    call: Call<Made>,
    count: u64,
}

/// What has become of folders.
pub(super) struct Made {
    /// The number of those that are there.
    pub(super) count: u64,
    /// Why the others could not be made, one by one.
    pub(super) failures: Vec<String>,
}

impl Folders {
    /// Adds a folder behind those that contain it.
    pub(super) fn push(&mut self, folder: Folder) {
        self.waiting.push(folder);
    }

    /// A folder is not to be made: what is in it is not known.
    pub(super) fn forget(&mut self, path: &FilePathBox) {
        self.waiting.retain(|folder| folder.path != *path);
    }

    /// Makes no more. Returns the number of those that are not known to be made.
    pub(super) fn take_unmade(&mut self) -> u64 {
        let making = self.making.take().map_or(0, |making| making.count);
        std::mem::take(&mut self.waiting).len() as u64 + making
    }

    pub(super) fn are_made(&self) -> bool {
        self.waiting.is_empty() && self.making.is_none()
    }

    /// Makes those that wait. Returns whether there were any.
    pub(super) fn start(&mut self, disk: &Disk) -> bool {
        if self.waiting.is_empty() || self.making.is_some() {
            return false;
        }
        let mut folders = std::mem::take(&mut self.waiting);
        // The innermost first.
        folders.reverse();
        let count = folders.len() as u64;
        self.making = Some(Making { call: disk.call(Work::Write, move || make(&folders)), count });
        true
    }

    /// What has become of them, once.
    pub(super) fn take(&mut self) -> Option<Made> {
        let Making { call, count } = self.making.as_mut()?;
        let (made, count) = (call.take()?, *count);
        self.making = None;
        let lost = |error: io::Error| {
            let why = format!("cannot make the folders on this machine: {}: get them again", error_text(&error));
            Made { count: 0, failures: (0..count).map(|_| why.clone()).collect() }
        };
        Some(made.unwrap_or_else(lost))
    }
}

/// A folder to make.
pub(super) struct Folder {
    pub(super) tree: Tree,
    pub(super) path: FilePathBox,
    /// What the user calls the folder of the tree.
    pub(super) beneath: PathBuf,
    pub(super) metadata: Metadata,
}

/// Makes folders in their order, many with one flush.
fn make(folders: &[Folder]) -> Made {
    /// The most that share a flush. The folders above them are open meanwhile.
    const MOST: usize = 256;
    let (mut count, mut failures) = (0, Vec::new());
    for batch in folders.chunks(MOST) {
        let (mut sealed, mut begun) = (Vec::new(), Vec::new());
        for folder in batch {
            match folder.seal() {
                Ok(folder_sealed) => {
                    sealed.push(folder_sealed);
                    begun.push(folder);
                }
                Err(why) => failures.push(why),
            }
        }
        for (folder, result) in begun.into_iter().zip(commit(sealed)) {
            match result {
                Ok(_) => count += 1,
                Err(CommitError::NotStored(error) | CommitError::NotDurable(error)) => {
                    failures.push(folder.not_made(&error));
                }
            }
        }
    }
    Made { count, failures }
}

impl Folder {
    /// Makes the folders above it.
    fn seal(&self) -> Result<Sealed, String> {
        let wanted = Wanted {
            path: self.path.clone(),
            kind: FileKind::Folder,
            metadata: self.metadata,
            length: Some(0),
            offset: 0,
            keep: false,
            if_taken: IfTaken::Replace,
        };
        let incoming = self.tree.create(&wanted, None).map_err(|error| self.not_made(&error))?;
        incoming.seal(None).map_err(|error| match error {
            SealError::Io(error) => self.not_made(&error),
            SealError::DigestMismatch => self.failed("it has content", StorageError::DigestMismatch),
        })
    }

    /// The files in it have failed for the same reason, in the same words.
    fn not_made(&self, error: &io::Error) -> String {
        match self.tree.blocker(&self.path) {
            Some((folder, blocker)) => not_a_folder(&self.beneath.join(&*folder).display().to_string(), blocker),
            None => self.failed(&error_text(error), error.kind().into()),
        }
    }

    fn failed(&self, why: &str, error: StorageError) -> String {
        let local = self.beneath.join(&*self.path);
        format!("cannot make the folder {} on this machine: {why}: {}", local.display(), advice(error))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::files::{Folder as Opened, TreeRules};
    use rdt_proto::files::FilePath;
    use std::os::unix::fs::MetadataExt;

    /// More than share a flush, one of which cannot be made.
    #[test]
    fn each_folder_keeps_its_time_and_one_failure_leaves_the_others() {
        const SECOND: i64 = 1_000_000_000;
        let here = tempfile::tempdir().unwrap();
        std::fs::write(here.path().join("file"), "x").unwrap();
        let rules = TreeRules { preserve: true, ..TreeRules::default() };
        let tree = Tree::new(Opened::open(here.path()).unwrap(), rules);
        let mut paths: Vec<_> = (0..300).map(|at| format!("a/b/{at}")).collect();
        paths.extend(["file", "a/b", "a"].map(str::to_owned));
        let folder = |(at, path): (i64, &String)| Folder {
            tree: tree.clone(),
            path: FilePath::new(path).unwrap().into(),
            beneath: "here".into(),
            metadata: Metadata { modified: Some(at * SECOND), mode: Some(0o750) },
        };
        let folders: Vec<_> = (1_000..).zip(&paths).map(folder).collect();
        let Made { count, failures } = make(&folders);
        assert_eq!(count, 302);
        assert!(matches!(&failures[..], [why] if why.starts_with("cannot write here/file ")), "{failures:?}");
        for (at, path) in (1_000..).zip(&paths).filter(|(_, path)| *path != "file") {
            let metadata = here.path().join(path).metadata().unwrap();
            assert_eq!((metadata.is_dir(), metadata.mtime(), metadata.mode() & 0o777), (true, at, 0o750), "{path}");
        }
    }
}
