//! Moves data between a connection, a file session and its files, for client and server.
//!
//! There is no buffer in between: a file is read into the connection's own memory, and received content is written from
//! there into the file. File access blocks, so the server serves no other client while the disk is busy. A server on
//! slow disks should pass the requests to a thread, and return the answers to the session later.

use crate::files::{Folder, Source, Target};
use crate::messages::error_text;
use crate::settings::AnyStorage;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Connection, HeapBudget, HeapWindow};
use rdt_proto::ftp::{Answer, Outcome, Output, Request, Session, StorageError};
use std::ffi::OsString;
use std::io;

/// The source or the destination of a request's content.
pub(crate) trait Storage {
    /// Executes a storage request. Reads fill the connection's own memory, and writes take data from there.
    fn perform(&mut self, request: Request<'_>, connection: &mut Connection<AnyStorage>) -> io::Result<Answer>;

    /// Ends the request.
    fn finish(&mut self);
}

/// Files in a folder, or one file to send.
pub(crate) struct Files<'d> {
    folder: Option<&'d Folder>,
    /// The name of the stored file. `None` for the name in the request.
    local_name: Option<OsString>,
    open: Open<'d>,
}

/// The open file.
enum Open<'d> {
    Nothing,
    Reading(Source),
    Writing(Target<'d>),
}

impl<'d> Files<'d> {
    /// Serves any request of the session from `folder`.
    pub(crate) fn beneath(folder: &'d Folder) -> Self {
        Self { folder: Some(folder), local_name: None, open: Open::Nothing }
    }

    /// Stores the received content as `name`, not under the name in the request.
    pub(crate) fn named(folder: &'d Folder, name: OsString) -> Self {
        Self { local_name: Some(name), ..Self::beneath(folder) }
    }

    /// Sends the file `source`.
    pub(crate) fn one(source: Source) -> Self {
        Self { folder: None, local_name: None, open: Open::Reading(source) }
    }
}

/// One request with its storage.
pub(crate) struct Exchange<S, F> {
    pub(crate) session: S,
    storage: F,
    /// The operating system's message for a storage failure.
    error: Option<String>,
}

impl<S: Session, F: Storage> Exchange<S, F> {
    pub(crate) fn new(session: S, storage: F) -> Self {
        Self { session, storage, error: None }
    }

    /// The operating system's message for a storage failure.
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Moves all data that can be moved now.
    ///
    /// It must run after each datagram, timeout or call that changes the connection or the session. Returns the outcome
    /// of the session, once there is one. Windows grow here, since everything that can be read or written was.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        connection: &mut Connection<AnyStorage>,
        window: &mut HeapWindow,
        budget: &mut HeapBudget,
    ) -> Option<Outcome> {
        loop {
            let read = self.session.handle_input(now, connection.recv_chunk());
            connection.consume(read);
            self.handle_end(connection);
            let answered = self.serve_storage(now, connection);
            let written = self.write(connection);
            if read == 0 && !answered && !written && !window.update(connection, budget) {
                break;
            }
        }
        let outcome = self.session.outcome();
        if outcome.is_some() {
            self.storage.finish();
        }
        outcome
    }

    /// Reports the end of the peer's stream to the session, after all data was read.
    fn handle_end(&mut self, connection: &Connection<AnyStorage>) {
        if !connection.is_finished_reading() {
            return;
        }
        match connection.ended() {
            None | Some(CloseReason::Finished | CloseReason::PeerLeft) => self.session.handle_peer_closed(),
            Some(CloseReason::Reset { code } | CloseReason::Refused { code }) => {
                self.session.handle_aborted(code.into());
            }
            Some(_) => self.session.handle_lost(),
        }
    }

    /// Executes a pending storage request. Returns whether there was one.
    fn serve_storage(&mut self, now: Instant, connection: &mut Connection<AnyStorage>) -> bool {
        let room = connection.send_slot().map_or(0, |slot| slot.len());
        let Some(request) = self.session.poll_request(room) else { return false };
        let answer = match self.storage.perform(request, connection) {
            Ok(answer) => answer,
            Err(error) => {
                self.error = Some(error_text(&error));
                Answer::Failed(StorageError::from(error.kind()))
            }
        };
        // The session accepts the answer, because its type fits the request.
        self.session.handle_answer(now, answer).is_ok()
    }

    /// Passes a pending output of the session to the connection. Returns whether the session made progress.
    fn write(&mut self, connection: &mut Connection<AnyStorage>) -> bool {
        match self.session.poll_output() {
            None => false,
            Some(Output::Header(header)) => {
                let len = header.len();
                connection.send_segment(header).is_ok() && self.session.header_sent(len).is_ok()
            }
            Some(Output::Close) => {
                connection.close();
                true
            }
            Some(Output::Abort(code)) => {
                connection.abort(code.value());
                true
            }
        }
    }
}

impl Storage for Files<'_> {
    fn perform(&mut self, request: Request<'_>, connection: &mut Connection<AnyStorage>) -> io::Result<Answer> {
        let open = &mut self.open;
        match (request, &mut *open, self.folder) {
            (Request::Open { name }, _, Some(folder)) => {
                let source = folder.read(name.as_str())?;
                let length = source.length();
                *open = Open::Reading(source);
                Ok(Answer::Opened { length })
            }
            (Request::Create { name, replace, .. }, _, Some(folder)) => {
                let name = self.local_name.as_deref().unwrap_or(name.as_str().as_ref());
                *open = Open::Writing(folder.create(name, replace)?);
                Ok(Answer::Created)
            }
            (Request::Read { offset, len }, Open::Reading(source), _) => {
                let slot = connection.send_slot().unwrap_or_default();
                let len = len.min(slot.len());
                let count = source.read_at(offset, &mut slot[..len])?;
                connection.commit(count).map_err(io::Error::other)?;
                Ok(Answer::Read(count))
            }
            (Request::Write { offset, len }, Open::Writing(target), _) => {
                let unread = connection.recv_chunk();
                let len = len.min(unread.len());
                target.write_at(offset, &unread[..len])?;
                Ok(Answer::Written(len))
            }
            (Request::Commit, Open::Writing(_), _) => {
                if let Open::Writing(target) = std::mem::replace(open, Open::Nothing) {
                    target.commit()?;
                }
                Ok(Answer::Committed)
            }
            (Request::Discard, _, _) => {
                *open = Open::Nothing;
                Ok(Answer::Discarded)
            }
            // A session makes its requests in order, so no other combination occurs.
            _ => Ok(Answer::Failed(StorageError::Failed)),
        }
    }

    fn finish(&mut self) {
        self.open = Open::Nothing;
    }
}
