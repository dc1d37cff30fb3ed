//! A file that is being stored.

use super::folder::{IfTaken, other_name, replaceable};
use super::space::Reservation;
use super::temporary::Temporary;
use cap_std::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Write};

/// A file that is being stored. Dropping it before [`commit`](Self::commit) removes it.
pub(crate) struct Target {
    file: Temporary,
    name: Box<OsStr>,
    if_taken: IfTaken,
    /// The space on the disk, which is given back after `file` is closed.
    reservation: Option<Reservation>,
    /// The number of bytes written since the last flush to the disk.
    unsynced: usize,
}

/// Why a commit failed.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// The name refers to the old content, or to nothing.
    NotStored(io::Error),
    /// The name refers to the new content, but may refer to the old content after a power failure.
    NotDurable(io::Error),
}

impl From<io::Error> for CommitError {
    fn from(error: io::Error) -> Self {
        Self::NotStored(error)
    }
}

impl Target {
    /// The number of bytes after which the file is flushed to the disk. Regular flushes keep the last flush short.
    pub(super) const SYNC_INTERVAL: usize = 64 << 20;

    pub(super) fn new(file: Temporary, name: &OsStr, if_taken: IfTaken) -> Self {
        Self { file, name: name.into(), if_taken, reservation: None, unsynced: 0 }
    }

    /// Counts the bytes of the file in `reservation`, which ends with the file.
    pub(crate) fn with_reservation(mut self, reservation: Reservation) -> Self {
        self.reservation = Some(reservation);
        self
    }

    /// Whether a write of `len` bytes flushes the file to the disk.
    pub(crate) fn will_flush(&self, len: usize) -> bool {
        self.unsynced + len >= Self::SYNC_INTERVAL
    }

    /// Writes the next bytes, and flushes the file from time to time.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.file().write_all(bytes)?;
        if let Some(reservation) = &mut self.reservation {
            reservation.write(bytes.len());
        }
        if self.will_flush(bytes.len()) {
            self.unsynced = 0;
            self.file.file().sync_data()?;
        } else {
            self.unsynced += bytes.len();
        }
        Ok(())
    }

    /// Flushes the file to the disk, gives the file its name, and flushes the folder. Returns the name
    /// if it is another than the one asked for.
    pub(crate) fn commit(self) -> Result<Option<OsString>, CommitError> {
        let Self { mut file, name, if_taken, reservation: _reservation, .. } = self;
        file.file().sync_all()?;
        let mut other = None;
        match if_taken {
            IfTaken::Replace => {
                // Another process may have created an entry with this name meanwhile.
                let folder = file.folder().clone();
                file.replace(&name, false, || replaceable(&folder, &name, if_taken).map(|_| ()))?;
            }
            IfTaken::Refuse => file.link(&name)?,
            IfTaken::Rename => match file.link(&name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    file.link(other.insert(other_name(&name)?))?;
                }
                linked => linked?,
            },
        }
        sync_folder(file.folder()).map_err(CommitError::NotDurable)?;
        Ok(other)
    }
}

/// Flushes the folder to the disk, so that the new name survives a power failure.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Does nothing, because folders cannot be flushed on this system.
#[cfg(not(unix))]
pub(super) fn sync_folder(_folder: &Dir) -> io::Result<()> {
    Ok(())
}
