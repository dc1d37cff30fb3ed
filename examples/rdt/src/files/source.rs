//! Opens files to read, and tells whether they have changed.

use crate::messages::error_text;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens a file that the user named, and makes something of it. The error is a message for the user.
pub(super) fn open_named<T>(path: &Path, make: impl FnOnce(File) -> io::Result<T>) -> Result<T, String> {
    let cannot = |why: &str, advice: &str| format!("cannot read {} on this machine: {why}: {advice}", path.display());
    let explain = |error: io::Error| {
        let advice = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => "check the path",
            ErrorKind::PermissionDenied => "check its permissions",
            _ => "try again, or copy it elsewhere first",
        };
        cannot(&error_text(&error), advice)
    };
    let metadata = std::fs::metadata(path).map_err(explain)?;
    if metadata.is_dir() {
        return Err(cannot("it is a folder", "give a file in it"));
    }
    if !metadata.is_file() {
        return Err(cannot("it is not a regular file", "copy its content into one first"));
    }
    let mut options = std::fs::OpenOptions::new();
    without_waiting(options.read(true)).open(path).and_then(make).map_err(explain)
}

/// Opens a pipe or a device without waiting for its other end. It has no effect on a regular file.
#[cfg(unix)]
pub(crate) fn without_waiting<O: Flags>(options: &mut O) -> &mut O {
    options.flags(libc::O_NONBLOCK | libc::O_NOCTTY)
}

#[cfg(not(unix))]
pub(crate) fn without_waiting<O>(options: &mut O) -> &mut O {
    options
}

/// The options of two crates that open files.
#[cfg(unix)]
pub(crate) trait Flags {
    fn flags(&mut self, flags: i32) -> &mut Self;
}

#[cfg(unix)]
impl Flags for std::fs::OpenOptions {
    fn flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(self, flags)
    }
}

#[cfg(unix)]
impl Flags for cap_std::fs::OpenOptions {
    fn flags(&mut self, flags: i32) -> &mut Self {
        cap_std::fs::OpenOptionsExt::custom_flags(self, flags)
    }
}

/// What shows that the content of a file changed.
///
/// Times have the resolution of the file system's clock, some milliseconds on older kernels. A change within that time
/// of the opening may stay unseen.
pub(super) struct Version {
    length: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    status: Status,
}

/// The time of the last change of a file's content or status, and the status.
///
/// The time shows a change whose modification time was set back. Another name, owner or permission changes it as well,
/// so a change of those explains it: a file that is replaced while it is served loses its name. A file that is renamed
/// counts as changed.
#[cfg(unix)]
#[derive(PartialEq, Eq)]
struct Status {
    changed: (i64, i64),
    links: u64,
    mode: u32,
    owners: [u32; 2],
}

#[cfg(unix)]
impl Status {
    /// Whether only the time differs.
    fn is_unexplained_after(&self, old: &Self) -> bool {
        self.changed != old.changed && *self == Self { changed: self.changed, ..*old }
    }
}

impl Version {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let status = Status {
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            links: metadata.nlink(),
            mode: metadata.mode(),
            owners: [metadata.uid(), metadata.gid()],
        };
        Self { length: metadata.len(), modified: metadata.modified().ok(), status }
    }

    #[cfg(not(unix))]
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok() }
    }

    pub(super) fn differs_from(&self, old: &Self) -> bool {
        #[cfg(unix)]
        let unexplained = self.status.is_unexplained_after(&old.status);
        #[cfg(not(unix))]
        let unexplained = false;
        self.length != old.length || self.modified != old.modified || unexplained
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Without the flag, this call waits until a writer opens the pipe.
        let file = without_waiting(std::fs::OpenOptions::new().read(true)).open(&pipe).unwrap();
        assert!(!file.metadata().unwrap().is_file());
    }
}
