//! Files for a session: read in order, or stored completely or not at all.
//!
//! Until it is complete and on the disk, a received file has no name, or a random one where the system requires a name.
//! Then it takes its name in one step. Until then, even after SIGKILL, the name refers to the old content.
//!
//! Only regular files are replaced. The new file has the permissions of the old one. A symbolic link to a file, or to
//! nothing, is itself replaced, as by `mv`, and its target stays unchanged. Pipes, sockets, devices and links to them
//! are never replaced.

use crate::messages::error_text;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use cap_tempfile::TempFile;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, IntoInnerError, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The size of a read or write of the system.
const BUFFER_BYTES: usize = 64 << 10;

/// A folder. Nothing outside of it is opened, even through links in it.
pub(crate) struct Folder(Dir);

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self)
    }

    /// Opens a regular file.
    pub(crate) fn read(&self, name: &str) -> io::Result<Source> {
        // Checked before opening: to open a pipe would block until its other end is opened.
        if !self.0.metadata(name)?.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        Source::new(self.0.open(name)?.into_std())
    }

    /// Creates a file that will have this name.
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

/// Returns the metadata of the file with this name. Fails if it may not be replaced.
fn replaceable(folder: &Dir, name: &OsStr, replace: bool) -> io::Result<Option<Metadata>> {
    let there = match folder.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        there => there?,
    };
    if !replace {
        return Err(ErrorKind::AlreadyExists.into());
    }
    // A link out of the folder, or to nothing, is replaced without a look at its target.
    let there = if there.is_symlink() { folder.metadata(name).ok() } else { Some(there) };
    match there {
        Some(other) if !other.is_file() => Err(not_a_file()),
        file => Ok(file),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "the existing entry is not a regular file and is not replaced")
}

/// Copies the permissions without special bits: set-user-ID was meant for the old content.
#[cfg(unix)]
fn keep_permissions(old: &Metadata, new: &TempFile<'_>) -> io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt};
    new.as_file().set_permissions(Permissions::from_mode(old.permissions().mode() & 0o777))
}

/// Does nothing: the only permission elsewhere is "read-only", and such a file cannot be replaced.
#[cfg(not(unix))]
fn keep_permissions(_old: &Metadata, _new: &TempFile<'_>) -> io::Result<()> {
    Ok(())
}

/// A file to read.
pub(crate) struct Source {
    /// A session reads a packet at a time. Reads of the system are larger.
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

    /// Opens the file that a user named. The error states the reason.
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

    /// Reads at `offset`. Returns 0 at the end of the file.
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

/// A file being stored. Dropping it before [`commit`](Self::commit) leaves no trace.
pub(crate) struct Target<'d> {
    folder: &'d Dir,
    /// A session writes a packet at a time. Writes of the system are larger.
    file: BufWriter<TempFile<'d>>,
    name: Box<OsStr>,
    replace: bool,
    position: u64,
    /// Bytes written since the last flush to the disk.
    unsynced: usize,
}

impl Target<'_> {
    /// The bytes between flushes, which keep the last flush short: no other client is served meanwhile.
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

    /// Flushes the file to the disk, gives it its name, and flushes the folder.
    pub(crate) fn commit(self) -> io::Result<()> {
        let Self { folder, file, name, replace, .. } = self;
        let file = file.into_inner().map_err(IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        if replace {
            // An entry may have been created meanwhile.
            replaceable(folder, &name, replace)?;
            file.replace(&name)?;
        } else {
            // A rename would replace an entry created meanwhile. A hard link does not.
            let hidden = format!(".{:032x}.part", u128::from_ne_bytes(crate::entropy::random_bytes()?));
            file.replace(&hidden)?;
            let linked = folder.hard_link(&hidden, folder, &*name);
            // A file that cannot be removed keeps an unpredictable name.
            let _ = folder.remove_file(&hidden);
            linked?;
        }
        sync_folder(folder)
    }
}

/// Flushes the folder, since the new name survives a power cut only then.
#[cfg(unix)]
fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Does nothing: folders cannot be flushed on this system.
#[cfg(not(unix))]
fn sync_folder(_folder: &Dir) -> io::Result<()> {
    Ok(())
}
