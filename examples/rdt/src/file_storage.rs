//! The storage of an exchange: files in a folder, with the disk work on other threads.

use crate::access::Access;
use crate::disk::{Call, Disk, Reader, Work, Writer};
use crate::exchange::{Failure, Storage, Task};
use crate::files::{CommitError, Folder, IfTaken, Sink, Source, Space, Target, is_hidden, is_reserved};
use crate::memory_file::{MemoryFile, is_memory_file};
use crate::server::Store;
use crate::settings::AnyStorage;
use indicatif::HumanBytes;
use rdt_proto::connection::Connection;
use rdt_proto::ftp::{Answer, NameBuf};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;

/// Files in a folder, or one file to send.
pub(crate) struct Files {
    disk: Disk,
    place: Place,
    open: Open,
    /// The name under which the content was stored, if that is not the name in the request.
    stored_as: Option<OsString>,
}

/// The files that a session may use.
enum Place {
    /// A server: any request. The host of the client may have unfinished uploads as far as there is space.
    Beneath(Store, IpAddr),
    /// A client: what takes the received content was opened before the request. The folder has the disk.
    Into(Option<Sink>, Option<Folder>),
    /// A client: the file to send is open.
    One,
}

/// The open file.
enum Open {
    Nothing,
    Opening(Call<io::Result<Source>>),
    Reading(Reader),
    Creating(Call<io::Result<Target>>),
    Writing(Writer),
    /// A measurement.
    Memory(MemoryFile),
}

impl Files {
    /// Serves the requests that `store` permits to a client at `host`.
    pub(crate) fn beneath(disk: Disk, store: &Store, host: IpAddr) -> Self {
        Self::new(disk, Place::Beneath(store.clone(), host), Open::Nothing)
    }

    /// Writes the received content into `sink`. If it is a file, `folder` has it.
    pub(crate) fn into(disk: Disk, sink: Sink, folder: Option<Folder>) -> Self {
        Self::new(disk, Place::Into(Some(sink), folder), Open::Nothing)
    }

    /// Sends the file `source`.
    pub(crate) fn one(disk: Disk, source: Source) -> Self {
        let open = Open::Reading(Reader::new(disk.clone(), source));
        Self::new(disk, Place::One, open)
    }

