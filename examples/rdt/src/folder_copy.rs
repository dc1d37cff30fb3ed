//! The folders that a `get` has made, so that the same command goes on in them.
//!
//! ```text
//! nothing is there ── begin ──→ begun ── complete ──→ whole
//!                                 ↑                     │
//!                                 └─────── begin ───────┘
//! ```
//!
//! `get FOLDER --output NEW` stores the content of FOLDER as NEW if nothing is there, and otherwise in NEW, under the
//! name of FOLDER. Without a record, the same command would store a second copy in the first one. The record lies in
//! the folder of this user for such data. If it is lost, NEW is any other folder.

use blake3::Hash;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A folder of this machine that is, or will be, the copy of a folder of a server.
#[derive(Clone, Debug)]
pub(crate) struct FolderCopy {
    folder: PathBuf,
    record: PathBuf,
    source: Hash,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyState {
    /// A `get` has begun it, and not completed it. The folder may not exist yet.
    Begun,
    Whole,
}

impl FolderCopy {
    /// The copy of the folder `name` of `server` as `folder`. `None` if the user has no folder for records.
    pub(crate) fn new(folder: &Path, server: &str, name: &str) -> Option<Self> {
        Self::recorded_in(&dirs::cache_dir()?.join("rdt").join("copies"), folder, server, name)
    }

    fn recorded_in(records: &Path, folder: &Path, server: &str, name: &str) -> Option<Self> {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = parent.canonicalize().ok()?.join(folder.file_name()?);
        let record = records.join(blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex().as_str());
        Some(Self { folder, record, source: blake3::hash(format!("{server}\0{name}").as_bytes()) })
    }

    /// How far the copy has come. `None` if the folder is none, also if another one has taken its place.
    pub(crate) fn state(&self) -> Option<CopyState> {
        let metadata = self.folder.symlink_metadata().ok().filter(Metadata::is_dir)?;
        let recorded = fs::read_to_string(&self.record).ok()?;
        if recorded == self.text(None) {
            Some(CopyState::Begun)
        } else {
            (recorded == self.text(Some(&metadata))).then_some(CopyState::Whole)
        }
    }

    /// Records that a `get` begins it. A failure costs a later command its knowledge, and nothing else.
    pub(crate) fn begin(&self) {
        let _ = self.write(&self.text(None)).and_then(|()| self.remove_surplus());
    }

    /// Records that it is whole.
    pub(crate) fn complete(&self) {
        let _ = self.folder.symlink_metadata().and_then(|metadata| self.write(&self.text(Some(&metadata))));
    }

    /// The record. That of a whole copy identifies its folder.
    fn text(&self, whole: Option<&Metadata>) -> String {
        let state = whole.map_or("begun".into(), |metadata| format!("whole {}", identity(metadata)));
        format!("rdt copy 1\n{} {state}\n", self.source)
    }

    /// Writes the record in one step.
    fn write(&self, text: &str) -> io::Result<()> {
        self.record.parent().map_or(Ok(()), fs::create_dir_all)?;
        let new = self.record.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &self.record)
    }

    /// Removes the oldest records that are too many.
    fn remove_surplus(&self) -> io::Result<()> {
        const MOST: usize = 4_096;
        let mut records = Vec::new();
        for entry in self.record.parent().map(fs::read_dir).transpose()?.into_iter().flatten() {
            let entry = entry?;
            records.push((entry.metadata()?.modified()?, entry.path()));
        }
        records.sort_unstable_by(|one, other| other.cmp(one));
        records.iter().skip(MOST).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// What tells a folder from another one that takes its place. File systems use the number of a removed one again.
fn identity(metadata: &Metadata) -> String {
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = 0;
    let created = metadata.created().ok().and_then(|created| created.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{inode} {}", created.map_or(0, |created| created.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_by_its_place_and_its_source() {
        let place = tempfile::tempdir().unwrap();
        let (folder, records) = (place.path().join("new"), place.path().join("records"));
        let copy = |server: &str, name: &str| FolderCopy::recorded_in(&records, &folder, server, name).unwrap();
        let this = copy("host:1", "a/tree");
        let states = || [copy("host:1", "a/tree"), copy("host:2", "a/tree"), copy("host:1", "tree")].map(|c| c.state());
        this.begin();
        assert_eq!(this.state(), None, "there is no folder yet");
        fs::create_dir(&folder).unwrap();
        assert_eq!(states(), [Some(CopyState::Begun), None, None]);
        this.complete();
        fs::write(folder.join("file"), "").unwrap();
        assert_eq!(states(), [Some(CopyState::Whole), None, None]);
        this.begin();
        assert_eq!(this.state(), Some(CopyState::Begun));
        this.complete();
        let other = folder.with_file_name("other");
        fs::create_dir(&other).unwrap();
        fs::rename(&folder, place.path().join("elsewhere")).unwrap();
        assert_eq!(this.state(), None);
        fs::rename(&other, &folder).unwrap();
        assert_eq!(this.state(), None, "another folder has taken its place");
        copy("host:2", "a/tree").begin();
        assert_eq!(states(), [None, Some(CopyState::Begun), None]);
    }

    #[test]
    fn the_oldest_records_make_room() {
        let place = tempfile::tempdir().unwrap();
        let records = place.path().join("records");
        fs::create_dir(&records).unwrap();
        for at in 0..4_100 {
            let record = fs::File::create(records.join(at.to_string())).unwrap();
            record.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let copy = FolderCopy::recorded_in(&records, place.path(), "host:1", "tree").unwrap();
        copy.begin();
        assert_eq!(fs::read_dir(&records).unwrap().count(), 4_096);
        assert_eq!(copy.state(), Some(CopyState::Begun));
    }
}
