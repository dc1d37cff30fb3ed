//! The half of a session that sends content, and looks things up for the peer.

use super::content::Opened;
use super::ended::{Failure, Kind, Success};
use super::exchange::{About, SendTask, Sending, SessionExchange};
use super::place::Place;
use super::sending::SendFile;
use crate::disk::Work;
use crate::files::{Detail, Page, storage_error};
use crate::settings::AnyStorage;
use rdt_proto::Instant;
use rdt_proto::connection::Connection;
use rdt_proto::files::{FileSession, Flags, SendAnswer, SendRequest};
use rdt_proto::ftp::StorageError;
use std::io;

impl<S: FileSession, P: Place> SessionExchange<S, P> {
    /// Executes a request of the half that sends. Returns whether it was answered.
    pub(super) fn send(&mut self, now: Instant, connection: &mut Connection<AnyStorage>) -> bool {
        if self.send_task.is_none() {
            // While the session waits for no content, it may speak: a client says that it works.
            let room = match &mut self.sending {
                Sending::File { file, .. } => {
                    if !file.is_ready() {
                        return false;
                    }
                    file.room(connection)
                }
                Sending::Nothing
                | Sending::Opening(..)
                | Sending::Stat(..)
                | Sending::Listing(..)
                | Sending::Listed(..) => connection.send_slot().map_or(0, |slot| slot.len()),
            };
            let Some(request) = self.session.poll_send(room) else { return false };
            let (task, sending) = match request {
                SendRequest::Read { len, .. } => (SendTask::Read { len }, None),
                SendRequest::Digest => (SendTask::Digest, None),
                SendRequest::NextEntry => (SendTask::NextEntry, None),
                SendRequest::Open { path, have } => {
                    let about = About { path: Some(path.into()), ..About::new(now) };
                    match self.place.open(path, have.into()) {
                        Ok(job) => (SendTask::Open, Some(Ok(Sending::Opening(self.disk.call(Work::Read, job), about)))),
                        Err(error) => return self.fail_send(Some((Kind::Sent, about)), &error),
                    }
                }
                SendRequest::Stat { flags, path } => {
                    let about = About { path: Some(path.into()), ..About::new(now) };
                    let job = self.place.stat(path, flags);
                    (SendTask::Stat, Some(job.map(|job| Sending::Stat(self.disk.call(work_of(flags), job), about))))
                }
                SendRequest::List { flags, folder, after } => {
                    let path = folder.map(Into::into);
                    let about = About { path, ..About::new(now) };
                    let job = self.place.list(folder, after, flags);
                    (SendTask::List, Some(job.map(|job| Sending::Listing(self.disk.call(work_of(flags), job), about))))
                }
                _ => return self.answer_send(SendAnswer::Failed(StorageError::Failed)),
            };
            match sending {
                Some(Ok(sending)) => self.sending = sending,
                Some(Err(error)) => return self.fail_send(None, &error),
                None => {}
            }
            self.send_task = Some(task);
        }
        match self.send_task {
            None => false,
            Some(SendTask::Read { len }) => self.read(len, connection),
            Some(SendTask::Digest) => self.digest(),
            Some(SendTask::NextEntry) => self.next_entry(),
            Some(SendTask::Open | SendTask::Stat | SendTask::List) => self.take_opened(),
        }
    }

    fn answer_send(&mut self, answer: SendAnswer<'_>) -> bool {
        self.send_task = None;
        self.session.answer_send(answer).is_ok()
    }

