//! A file without a name, or with a temporary one.
//!
//! On Linux a file has no name while it is written, so that a killed program leaves nothing behind. To replace a file
//! it takes a temporary name first, because no system call replaces a name by a file without one. Other systems have
//! only files with names, and there it has the temporary name from the beginning.
//!
//! The program locks the file while it has a temporary name. So such a name whose file is not locked is left from a
//! killed program.

use cap_std::fs::Dir;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::sync::Arc;

const PREFIX: &str = ".rdt-";
const SUFFIX: &str = ".part";
/// The number of random hexadecimal digits in a temporary name.
const DIGITS: usize = 32;

/// A file that is removed when it is dropped, unless it was given a name.
pub(super) struct Temporary {
    folder: Arc<Dir>,
    file: File,
    /// The temporary name, if the file has one.
    name: Option<String>,
}

impl Temporary {
    /// Creates an empty file in `folder`, to be written.
    pub(super) fn new(folder: Arc<Dir>) -> io::Result<Self> {
        Self::create(folder, false)
    }

    /// Creates an empty file in `folder`, to be written and read.
    pub(super) fn readable(folder: Arc<Dir>) -> io::Result<Self> {
        Self::create(folder, true)
    }

    fn create(folder: Arc<Dir>, readable: bool) -> io::Result<Self> {
        match create_unnamed(&folder, readable)? {
            Some(file) => Ok(Self { folder, file, name: None }),
            None => Self::with_name(folder, readable),
        }
    }

    /// Creates an empty file with a temporary name.
    ///
    /// Until it is locked, a program that starts in this moment takes it for a leftover. Another file then replaces it.
    fn with_name(folder: Arc<Dir>, readable: bool) -> io::Result<Self> {
        /// The number of files that programs that start at once may take.
        const ATTEMPTS: u32 = 16;
        for _ in 0..ATTEMPTS {
            let name = temporary_name()?;
            let mut options = cap_std::fs::OpenOptions::new();
            let file = folder.open_with(&name, options.read(readable).write(true).create_new(true))?.into_std();
            let is_taken = lock(&file).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if !is_taken && !is_removed(&file)? {
                return Ok(Self { folder, file, name: Some(name) });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file the name `name`, and replaces an entry of this name in the same step, if `may_replace` allows it.
    /// No system call replaces only files: a pipe or a link that another program creates in this moment is replaced as
    /// well. `flushes_names` says that the file has to be flushed with its temporary name, so that it has one on the disk
    /// before the other file loses its own.
    pub(super) fn replace(
        &mut self,
        name: &OsStr,
        flushes_names: bool,
        may_replace: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if self.name.is_none() {
            // Usually the name is free, and one step is enough.
            match link_unnamed(&self.file, &self.folder, name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => return linked,
            }
        }
        may_replace()?;
        if self.name.is_none() {
            self.take_temporary_name()?;
            if flushes_names {
                self.file.sync_all()?;
            }
        }
        if let Some(temporary) = &self.name {
            rename_over(&self.folder, temporary, &self.folder, name)?;
            self.name = None;
        }
        Ok(())
    }

    /// Gives a temporary name to a file without one.
    fn take_temporary_name(&mut self) -> io::Result<()> {
        // Where files cannot be locked, nothing is removed either.
        let _ = lock(&self.file);
        let temporary = temporary_name()?;
        link_unnamed(&self.file, &self.folder, temporary.as_ref())?;
        self.name = Some(temporary);
        Ok(())
    }

    /// Gives the file the name `name`. Fails if an entry of this name exists, which is checked in the same step. Other
    /// file systems than those with files without a name must have hard links for that.
    pub(super) fn link(&self, name: &OsStr) -> io::Result<()> {
        match &self.name {
            None => link_unnamed(&self.file, &self.folder, name),
            // The drop removes the temporary name.
            Some(temporary) => self.folder.hard_link(temporary, &self.folder, name),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // If the removal fails, the next start of the program repeats it.
            let _ = self.folder.remove_file(name);
        }
    }
}

/// Whether `name` is reserved for temporary files. A request for it is refused, since such a file may be removed.
///
/// Some file systems ignore the case of letters.
pub(super) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let digits = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn temporary_name() -> io::Result<String> {
    Ok(format!("{PREFIX}{:032x}{SUFFIX}", u128::from_ne_bytes(crate::entropy::random_bytes()?)))
}

/// Creates a file without a name. `None` if the system, the file system or a missing `/proc` does not allow that.
#[cfg(target_os = "linux")]
fn create_unnamed(folder: &Dir, readable: bool) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags, openat};
    use rustix::io::Errno;
    /// Without this folder, such a file gets no name.
    static HAS_PROC: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::path::Path::new("/proc/self/fd").exists());
    if !*HAS_PROC {
        return Ok(None);
    }
    let access = if readable { OFlags::RDWR } else { OFlags::WRONLY };
    let flags = OFlags::CLOEXEC | OFlags::TMPFILE | access;
    match openat(folder, ".", flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => Ok(Some(file.into())),
        // The error of a kernel or a file system without such files.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn create_unnamed(_folder: &Dir, _readable: bool) -> io::Result<Option<File>> {
    Ok(None)
}

/// Gives a name to a file without one.
#[cfg(target_os = "linux")]
fn link_unnamed(file: &File, folder: &Dir, name: &OsStr) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link_unnamed(_file: &File, _folder: &Dir, _name: &OsStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Locks a file until it is closed. Fails if another process has locked it.
#[cfg(all(unix, not(target_os = "solaris")))]
pub(super) fn lock(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?)
}

#[cfg(not(all(unix, not(target_os = "solaris"))))]
pub(super) fn lock(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether another process has locked a file. Many may ask at once.
#[cfg(all(unix, not(target_os = "solaris")))]
pub(super) fn is_locked(file: &File) -> bool {
    let shared = rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockShared);
    shared == Err(rustix::io::Errno::WOULDBLOCK)
}

#[cfg(not(all(unix, not(target_os = "solaris"))))]
pub(super) fn is_locked(_file: &File) -> bool {
    false
}

/// Gives an entry of `from` the name of a file or link in `folder`, or a free one. A folder may have got the name since it
/// was looked at.
pub(super) fn rename_over(from: &Dir, old: &str, folder: &Dir, name: &OsStr) -> io::Result<()> {
    from.rename(old, folder, name)
        .map_err(|error| if error.kind() == io::ErrorKind::IsADirectory { not_a_file() } else { error })
}

/// The name is that of something that no file replaces.
pub(super) fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "the existing entry is not a regular file and is not replaced")
}

