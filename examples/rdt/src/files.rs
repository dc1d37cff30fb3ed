//! Files for a session. They are read in order, and stored completely or not at all.
//!
//! A received file has no name until it is complete and on the disk. If the system requires a name, the file has a
//! random one. The file then takes its final name in one step. Before this step the final name refers to the old
//! content, even after SIGKILL.
//!
//! Regular files and symbolic links are replaced. The new file has the permissions of the old file. A link is itself
//! replaced, as by `mv`, and its target stays unchanged. Folders, pipes, sockets, devices, and links to such entries of
//! the same folder are never replaced.

use crate::messages::error_text;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use cap_tempfile::TempFile;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, IntoInnerError, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The number of bytes in a read or write of the operating system.
const BUFFER_BYTES: usize = 64 << 10;

/// A folder. Nothing outside of it is opened, even through links in it.
pub(crate) struct Folder(Dir);

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self)
    }

    /// Opens a regular file.
    pub(crate) fn read(&self, name: &str) -> io::Result<Source> {
        // The check precedes the opening, because opening a pipe blocks until its other end is opened.
        if !self.0.metadata(name)?.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        Source::new(self.0.open(name)?.into_std())
    }

    /// Creates a file that takes the name `name` at its commit.
    pub(crate) fn create(&self, name: &OsStr, replace: bool) -> io::Result<Target<'_>> {
        let old = replaceable(&self.0, name, replace)?;
        let file = TempFile::new(&self.0)?;
        if let Some(old) = old {
            keep_permissions(&old, &file)?;
        }
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Target { folder: &self.0, file, name: name.into(), replace, position: 0, unsynced: 0 })
    }
}

/// Returns the metadata of the regular file that `name` is or links to, if there is one.
///
/// Fails if the entry `name` must not be replaced.
fn replaceable(folder: &Dir, name: &OsStr, replace: bool) -> io::Result<Option<Metadata>> {
    let there = match folder.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        there => there?,
    };
    if !replace {
        return Err(ErrorKind::AlreadyExists.into());
    }
    // A broken link, or a link to a target outside the folder, is replaced without a check of its target.
    let there = if there.is_symlink() { folder.metadata(name).ok() } else { Some(there) };
    match there {
        Some(other) if !other.is_file() => Err(not_a_file()),
        file => Ok(file),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "the existing entry is not a regular file and is not replaced")
}

/// Copies the permissions without special bits, because set-user-ID was meant for the old content.
#[cfg(unix)]
fn keep_permissions(old: &Metadata, new: &TempFile<'_>) -> io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt};
    new.as_file().set_permissions(Permissions::from_mode(old.permissions().mode() & 0o777))
}

/// Does nothing. On this system the only permission is "read-only", and a read-only file cannot be replaced.
#[cfg(not(unix))]
fn keep_permissions(_old: &Metadata, _new: &TempFile<'_>) -> io::Result<()> {
    Ok(())
}

/// A file to read.
pub(crate) struct Source {
    /// The file with a buffer. A session reads a packet at a time, and reads of the system should be larger.
    file: BufReader<File>,
    length: u64,
    position: u64,
}

impl Source {
    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(Self { file: BufReader::with_capacity(BUFFER_BYTES, file), length: metadata.len(), position: 0 })
    }

    /// Opens a file that the user named. The error is a message for the user.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let explain = |error: io::Error| format!("cannot read {}: {}", path.display(), error_text(&error));
        let metadata = std::fs::metadata(path).map_err(explain)?;
        if metadata.is_dir() {
            return Err(format!("{} is a directory: only files can be sent", path.display()));
        }
        if !metadata.is_file() {
            return Err(format!("{} is not a regular file: only those can be sent", path.display()));
        }
        File::open(path).and_then(Self::new).map_err(explain)
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Reads at `offset`. Returns the number of bytes, which is 0 at the end of the file.
    pub(crate) fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if offset != self.position {
            self.position = self.file.seek(SeekFrom::Start(offset))?;
        }
        loop {
            match self.file.read(buf) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => {
                    let count = result?;
                    self.position += count as u64;
                    return Ok(count);
                }
            }
        }
    }
}

/// A file that is being stored. Dropping it before [`commit`](Self::commit) removes it.
pub(crate) struct Target<'d> {
    folder: &'d Dir,
    /// The file with a buffer. A session writes a packet at a time, and writes of the system should be larger.
    file: BufWriter<TempFile<'d>>,
    name: Box<OsStr>,
    replace: bool,
    position: u64,
    /// The number of bytes written since the last flush to the disk.
    unsynced: usize,
}

impl Target<'_> {
    /// The number of bytes after which the file is flushed to the disk.
    ///
    /// Regular flushes keep the last flush short. The thread serves no other client during a flush.
    const SYNC_INTERVAL: usize = 64 << 20;

    pub(crate) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset != self.position {
            self.position = self.file.seek(SeekFrom::Start(offset))?;
        }
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        self.unsynced += bytes.len();
        if self.unsynced >= Self::SYNC_INTERVAL {
            self.unsynced = 0;
            self.file.flush()?;
            self.file.get_ref().as_file().sync_data()?;
        }
        Ok(())
    }

    /// Flushes the file to the disk, gives the file its name, and flushes the folder.
    pub(crate) fn commit(self) -> io::Result<()> {
        let Self { folder, file, name, replace, .. } = self;
        let file = file.into_inner().map_err(IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        if replace {
            // Another process may have created an entry with this name meanwhile.
            replaceable(folder, &name, replace)?;
            file.replace(&name)?;
        } else {
            // A hard link fails if an entry was created meanwhile. A rename would replace the entry.
            let hidden = format!(".{:032x}.part", u128::from_ne_bytes(crate::entropy::random_bytes()?));
            file.replace(&hidden)?;
            let linked = folder.hard_link(&hidden, folder, &*name);
            // If the removal fails, the file stays under an unpredictable name.
            let _ = folder.remove_file(&hidden);
            linked?;
        }
        sync_folder(folder)
    }
}

/// Flushes the folder to the disk, so that the new name survives a power failure.
#[cfg(unix)]
fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Does nothing, because folders cannot be flushed on this system.
#[cfg(not(unix))]
fn sync_folder(_folder: &Dir) -> io::Result<()> {
    Ok(())
}