    fn fail_send(&mut self, about: Option<(Kind, About)>, error: &io::Error) -> bool {
        let reason = storage_error(error);
        let about = match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::File { about, bytes, .. } => Some((Kind::Sent, about, bytes)),
            _ => about.map(|(kind, about)| (kind, about, 0)),
        };
        let is_event = |kind: Kind| match kind {
            // A client that wants a folder asks for it in another way.
            Kind::Sent | Kind::Received => error.kind() != io::ErrorKind::IsADirectory,
            // Clients also look for what may not be there.
            Kind::LookedUp | Kind::Listed => {
                matches!(reason, StorageError::Failed | StorageError::NotPermitted | StorageError::Unavailable)
            }
        };
        if let Some((kind, about, bytes)) = about.filter(|(kind, ..)| is_event(*kind)) {
            self.end(kind, about, Err(Failure::Storage(reason, Detail::of(error))), bytes);
        }
        self.answer_send(SendAnswer::Failed(reason))
    }

    /// The connection has ended in the midst of content.
    fn interrupt_send(&mut self) -> bool {
        if let Sending::File { about, bytes, .. } = std::mem::replace(&mut self.sending, Sending::Nothing) {
            self.end(Kind::Sent, about, Err(Failure::Interrupted), bytes);
        }
        self.answer_send(SendAnswer::Failed(StorageError::Failed))
    }

    /// Takes the result of a call that opens, looks up or lists.
    fn take_opened(&mut self) -> bool {
        match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::Opening(mut call, about) => match call.take().map(|opened| opened.and_then(|opened| opened)) {
                None => {
                    self.sending = Sending::Opening(call, about);
                    false
                }
                Some(Err(error)) => self.fail_send(Some((Kind::Sent, about)), &error),
                Some(Ok(chunk)) => {
                    let Opened { kind, metadata, length, offset } = chunk.content().opened();
                    let file = SendFile::new(self.disk.clone(), chunk).into();
                    self.sending = Sending::File { file, about: About { offset, length, ..about }, bytes: 0 };
                    self.answer_send(SendAnswer::Opened { kind, metadata, length, offset })
                }
            },
            Sending::Stat(mut call, about) => match call.take().map(|status| status.and_then(|status| status)) {
                None => {
                    self.sending = Sending::Stat(call, about);
                    false
                }
                Some(Err(error)) => self.fail_send(Some((Kind::LookedUp, about)), &error),
                Some(Ok(status)) => self.answer_send(SendAnswer::Status(status.as_status())),
            },
            Sending::Listing(mut call, about) => match call.take().map(|page| page.and_then(|page| page)) {
                None => {
                    self.sending = Sending::Listing(call, about);
                    false
                }
                Some(Err(error)) => self.fail_send(Some((Kind::Listed, about)), &error),
                Some(Ok(Page { entries, has_more, unreadable })) => {
                    if unreadable > 0 {
                        self.end(Kind::Listed, about, Ok(Success::Listed { unreadable }), 0);
                    }
                    self.sending = Sending::Listed(entries.into_iter(), has_more);
                    self.answer_send(SendAnswer::Listing)
                }
            },
            other @ (Sending::Nothing | Sending::File { .. } | Sending::Listed(..)) => {
                self.sending = other;
                self.answer_send(SendAnswer::Failed(StorageError::Failed))
            }
        }
    }

    /// Sends the next content.
    fn read(&mut self, len: u32, connection: &mut Connection<AnyStorage>) -> bool {
        let Sending::File { file, bytes, .. } = &mut self.sending else {
            return self.answer_send(SendAnswer::Failed(StorageError::Failed));
        };
        match file.send(connection, usize::try_from(len).unwrap_or(usize::MAX)) {
            // The answer "0 bytes" would mean the end of the file. A connection that has ended never has room again.
            None => connection.ended().is_some() && self.interrupt_send(),
            Some(Ok(count)) => {
                // It is at most the length in the request.
                let read = u32::try_from(count).unwrap_or(u32::MAX);
                *bytes += u64::from(read);
                self.sent += u64::from(read);
                self.moved += u64::from(read);
                self.answer_send(SendAnswer::Read(read))
            }
            Some(Err(error)) => self.fail_send(None, &error),
        }
    }

    fn digest(&mut self) -> bool {
        let Sending::File { file, about, bytes } = &mut self.sending else {
            return self.answer_send(SendAnswer::Failed(StorageError::Failed));
        };
        match file.digest() {
            None => false,
            Some(Ok(digest)) => {
                let (about, bytes, has_grown) = (about.clone(), *bytes, file.has_grown());
                self.sending = Sending::Nothing;
                self.end(Kind::Sent, about, Ok(Success::Sent { has_grown }), bytes);
                self.answer_send(SendAnswer::Digest(digest))
            }
            Some(Err(error)) => self.fail_send(None, &error),
        }
    }

    fn next_entry(&mut self) -> bool {
        let Sending::Listed(entries, has_more) = &mut self.sending else {
            return self.answer_send(SendAnswer::Failed(StorageError::Failed));
        };
        match entries.next() {
            Some(entry) => self.answer_send(SendAnswer::Entry(entry.as_entry())),
            None => {
                let has_more = *has_more;
                self.sending = Sending::Nothing;
                self.answer_send(SendAnswer::NoEntry { has_more })
            }
        }
    }
}

/// The kind of work of a look-up. With digests it reads whole files.
fn work_of(flags: Flags) -> Work {
    if flags.contains(Flags::DIGEST) { Work::Hash } else { Work::Read }
}