/// Whether the file has no name any more.
#[cfg(unix)]
fn is_removed(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

/// Never, because files are not locked on this system, and so no leftovers are removed.
#[cfg(not(unix))]
fn is_removed(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// Removes the temporary files of killed programs. An error leaves a file for the next start.
pub(super) fn remove_leftovers(folder: &Dir) {
    for entry in folder.entries().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(is_reserved) {
            continue;
        }
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_file() => remove_if_left(folder, &name),
            Ok(kind) if kind.is_symlink() => remove_old(folder, &name),
            Ok(_) | Err(_) => Ok(()),
        };
    }
}

/// Removes a link. It cannot be locked, but has its temporary name only for a moment.
fn remove_old(folder: &Dir, name: &OsStr) -> io::Result<()> {
    const LONG: std::time::Duration = std::time::Duration::from_secs(60);
    let made = folder.symlink_metadata(name)?.modified()?.into_std();
    if made.elapsed().is_ok_and(|age| age >= LONG) { folder.remove_file(name) } else { Ok(()) }
}

fn remove_if_left(folder: &Dir, name: &OsStr) -> io::Result<()> {
    // The permissions are those of the file to be replaced, which may not be readable.
    let open =
        |options: &mut cap_std::fs::OpenOptions| folder.open_with(name, super::opening::without_waiting(options));
    let mut options = cap_std::fs::OpenOptions::new();
    let file = open(options.clone().read(true)).or_else(|_| open(options.write(true)))?.into_std();
    lock(&file)?;
    folder.remove_file(name)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::files::Folder;
    use cap_std::ambient_authority;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn only_whole_temporary_names_are_reserved() {
        let digits = "0123456789abcdef0123456789ABCDEF";
        assert!(is_reserved(&format!(".rdt-{digits}.part")));
        assert!(is_reserved(&format!(".RDT-{digits}.PART")));
        assert!(is_reserved(&temporary_name().unwrap()));
        for free in
            [".rdt-.part", "rdt-0.part", ".rdt-0123.part", &format!(".rdt-{digits}.par"), &format!("{digits}.part")]
        {
            assert!(!is_reserved(free), "{free}");
        }
        assert!(!is_reserved(&format!(".rdt-{}x.part", &digits[1..])));
    }

    #[test]
    fn only_temporary_files_that_are_not_in_use_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let dir = Arc::new(Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap());
        let mut used = Temporary::new(dir.clone()).unwrap();
        if used.name.is_none() {
            used.take_temporary_name().unwrap();
        }
        let left = temporary_name().unwrap();
        for name in [&left, ".rdt-note.part"] {
            std::fs::write(place.path().join(name), "left").unwrap();
        }
        Folder::open(place.path()).unwrap();
        let entries = dir.entries().unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let mut kept = vec![used.name.clone().unwrap(), ".rdt-note.part".into()];
        kept.sort();
        assert_eq!(names, kept);
    }

    /// Regression: an upload was refused as "no such file".
    #[test]
    fn a_folder_that_has_got_the_name_meanwhile_is_no_missing_file() {
        let place = tempfile::tempdir().unwrap();
        let dir = Arc::new(Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap());
        dir.write("a", "old").unwrap();
        let becomes_folder = || dir.remove_file("a").and_then(|()| dir.create_dir("a"));
        let replaced = Temporary::new(dir.clone()).unwrap().replace(OsStr::new("a"), false, becomes_folder);
        assert_eq!(replaced.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// Regression: between its creation and its lock, a file was removed as a leftover, and its upload failed at the
    /// end.
    #[test]
    fn a_program_that_starts_takes_no_new_temporary_file() {
        let place = tempfile::tempdir().unwrap();
        let dir = Arc::new(Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap());
        let ends = AtomicBool::new(false);
        let created: io::Result<Vec<_>> = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    remove_leftovers(&dir);
                }
            });
            let create = |_| Temporary::with_name(dir.clone(), false)?.replace(OsStr::new("file"), false, || Ok(()));
            let created = (0..2_000).map(create).collect();
            ends.store(true, Ordering::Relaxed);
            created
        });
        created.unwrap();
    }
}
