//! A file to read.

use crate::messages::error_text;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// A file that is read from its start to the length that it had when it was opened.
pub(crate) struct Source {
    file: File,
    opened: Version,
    position: u64,
}

impl Source {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(Self { file, opened: Version::of(&metadata), position: 0 })
    }

    /// Opens a file that the user named. The error is a message for the user.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        open_named(path, Self::new)
    }

    pub(crate) fn length(&self) -> u64 {
        self.opened.length
    }

    /// Replaces the content of `buf` by the next `len` bytes, or by fewer at the end of the file.
    ///
    /// The read that completes the file fails if the file changed since it was opened. What was read may then be part
    /// old and part new, and the receiver must not keep it.
    pub(crate) fn read(&mut self, len: usize, buf: &mut Vec<u8>) -> io::Result<()> {
        let rest = self.opened.length.saturating_sub(self.position);
        buf.resize(usize::try_from(rest).unwrap_or(len).min(len), 0);
        let mut count = 0;
        while count < buf.len() {
            match self.file.read(&mut buf[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buf.truncate(count);
        self.position += count as u64;
        let complete = count > 0 && self.position == self.opened.length;
        if complete && Version::of(&self.file.metadata()?).differs_from(&self.opened) {
            return Err(io::Error::other("the file changed while it was read"));
        }
        Ok(())
    }
}

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
        assert_eq!(Source::new(file).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    }
}
