//! The storage of an exchange: the files of a place, with the disk work on other threads.
//!
//! ```text
//! Nothing ── Open ──→ Opening ──→ Sending
//! Nothing ── Create ──→ Receiving ── Commit ──→ Committing ──→ Nothing
//! ```
//!
//! Files are read and stored as those of a session with many requests, without what its messages carry: metadata,
//! digests, and parts of interrupted transfers.

use crate::disk::{Call, Disk, Work};
use crate::exchange::{Failure, Storage, Task};
use crate::files::{Outgoing, PeaksBuf};
use crate::memory_file::MemoryFile;
use crate::session::{
    Chunk, Committer, Content, Destination, Destinations, NotStored, Opened, Place, RecvFile, SendFile, Stored, Success,
};
use crate::settings::AnyStorage;
use rdt_proto::connection::Connection;
use rdt_proto::files::{FileKind, FilePath, Flags, Metadata, Target};
use rdt_proto::ftp::{Answer, NameBuf};
use std::io::{self, ErrorKind};

/// The files of a place, of which a request uses one.
pub(crate) struct Files<P> {
    disk: Disk,
    committer: Committer,
    place: P,
    open: Open,
    /// What has become of the content, once it is stored or has left.
    success: Option<Success>,
}

/// The number of the only request.
const ONLY: u32 = 0;

/// The open file.
enum Open {
    Nothing,
    Opening(Call<io::Result<Chunk>>),
    Sending(SendFile),
    Receiving(RecvFile),
    Committing(Call<Stored>),
    /// A measurement.
    Memory(MemoryFile),
}

impl Files<Destinations> {
    /// Stores what a client fetches.
    pub(crate) fn into(disk: Disk, destination: Destination) -> Self {
        Self::new(disk, Committer::default(), Destinations::of_one(ONLY, destination))
    }

    /// Sends the file of a client. Reads its first chunk, which may block.
    pub(crate) fn one(disk: Disk, file: Outgoing) -> Self {
        let mut files = Self::new(disk, Committer::default(), Destinations::default());
        files.open = Open::Sending(SendFile::new(files.disk.clone(), Chunk::first(Content::File(file))));
        files
    }
}

