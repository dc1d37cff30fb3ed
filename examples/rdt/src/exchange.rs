//! Moves data between a connection, a file session and its storage, for client and server.
//!
//! Storage may answer at once or later. While it works, the connection goes on: it acknowledges, probes its peer, and
//! answers. So a slow disk delays only its own exchange, and no peer gives up because of it.

use crate::files::Detail;
use crate::intake::Intake;
use crate::settings::AnyStorage;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Connection, HeapBudget, HeapWindow};
use rdt_proto::ftp::{Answer, NameBuf, Outcome, Output, Request, Session, StorageError};
use std::io;

/// The source or the destination of a request's content.
pub(crate) trait Storage {
    /// Executes a task. Reads fill the connection's own memory.
    ///
    /// `None` if the task takes longer. Call it with the same task again when storage has made progress.
    fn perform(&mut self, task: &Task, connection: &mut Connection<AnyStorage>) -> Option<Result<Answer, Failure>>;

    /// Takes the next bytes of the content, and returns how many. `None` while there is no room.
    fn write(&mut self, bytes: &[u8]) -> Option<Result<usize, Failure>>;

    /// Ends the request.
    fn finish(&mut self);
}

/// A request of a session to its storage. Contents are read and written in order, so that offsets are not needed.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Open { name: NameBuf },
    Create { name: NameBuf, length: u64, replace: bool },
    Read { len: usize },
    Commit,
    Discard,
}

/// A task of storage, or the content that it takes.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "an exchange has one, most of them of the large kind")]
enum Step {
    Write {
        len: usize,
    },
    Perform(Task),
    /// A request of an unknown kind.
    Unknown,
}

impl Step {
    fn of(request: Request<'_>) -> Self {
        Self::Perform(match request {
            Request::Open { name } => Task::Open { name: name.into() },
            Request::Create { name, length, replace } => Task::Create { name: name.into(), length, replace },
            Request::Read { len, .. } => Task::Read { len },
            Request::Write { len, .. } => return Self::Write { len },
            Request::Commit => Task::Commit,
            Request::Discard => Task::Discard,
            _ => return Self::Unknown,
        })
    }
}

/// Why storage failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Failed(io::Error),
    /// A commit has replaced the file, but a power failure may bring the old content back.
    NotDurable(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// One request with its storage.
pub(crate) struct Exchange<S, F> {
    pub(crate) session: S,
    storage: F,
    /// What storage executes.
    step: Option<Step>,
    /// The operating system's message for a storage failure.
    error: Option<Detail>,
    intake: Intake,
}

impl<S: Session, F: Storage> Exchange<S, F> {
    pub(crate) fn new(session: S, storage: F) -> Self {
        Self { session, storage, step: None, error: None, intake: Intake::new(None) }
    }

    /// Takes at most `rate` bytes per second.
    pub(crate) fn taking_at_most(self, rate: Option<u64>) -> Self {
        Self { intake: Intake::new(rate), ..self }
    }

    /// When to call [`pump`](Self::pump), even if nothing has happened.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let intake = self.intake.poll_timeout();
        self.session.poll_timeout().into_iter().chain(intake).min()
    }

    /// More about a storage failure.
    pub(crate) fn error(&self) -> Option<&Detail> {
        self.error.as_ref()
    }

    pub(crate) fn storage(&self) -> &F {
        &self.storage
    }

    /// Takes the next bytes of the stream straight from their datagram. Returns how many were taken.
    ///
    /// The rest waits in the connection for [`pump`](Self::pump), which must follow.
    pub(crate) fn take(&mut self, now: Instant, bytes: &[u8]) -> usize {
        if self.intake.is_limited() {
            return 0;
        }
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let read = self.session.handle_input(now, rest);
            taken += read;
            // There is no room for what is read from storage, which waits as well.
            let answered = self.poll_step(0) && self.receive(now, rest.get(read..).unwrap_or_default());
            if !answered && read == 0 {
                return taken;
            }
        }
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
            let Self { intake, session, .. } = self;
            let read = intake.take(now, connection, |bytes| session.handle_input(now, bytes));
            self.handle_end(connection);
            let answered = self.serve_storage(now, connection);
            let written = self.write(connection);
            if read == 0 && !answered && !written && !window.update(connection, budget) {
                break;
            }
        }
        if self.waits_for_storage(connection) {
            // The peer waits as well, so it cannot make progress itself.
            connection.note_progress(now);
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

    /// Whether storage is making the file durable. The outcome is then open, even if the session is dropped.
    pub(crate) fn is_committing(&self) -> bool {
        matches!(self.step, Some(Step::Perform(Task::Commit)))
    }

    /// Whether storage works on a task. A read that waits for room in the connection waits for the peer.
    fn waits_for_storage(&self, connection: &mut Connection<AnyStorage>) -> bool {
        match &self.step {
            None => false,
            Some(Step::Perform(Task::Read { .. })) => connection.send_slot().is_ok_and(|slot| !slot.is_empty()),
            Some(_) => true,
        }
    }

    /// Takes the next request to storage, unless it executes one. Returns whether there is one.
    fn poll_step(&mut self, room: usize) -> bool {
        if self.step.is_none() {
            self.step = self.session.poll_request(room).map(Step::of);
        }
        self.step.is_some()
    }

    /// Executes a pending storage request, or goes on with one. Returns whether it was answered.
    fn serve_storage(&mut self, now: Instant, connection: &mut Connection<AnyStorage>) -> bool {
        let room = connection.send_slot().map_or(0, |slot| slot.len());
        if !self.poll_step(room) {
            return false;
        }
        let result = match &self.step {
            Some(Step::Write { .. }) => return self.receive(now, connection.recv_chunk()),
            Some(Step::Perform(task)) => self.storage.perform(task, connection),
            Some(Step::Unknown) | None => Some(Ok(Answer::Failed(StorageError::Failed))),
        };
        self.answer(now, result)
    }

    /// Gives content to storage, if that is the pending request. Returns whether it was answered. `unread` begins with
    /// the content.
    fn receive(&mut self, now: Instant, unread: &[u8]) -> bool {
        let Some(Step::Write { len }) = self.step else { return false };
        let written = self.storage.write(unread.get(..len).unwrap_or(unread));
        self.answer(now, written.map(|written| written.map(Answer::Written)))
    }

    /// Passes the answer of storage to the session, if there is one. Returns whether there was.
    fn answer(&mut self, now: Instant, result: Option<Result<Answer, Failure>>) -> bool {
        let Some(result) = result else { return false };
        self.step = None;
        let answer = match result {
            Ok(answer) => answer,
            Err(Failure::Failed(error)) => Answer::Failed(self.note(&error)),
            Err(Failure::NotDurable(error)) => Answer::NotDurable(self.note(&error)),
        };
        // The session accepts the answer, because its type fits the request.
        self.session.handle_answer(now, answer).is_ok()
    }

    /// Keeps the message of an error, and reduces the error to what the peer may learn.
    fn note(&mut self, error: &io::Error) -> StorageError {
        self.error = Some(Detail::of(error));
        StorageError::from(error.kind())
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
                connection.leave();
                true
            }
        }
    }
}
