//! The hidden folder of a tree. It is made when it is needed, and removed when it is empty.

use super::super::opening::without_waiting;
use super::names::HIDDEN;
use cap_std::fs::{Dir, OpenOptions};
use std::fs::File;
use std::io::{self, ErrorKind};

/// Opens the hidden folder if it is there.
///
/// A change of its files can make the program store or send other bytes than it says. So it must be a folder of this
/// user that no other user may write to.
pub(super) fn open(outermost: &Dir) -> io::Result<Dir> {
    if !outermost.symlink_metadata(HIDDEN)?.is_dir() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "the hidden folder is not a folder"));
    }
    let hidden = outermost.open_dir(HIDDEN)?;
    if is_private(&hidden)? {
        Ok(hidden)
    } else {
        Err(io::Error::new(ErrorKind::PermissionDenied, "the hidden folder belongs to another user"))
    }
}

/// Runs `create` in the hidden folder, which is made if it is missing. Another program may remove it meanwhile.
pub(super) fn create<T>(outermost: &Dir, create: impl Fn(&Dir) -> io::Result<T>) -> io::Result<T> {
    const ATTEMPTS: u32 = 16;
    for _ in 0..ATTEMPTS {
        let created = open(outermost).and_then(|hidden| create(&hidden));
        match created {
            Err(error) if error.kind() == ErrorKind::NotFound => match make(outermost) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            },
            other => return other,
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// Removes the folder if it is empty.
pub(super) fn remove_if_empty(outermost: &Dir) {
    // It usually is not.
    let _ = outermost.remove_dir(HIDDEN);
}

/// Opens a file of the folder.
pub(super) fn open_file(hidden: &Dir, name: &str, options: &OpenOptions) -> io::Result<File> {
    let file = hidden.open_with(name, without_waiting(&mut options.clone()))?.into_std();
    let metadata = file.metadata()?;
    // A file with another name would change under that name as well.
    if metadata.is_file() && has_one_name(&metadata) { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
}

#[cfg(unix)]
fn has_one_name(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) <= 1
}

#[cfg(not(unix))]
fn has_one_name(_metadata: &std::fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn make(outermost: &Dir) -> io::Result<()> {
    use cap_std::fs::{DirBuilder, DirBuilderExt};
    outermost.create_dir_with(HIDDEN, DirBuilder::new().mode(0o700))
}

#[cfg(not(unix))]
fn make(outermost: &Dir) -> io::Result<()> {
    outermost.create_dir(HIDDEN)
}

#[cfg(unix)]
fn is_private(hidden: &Dir) -> io::Result<bool> {
    let metadata = rustix::fs::fstat(hidden)?;
    Ok(metadata.st_uid == rustix::process::geteuid().as_raw() && metadata.st_mode & 0o022 == 0)
}

#[cfg(not(unix))]
fn is_private(_hidden: &Dir) -> io::Result<bool> {
    Ok(true)
}
