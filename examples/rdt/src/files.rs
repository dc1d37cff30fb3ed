//! Files as a session wants them: read in order, or stored whole or not at all.
//!
//! A file that is being received has no name, or (where the system cannot do that) a random one, until it is complete and on
//! the disk. Then it takes its name in one step. Whatever happens before, even SIGKILL, the name shows what it showed before.
//!
//! Only files are replaced, and the new one has the permissions of the old one. A symbolic link to a file, or to nothing, is
//! replaced itself, as by `mv`: what it leads to stays as it is, wherever that is. Pipes, sockets and devices are never
//! replaced, nor are links to them.

use crate::messages::error_text;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use cap_tempfile::TempFile;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, IntoInnerError, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How much is read or written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A folder. Nothing outside of it is opened, whatever links are in it.
pub(crate) struct Folder(Dir);

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self)
    }

    /// Opens a regular file and tells its length.
    pub(crate) fn read(&self, name: &str) -> io::Result<Source> {
        // Before it is opened: opening a pipe would wait for its other end.
        if !self.0.metadata(name)?.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        Source::new(self.0.open(name)?.into_std())
    }

    /// Begins a file that will have this name.
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

/// What has this name, if it is something that a file may replace.
fn replaceable(folder: &Dir, name: &OsStr, replace: bool) -> io::Result<Option<Metadata>> {
    let there = match folder.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        there => there?,
    };
    if !replace {
        return Err(ErrorKind::AlreadyExists.into());
    }
    // Where a link leads out of the folder, or nowhere, nobody looks.
    let there = if there.is_symlink() { folder.metadata(name).ok() } else { Some(there) };
    match there {
        Some(other) if !other.is_file() => Err(not_a_file()),
        file => Ok(file),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "what has this name is not a regular file, and is not replaced")
}

/// What was private stays private. Special bits, such as set-user-ID, were meant for the old content.
#[cfg(unix)]
fn keep_permissions(old: &Metadata, new: &TempFile<'_>) -> io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt};
    new.as_file().set_permissions(Permissions::from_mode(old.permissions().mode() & 0o777))
}

/// All that there is elsewhere is "read-only", which nobody can replace.
#[cfg(not(unix))]
fn keep_permissions(_old: &Metadata, _new: &TempFile<'_>) -> io::Result<()> {
    Ok(())
}

/// A file that is read.
pub(crate) struct Source {
    /// A session asks for a packet at a time: the system is asked for many.
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

    /// Opens what a user named, with an error that says what is wrong.
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

    /// Reads at `offset`; 0 says that the file ends there.
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

/// A file that is being stored. Dropped before [`commit`](Self::commit) it was never there.
pub(crate) struct Target<'d> {
    folder: &'d Dir,
    /// A session hands over a packet at a time: the system gets many.
    file: BufWriter<TempFile<'d>>,
    name: Box<OsStr>,
    replace: bool,
    position: u64,
    /// Bytes written since the last flush to the disk.
    unsynced: usize,
}

impl Target<'_> {
    /// So that the last flush is short: meanwhile nobody else is served.
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

    /// On the disk, then under its name, and that on the disk as well.
    pub(crate) fn commit(self) -> io::Result<()> {
        let Self { folder, file, name, replace, .. } = self;
        let file = file.into_inner().map_err(IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        if replace {
            // It may have come meanwhile.
            replaceable(folder, &name, replace)?;
            file.replace(&name)?;
        } else {
            // Renaming would replace what has come meanwhile, a link does not.
            let hidden = format!(".{:032x}.part", u128::from_ne_bytes(crate::entropy::random_bytes()?));
            file.replace(&hidden)?;
            let linked = folder.hard_link(&hidden, folder, &*name);
            // If it stays, it is under a name that nobody can guess.
            let _ = folder.remove_file(&hidden);
            linked?;
        }
        sync_folder(folder)
    }
}

/// The new name survives a power cut only once its folder is on the disk.
#[cfg(unix)]
fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Folders cannot be flushed here.
#[cfg(not(unix))]
fn sync_folder(_folder: &Dir) -> io::Result<()> {
    Ok(())
}
