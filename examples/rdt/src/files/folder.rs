//! A folder, and which of its entries are read or replaced.

use super::temporary::{self, Temporary, not_a_file};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use rdt_proto::ftp::StorageError;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// What happens to a file that is stored under a name that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfTaken {
    /// It replaces a regular file or a link. For other entries it is refused.
    Replace,
    /// It is refused.
    Refuse,
    /// It gets [another name](other_name), so that its sender does not learn which names exist.
    Rename,
}

/// Why nothing in a folder can be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Removed,
    /// Its permissions have changed.
    Barred,
    /// Its disk is gone, or fails.
    Failed,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "the whole folder was removed",
            Self::Barred => "the permissions of the whole folder have changed",
            Self::Failed => "the disk of the whole folder is gone or fails",
        })
    }
}

impl std::error::Error for Unusable {}

impl From<Unusable> for io::Error {
    fn from(unusable: Unusable) -> Self {
        Self::other(unusable)
    }
}

/// A folder. Nothing outside of it is opened, even through links in it.
#[derive(Clone)]
pub(crate) struct Folder(Arc<Dir>);

impl Folder {
    /// Opens a folder, and removes the temporary files that a killed program has left there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        temporary::remove_leftovers(&dir);
        Ok(Self(Arc::new(dir)))
    }

    pub(super) fn dir(&self) -> &Arc<Dir> {
        &self.0
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&*self.0)
    }

    /// The bytes that may be written to the disk of this folder. `u64::MAX` if that is unknown: then a write fails when
    /// the disk is full.
    pub(crate) fn free_bytes(&self) -> u64 {
        #[cfg(unix)]
        let free = rustix::fs::fstatvfs(&*self.0).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)).ok();
        #[cfg(not(unix))]
        let free = None;
        free.unwrap_or(u64::MAX)
    }

    /// Checks that the folder is still there. Without this check a removed folder is an empty one.
    #[cfg(unix)]
    pub(super) fn check_usable(&self) -> Result<(), Unusable> {
        use rustix::fs::{Access, AtFlags, accessat, fstat};
        match fstat(&*self.0) {
            Ok(there) if there.st_nlink == 0 => return Err(Unusable::Removed),
            Ok(_) => {}
            Err(_) => return Err(Unusable::Failed),
        }
        match accessat(&*self.0, ".", Access::EXEC_OK, AtFlags::empty()) {
            Err(rustix::io::Errno::ACCESS) => Err(Unusable::Barred),
            Err(rustix::io::Errno::IO | rustix::io::Errno::STALE | rustix::io::Errno::NOTCONN) => Err(Unusable::Failed),
            // What else fails says so itself.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// This system removes no folder that is open.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same interface on each system")]
    pub(super) fn check_usable(&self) -> Result<(), Unusable> {
        Ok(())
    }

    /// Checks that the folder takes files, under names that are free.
    pub(crate) fn check_takes_files(&self) -> io::Result<()> {
        // It is removed at once.
        Temporary::new(self.0.clone()).map(drop)
    }

    /// Checks that the folder takes a file of this name, which may be that of another file.
    pub(crate) fn check_takes(&self, name: &OsStr) -> io::Result<()> {
        replaceable(&self.0, name, IfTaken::Replace)?;
        self.check_takes_files()
    }
}

/// Returns the metadata of the regular file that `name` is or links to, if there is one.
///
/// Fails if the entry `name` is there and must not be replaced.
pub(super) fn replaceable(folder: &Dir, name: &OsStr, if_taken: IfTaken) -> io::Result<Option<Metadata>> {
    if if_taken == IfTaken::Rename {
        return Ok(None);
    }
    let there = match folder.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        there => there?,
    };
    let there = if there.is_symlink() { folder.metadata(name).ok() } else { Some(there) };
    match (there, if_taken) {
        (Some(other), _) if !other.is_file() => Err(not_a_file()),
        (Some(_), IfTaken::Refuse) => Err(not_replaced()),
        (None, IfTaken::Refuse) => Err(not_a_file()),
        // A broken link, or a link to a target outside the folder, is replaced without a check of its target.
        (file, IfTaken::Replace | IfTaken::Rename) => Ok(file),
    }
}

/// The file exists, and the server replaces none.
fn not_replaced() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, StorageError::NoReplace)
}

/// A name beside `name`, which is taken: `report.5f3a9c2177e0d4b8.pdf` for `report.pdf`. It is random, so that its
/// choice takes one attempt, however many files want the same name.
pub(super) fn other_name(name: &OsStr) -> io::Result<OsString> {
    /// The longest name of most file systems, in bytes.
    const LONGEST: usize = 255;
    let digits = format!(".{:016x}", u64::from_ne_bytes(crate::entropy::random_bytes()?));
    let text = name.to_string_lossy();
    let dot = text.rfind('.').filter(|&dot| dot > 0).unwrap_or(text.len());
    let (stem, extension) = text.split_at(dot);
    let extension = if extension.len() + digits.len() < LONGEST { extension } else { "" };
    let room = LONGEST - digits.len() - extension.len();
    let end = stem.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= room).last();
    Ok(format!("{}{digits}{extension}", &stem[..end.unwrap_or(0)]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_keeps_the_extension_and_fits() {
        for (name, start, end) in [
            ("report.pdf", "report.", ".pdf"),
            ("archive.tar.gz", "archive.tar.", ".gz"),
            (".hidden", ".hidden.", ""),
            (&"ä".repeat(127), &"ä".repeat(119), ""),
            (&format!("a.{}", "x".repeat(253)), "a.", ""),
        ] {
            let [one, two] = [(); 2].map(|()| other_name(name.as_ref()).unwrap().into_string().unwrap());
            assert!(one.starts_with(start) && one.ends_with(end) && one.len() <= 255, "{one}");
            assert_ne!(one, two);
        }
    }
}