    fn new(disk: Disk, place: Place, open: Open) -> Self {
        Self { disk, place, open, stored_as: None }
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The name under which the content was stored, if that is not the name in the request.
    pub(crate) fn stored_as(&self) -> Option<&OsStr> {
        self.stored_as.as_deref()
    }

    /// What happens to content whose name is taken. `replace` is the answer of the session.
    fn if_taken(&self, replace: bool) -> IfTaken {
        match &self.place {
            Place::Beneath(Store { access: Access::WriteOnly, .. }, _) => IfTaken::Rename,
            Place::Beneath(..) | Place::Into(..) | Place::One if replace => IfTaken::Replace,
            Place::Beneath(..) | Place::Into(..) | Place::One => IfTaken::Refuse,
        }
    }

    /// The folder, and the name of the file there.
    fn entry(&self, name: &NameBuf) -> io::Result<(Folder, OsString)> {
        match &self.place {
            Place::Beneath(..) if is_reserved(name.as_name().as_str()) || is_hidden(name.as_name().as_str()) => {
                Err(io::Error::new(ErrorKind::InvalidFilename, "the name is reserved for unfinished files"))
            }
            Place::Beneath(store, _) => Ok((store.folder.clone(), name.as_name().as_str().into())),
            Place::Into(..) | Place::One => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Opens the file `name` if it exists in memory only. Returns its length.
    fn open_memory(&mut self, name: &NameBuf) -> Option<Result<u64, Failure>> {
        let Place::Beneath(store, _) = &self.place else { return None };
        let name = name.as_name().as_str();
        if !is_memory_file(name) {
            return None;
        }
        Some(MemoryFile::open(name, store.bench).map_err(Failure::from).map(|file| {
            let length = file.length();
            self.open = Open::Memory(file);
            length
        }))
    }

    fn open(&mut self, name: &NameBuf) -> Option<Result<Answer, Failure>> {
        if let Some(opened) = self.open_memory(name) {
            return Some(opened.map(|length| Answer::Opened { length }));
        }
        if let Open::Opening(call) = &mut self.open {
            let opened = call.take()?;
            self.open = Open::Nothing;
            return Some(opened.and_then(|opened| opened).map_err(Failure::from).map(|source| {
                let length = source.length();
                self.open = Open::Reading(Reader::new(self.disk.clone(), source));
                Answer::Opened { length }
            }));
        }
        if matches!(&self.place, Place::Beneath(Store { access: Access::WriteOnly, .. }, _)) {
            // The name is not looked up: the answer says nothing about it.
            let error = io::Error::new(ErrorKind::PermissionDenied, "--write-only");
            return Some(Err(error.into()));
        }
        match self.entry(name) {
            Ok((folder, name)) => self.open = Open::Opening(self.disk.call(Work::Read, move || folder.read(&name))),
            Err(error) => return Some(Err(error.into())),
        }
        None
    }

    fn create(&mut self, name: &NameBuf, length: u64, replace: bool) -> Option<Result<Answer, Failure>> {
        if let Some(opened) = self.open_memory(name) {
            return Some(opened.map(|_| Answer::Created));
        }
        if let Place::Into(sink, folder) = &mut self.place {
            let free = folder.as_ref().map_or(u64::MAX, Folder::free_bytes);
            if length > free {
                let why = format!("{} do not fit: {} free on the disk", HumanBytes(length), HumanBytes(free));
                return Some(Err(io::Error::new(ErrorKind::StorageFull, why).into()));
            }
            // A session creates one file.
            let Some(sink) = sink.take() else { return Some(Err(io::Error::from(ErrorKind::AlreadyExists).into())) };
            self.open = Open::Writing(Writer::new(self.disk.clone(), sink));
            return Some(Ok(Answer::Created));
        }
        if let Open::Creating(call) = &mut self.open {
            let created = call.take()?;
            self.open = Open::Nothing;
            return Some(created.and_then(|created| created).map_err(Failure::from).map(|target| {
                self.open = Open::Writing(Writer::new(self.disk.clone(), Sink::File(target)));
                Answer::Created
            }));
        }
        match self.entry(name) {
            Ok((folder, name)) => {
                let space = match &self.place {
                    Place::Beneath(store, host) => Some((store.space.clone(), *host)),
                    Place::Into(..) | Place::One => None,
                };
                let if_taken = self.if_taken(replace);
                let create = move || create(&folder, &name, length, if_taken, space);
                self.open = Open::Creating(self.disk.call(Work::Write, create));
            }
            Err(error) => return Some(Err(error.into())),
        }
        None
    }
}

impl Storage for Files {
    fn perform(&mut self, task: &Task, connection: &mut Connection<AnyStorage>) -> Option<Result<Answer, Failure>> {
        match (task, &mut self.open) {
            (Task::Open { name }, Open::Nothing | Open::Opening(_)) => self.open(name),
            (Task::Create { name, length, replace }, Open::Nothing | Open::Creating(_)) => {
                self.create(name, *length, *replace)
            }
            (Task::Read { len }, Open::Reading(reader)) => {
                Some(read_with(*len, connection, |slot| reader.read(slot))?.map_err(Failure::from))
            }
            (Task::Commit, Open::Writing(writer)) => {
                let committed = writer.commit()?;
                let committed = committed.map(|stored| {
                    self.stored_as = stored;
                    Answer::Committed
                });
                Some(committed.map_err(|error| match error {
                    CommitError::NotStored(error) => Failure::from(error),
                    CommitError::NotDurable(error) => Failure::NotDurable(error),
                }))
            }
            (Task::Read { len }, Open::Memory(file)) => {
                Some(read_with(*len, connection, |slot| Some(file.read(slot)))?.map_err(Failure::from))
            }
            (Task::Commit, Open::Memory(_)) => Some(Ok(Answer::Committed)),
            (Task::Discard, _) => {
                self.finish();
                Some(Ok(Answer::Discarded))
            }
            // A session makes its requests in order, so no other combination occurs.
            (Task::Open { .. } | Task::Create { .. } | Task::Read { .. } | Task::Commit, _) => Some(Err(not_open())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Option<Result<usize, Failure>> {
        match &mut self.open {
            Open::Writing(writer) => Some(writer.write(bytes)?.map_err(Failure::from)),
            Open::Memory(file) => Some(file.write(bytes.len()).map_err(Failure::from)),
            Open::Nothing | Open::Opening(_) | Open::Reading(_) | Open::Creating(_) => Some(Err(not_open())),
        }
    }

    fn finish(&mut self) {
        self.close();
    }
}

fn not_open() -> Failure {
    io::Error::other("no file is open for this request").into()
}

impl Files {
    /// Lets the disk close the file, even if a call on it runs or its result has arrived. A call that waits is
    /// withdrawn.
    fn close(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Opening(call) => self.disk.abandon(call),
            Open::Creating(call) => self.disk.abandon(call),
            // They do so when they are dropped.
            Open::Reading(_) | Open::Writing(_) => {}
            Open::Memory(_) => {}
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.close();
    }
}

/// Creates a file, and reserves its space first if there is a limit.
fn create(
    folder: &Folder,
    name: &OsStr,
    length: u64,
    if_taken: IfTaken,
    space: Option<(Arc<Space>, IpAddr)>,
) -> io::Result<Target> {
    match space {
        None => folder.create(name, if_taken),
        Some((space, host)) => {
            let reservation = space.reserve(|| folder.free_bytes(), host, length)?;
            Ok(folder.create(name, if_taken)?.with_reservation(reservation))
        }
    }
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
