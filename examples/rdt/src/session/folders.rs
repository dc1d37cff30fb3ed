//! The folders that a client makes. They come behind the files in them, which change their times of modification.

use crate::disk::{Call, Disk, Work};
use crate::files::{CommitError, IfTaken, SealError, Tree, Wanted, commit};
use crate::messages::error_text;
use rdt_proto::files::{FileKind, FilePathBox, Metadata};

#[derive(Default)]
pub(super) struct Folders {
    waiting: Vec<Folder>,
    /// Its result are the failures.
    making: Option<Call<Vec<String>>>,
}

impl Folders {
    /// Adds a folder behind those that contain it.
    pub(super) fn push(&mut self, folder: Folder) {
        self.waiting.push(folder);
    }

    pub(super) fn are_made(&self) -> bool {
        self.waiting.is_empty() && self.making.is_none()
    }

    /// Makes those that wait. Returns whether there were any.
    pub(super) fn start(&mut self, disk: &Disk) -> bool {
        if self.waiting.is_empty() || self.making.is_some() {
            return false;
        }
        let folders = std::mem::take(&mut self.waiting);
        // The innermost first.
        let make = move || folders.into_iter().rev().filter_map(|folder| folder.make().err()).collect();
        self.making = Some(disk.call(Work::Write, make));
        true
    }

    /// Why some could not be made, once.
    pub(super) fn take(&mut self) -> Option<Vec<String>> {
        let failures = self.making.as_mut()?.take()?;
        self.making = None;
        Some(failures.unwrap_or_else(|error| vec![error_text(&error)]))
    }
}

/// A folder to make.
pub(super) struct Folder {
    pub(super) tree: Tree,
    pub(super) path: FilePathBox,
    pub(super) metadata: Metadata,
}

impl Folder {
    fn make(&self) -> Result<(), String> {
        let wanted = Wanted {
            path: self.path.clone(),
            kind: FileKind::Folder,
            metadata: self.metadata,
            length: Some(0),
            offset: 0,
            keep: false,
            if_taken: IfTaken::Replace,
        };
        let failed = |why: String| format!("cannot make the folder {} on this machine: {why}", self.path);
        let sealed = self.tree.create(&wanted, None).map_err(|error| failed(error_text(&error)))?;
        let sealed = sealed.seal(None).map_err(|error| match error {
            SealError::Io(error) => failed(error_text(&error)),
            SealError::DigestMismatch => failed("it has content".into()),
        })?;
        match commit(vec![sealed]).pop() {
            Some(Err(CommitError::NotStored(error) | CommitError::NotDurable(error))) => {
                Err(failed(error_text(&error)))
            }
            Some(Ok(_)) | None => Ok(()),
        }
    }
}