impl<P: Place> Files<P> {
    pub(crate) fn new(disk: Disk, committer: Committer, place: P) -> Self {
        Self { disk, committer, place, open: Open::Nothing, success: None }
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// What has become of the content, once it is stored or has left.
    pub(crate) fn success(&self) -> Option<&Success> {
        self.success.as_ref()
    }

    /// Begins with the file `name`, unless that has happened. One in memory needs no disk.
    fn begin(
        &mut self,
        name: &NameBuf,
        open: impl FnOnce(&mut Self, FilePath<'_>) -> io::Result<Open>,
    ) -> io::Result<()> {
        if !matches!(self.open, Open::Nothing) {
            return Ok(());
        }
        let path = FilePath::new(name.as_name().as_str()).map_err(|_| ErrorKind::InvalidFilename)?;
        self.open = match self.place.memory_file(path) {
            Some(file) => Open::Memory(file?),
            None => open(self, path)?,
        };
        Ok(())
    }

    fn open(&mut self, name: &NameBuf) -> Option<io::Result<Answer>> {
        let begun = self.begin(name, |files, path| {
            let job = files.place.open(path, PeaksBuf::default())?;
            Ok(Open::Opening(files.disk.call(Work::Read, job)))
        });
        match (begun, &mut self.open) {
            (Err(error), _) => Some(Err(error)),
            (Ok(()), Open::Memory(file)) => Some(Ok(Answer::Opened { length: file.length() })),
            (Ok(()), Open::Opening(call)) => {
                let opened = call.take()?.and_then(|opened| opened);
                self.open = Open::Nothing;
                Some(opened.and_then(|chunk| self.send(chunk)))
            }
            (Ok(()), Open::Nothing | Open::Sending(_) | Open::Receiving(_) | Open::Committing(_)) => {
                Some(Err(not_open()))
            }
        }
    }

    /// Begins to send a file. What a link says is no content.
    fn send(&mut self, first: Chunk) -> io::Result<Answer> {
        let Opened { kind: FileKind::File, length: Some(length), .. } = first.content().opened() else {
            return Err(io::Error::new(ErrorKind::NotFound, "it is a link that leads to no file of the folder"));
        };
        self.open = Open::Sending(SendFile::new(self.disk.clone(), first));
        Ok(Answer::Opened { length })
    }

    /// Creates the file before it has any content, so that a refusal comes early.
    fn create(&mut self, name: &NameBuf, length: u64, replace: bool) -> Option<io::Result<Answer>> {
        let begun = self.begin(name, |files, path| {
            let target = Target {
                number: ONLY,
                path: Some(path),
                kind: FileKind::File,
                metadata: Metadata::default(),
                length: Some(length),
                offset: 0,
                flags: if replace { Flags::REPLACE } else { Flags::empty() },
            };
            let create = files.place.create(&target)?;
            Ok(Open::Receiving(RecvFile::new(files.disk.clone(), create, None)))
        });
        match (begun, &mut self.open) {
            (Err(error), _) => Some(Err(error)),
            (Ok(()), Open::Memory(_)) => Some(Ok(Answer::Created)),
            (Ok(()), Open::Receiving(file)) => Some(file.created()?.map(|()| Answer::Created)),
            (Ok(()), Open::Nothing | Open::Opening(_) | Open::Sending(_) | Open::Committing(_)) => {
                Some(Err(not_open()))
            }
        }
    }

    /// Makes the file durable under its name.
    fn commit(&mut self) -> Option<Result<Answer, Failure>> {
        if let Open::Receiving(file) = &mut self.open {
            match file.complete(None, &self.committer)? {
                Ok(call) => self.open = Open::Committing(call),
                Err(error) => return Some(Err(error.into())),
            }
        }
        let Open::Committing(call) = &mut self.open else { return Some(Err(not_open().into())) };
        let stored = call.take()?;
        self.open = Open::Nothing;
        Some(match stored.unwrap_or_else(|error| Err(NotStored::Failed(error))) {
            Ok(stored_as) => {
                self.success = Some(Success::Stored(stored_as));
                Ok(Answer::Committed)
            }
            Err(NotStored::Failed(error)) => Err(Failure::Failed(error)),
            Err(NotStored::Uncertain(error)) => Err(Failure::NotDurable(error)),
            // Without a digest, only the length may differ.
            Err(NotStored::DigestMismatch) => Err(io::Error::from(ErrorKind::InvalidData).into()),
        })
    }
}

impl<P> Files<P> {
    /// Lets the disk close the file, even if a call on it runs or its result has arrived. A call that waits is
    /// withdrawn.
    fn close(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Opening(call) => self.disk.abandon(call),
            // They do so when they are dropped.
            Open::Sending(file) => self.success = Some(Success::Sent { has_grown: file.has_grown() }),
            Open::Receiving(_) => {}
            // The thread completes the commit.
            Open::Committing(_) => {}
            Open::Nothing | Open::Memory(_) => {}
        }
    }
}

impl<P: Place> Storage for Files<P> {
    fn perform(&mut self, task: &Task, connection: &mut Connection<AnyStorage>) -> Option<Result<Answer, Failure>> {
        let answer = match (task, &mut self.open) {
            (Task::Open { name }, _) => self.open(name)?,
            (Task::Create { name, length, replace }, _) => self.create(name, *length, *replace)?,
            (Task::Read { len }, Open::Sending(file)) => read_with(*len, connection, |slot| file.read(slot))?,
            (Task::Read { len }, Open::Memory(file)) => file.send(connection, *len)?.map(Answer::Read),
            (Task::Read { .. }, _) => Err(not_open()),
            (Task::Commit, Open::Memory(_)) => Ok(Answer::Committed),
            (Task::Commit, _) => return self.commit(),
            (Task::Discard, _) => {
                self.close();
                Ok(Answer::Discarded)
            }
        };
        Some(answer.map_err(Failure::from))
    }

    fn write(&mut self, bytes: &[u8]) -> Option<Result<usize, Failure>> {
        let written = match &mut self.open {
            Open::Receiving(file) => file.write(bytes)?,
            Open::Memory(file) => file.write(bytes.len()),
            Open::Nothing | Open::Opening(_) | Open::Sending(_) | Open::Committing(_) => Err(not_open()),
        };
        Some(written.map_err(Failure::from))
    }

    fn finish(&mut self) {
        self.close();
    }
}

impl<P> Drop for Files<P> {
    fn drop(&mut self) {
        self.close();
    }
}

/// A session makes its requests in order, so this does not occur.
fn not_open() -> io::Error {
    io::Error::other("no file is open for this request")
}

/// Reads into the connection's own memory.
fn read_with(
    len: usize,
    connection: &mut Connection<AnyStorage>,
    read: impl FnOnce(&mut [u8]) -> Option<io::Result<usize>>,
) -> Option<io::Result<Answer>> {
    let ended = connection.ended().is_some();
    let slot = connection.send_slot().unwrap_or_default();
    let len = len.min(slot.len());
    if len == 0 {
        // The answer "0 bytes" would mean the end of the file. A connection that has ended never has room again.
        return ended.then(|| Err(io::Error::other("the connection has ended")));
    }
    Some(match read(&mut slot[..len])? {
        Ok(count) => connection.commit(count).map(|()| Answer::Read(count)).map_err(io::Error::other),
        Err(error) => Err(error),
    })
}
