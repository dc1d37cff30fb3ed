//! Moves data between a connection, a session of [`rdt_proto::files`] and its storage, for client and server.
//!
//! Storage answers later, from the threads of the disk. Meanwhile the connection goes on.

use super::chunk::Chunk;
use super::committer::Committer;
use super::content::Stored;
use super::ended::{Ended, Failure, Kind, Success};
use super::place::Place;
use super::receiving::RecvFile;
use super::sending::SendFile;
use super::unread::Unread;
use crate::disk::{Call, Disk};
use crate::files::{EntryBuf, Page, StatusBuf};
use crate::intake::Intake;
use crate::progress_line::{Moving, PathView};
use crate::settings::AnyStorage;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Connection, HeapBudget, HeapWindow};
use rdt_proto::files::{Cause, Digest, FileOutput, FilePathBox, FileSession};
use std::collections::VecDeque;
use std::io;

/// A session with its storage.
pub(crate) struct SessionExchange<S, P> {
    pub(crate) session: S,
    pub(crate) place: P,
    pub(super) disk: Disk,
    pub(super) committer: Committer,
    pub(super) receiving: Option<Receiving>,
    pub(super) receive_task: Option<ReceiveTask>,
    pub(super) queued: VecDeque<Queued>,
    pub(super) sending: Sending,
    pub(super) send_task: Option<SendTask>,
    pub(super) ended: VecDeque<Ended>,
    pub(super) has_ended: bool,
    /// The time of the last turn.
    pub(super) now: Instant,
    /// The content bytes that have left.
    pub(super) sent: u64,
    /// The bytes of messages and content that have left or were taken.
    pub(super) moved: u64,
    /// The bytes of the files that are queued.
    pub(super) queued_bytes: u64,
    pub(super) intake: Intake,
}

/// A file that arrives.
pub(super) struct Receiving {
    pub(super) file: RecvFile,
    pub(super) about: About,
    pub(super) failure: Option<Failure>,
    /// The largest number of bytes.
    pub(super) most: u64,
}

/// The request to which a file belongs.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) number: Option<u32>,
    pub(super) path: Option<FilePathBox>,
    pub(super) started: Instant,
    /// The position at which the content begins, and the length of the file if it is known.
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
}

impl About {
    pub(super) fn new(started: Instant) -> Self {
        Self { number: None, path: None, started, offset: 0, length: None }
    }
}

pub(super) struct Queued {
    pub(super) call: Call<Stored>,
    pub(super) about: About,
    pub(super) bytes: u64,
}

#[derive(Clone, Copy)]
pub(super) enum ReceiveTask {
    Write { len: usize },
    Commit { digest: Option<Digest> },
}

pub(super) enum Sending {
    Nothing,
    Opening(Call<io::Result<Chunk>>, About),
    File {
        file: Box<SendFile>,
        about: About,
        bytes: u64,
    },
    Stat(Call<io::Result<StatusBuf>>, About),
    Listing(Call<io::Result<Page>>, About),
    /// The rest of a page.
    Listed(std::vec::IntoIter<EntryBuf>, bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SendTask {
    Open,
    Read { len: u32 },
    Digest,
    Stat,
    List,
    NextEntry,
}

impl<S: FileSession, P: Place> SessionExchange<S, P> {
    pub(crate) fn new(session: S, place: P, disk: Disk, committer: Committer) -> Self {
        Self {
            session,
            place,
            disk,
            committer,
            receiving: None,
            receive_task: None,
            queued: VecDeque::new(),
            sending: Sending::Nothing,
            send_task: None,
            ended: VecDeque::new(),
            has_ended: false,
            now: Instant::ZERO,
            sent: 0,
            moved: 0,
            queued_bytes: 0,
            intake: Intake::new(None),
        }
    }

    /// Takes at most `rate` bytes per second.
    pub(crate) fn taking_at_most(self, rate: Option<u64>) -> Self {
        Self { intake: Intake::new(rate), ..self }
    }

    /// When to go on, even if nothing has happened.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.intake.poll_timeout()
    }

    /// The disk of this exchange.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Sends the content of the request that a client has just made.
    pub(crate) fn send_content(&mut self, now: Instant, number: u32, first: Chunk) {
        let about = About { number: Some(number), ..About::new(now) };
        self.sending = Sending::File { file: SendFile::new(self.disk.clone(), first).into(), about, bytes: 0 };
    }

    /// The number of content bytes of the file that leaves, and of the one that arrives if there is one.
    pub(crate) fn progress(&self) -> (u64, Option<u64>) {
        let sent = match &self.sending {
            Sending::File { bytes, .. } => *bytes,
            _ => 0,
        };
        (sent, self.receiving.as_ref().map(|receiving| receiving.file.taken()))
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// The content bytes that have left.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether content leaves.
    pub(crate) fn is_sending(&self) -> bool {
        matches!(self.sending, Sending::File { .. })
    }

    /// What moves now. The path is up to the caller.
    pub(crate) fn moving(&self) -> Option<Moving<'_>> {
        let (about, bytes) = match (&self.receiving, &self.sending) {
            (Some(receiving), _) => (&receiving.about, receiving.file.taken()),
            (None, Sending::File { about, bytes, .. }) => (about, *bytes),
            (None, _) => return None,
        };
        let (name, path) = (about.path.as_deref()?.into(), PathView::default());
        Some(Moving { name, done: about.offset + bytes, total: about.length, path })
    }

    /// Why the content that arrives is not stored, with the number of its request.
    pub(crate) fn failure_of_received(&self) -> Option<(u32, &Failure)> {
        let receiving = self.receiving.as_ref().and_then(|file| file.about.number.zip(file.failure.as_ref()));
        // Content that was never taken has ended already, until the session reports it.
        let mut refused = self.ended.iter().filter(|ended| ended.kind == Kind::Received);
        receiving.or_else(|| refused.find_map(|ended| ended.number.zip(ended.result.as_ref().err())))
    }

    /// The number of content bytes that had left of a file when its connection ended in the midst of it.
    pub(crate) fn cut_short(&self) -> Option<u64> {
        let is_cut = |ended: &&Ended| ended.kind == Kind::Sent && ended.result == Err(Failure::Interrupted);
        self.ended.iter().find(is_cut).map(|ended| ended.bytes)
    }

    /// The next content that has ended.
    pub(crate) fn poll_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// What has become of the content of this request.
    pub(crate) fn take_ended(&mut self, number: u32) -> Option<Ended> {
        let index = self.ended.iter().position(|ended| ended.number == Some(number))?;
        self.ended.remove(index)
    }

    /// Whether files wait to be durable. What becomes of them is open, even if the session is dropped.
    pub(crate) fn is_committing(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Takes the next bytes of the stream straight from their datagram. Returns how many were taken.
    ///
    /// The rest waits in the connection for [`turn`](Self::turn), which must follow.
    pub(crate) fn take(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.now = now;
        if self.intake.is_limited() {
            return 0;
        }
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let read = self.session.handle_input(rest);
            taken += read;
            self.moved += read as u64;
            if !self.receive(now, Unread::Datagram(rest.get(read..).unwrap_or_default())) && read == 0 {
                return taken;
            }
        }
    }

    /// Moves data once. Returns whether anything moved. The caller repeats it until nothing does.
    pub(crate) fn turn(&mut self, now: Instant, connection: &mut Connection<AnyStorage>, reads_to_end: bool) -> bool {
        self.now = now;
        let Self { intake, session, .. } = self;
        let read = intake.take(now, connection, |bytes| session.handle_input(bytes));
        self.moved += read as u64;
        self.handle_end(connection, reads_to_end);
        let mut moved = read > 0;
        moved |= self.receive(now, Unread::Connection(connection));
        moved |= self.send(now, connection);
        moved |= self.report_committed();
        moved | self.write(connection)
    }

    /// Lets windows grow, since everything that could be read or written was. Returns whether more can be now.
    ///
    /// While this side waits for its storage, the peer waits as well, and cannot make progress itself.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        connection: &mut Connection<AnyStorage>,
        window: &mut HeapWindow,
        budget: &mut HeapBudget,
    ) -> bool {
        if window.update(connection, budget) {
            return true;
        }
        if self.waits_for_storage(connection) {
            connection.note_progress(now);
        }
        if self.session.is_done() && !std::mem::replace(&mut self.has_ended, true) {
            self.finish();
        }
        false
    }

    /// Ends what has not ended with the session.
    fn finish(&mut self) {
        if let Some(mut receiving) = self.receiving.take() {
            let bytes = receiving.file.taken();
            receiving.file.discard(Cause::Interrupted);
            let failure = receiving.failure.unwrap_or(Failure::Interrupted);
            self.end(Kind::Received, receiving.about, Err(failure), bytes);
        }
        match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::File { about, bytes, .. } => self.end(Kind::Sent, about, Err(Failure::Interrupted), bytes),
            Sending::Opening(call, about) => {
                self.disk.abandon(call);
                self.end(Kind::Sent, about, Err(Failure::Interrupted), 0);
            }
            Sending::Stat(call, _) => self.disk.abandon(call),
            Sending::Listing(call, _) => self.disk.abandon(call),
            Sending::Nothing | Sending::Listed(..) => {}
        }
    }

    pub(super) fn end(&mut self, kind: Kind, about: About, result: Result<Success, Failure>, bytes: u64) {
        let About { number, path, started, .. } = about;
        let (ended, sent) = (self.now, self.sent);
        self.ended.push_back(Ended { kind, number, path, result, bytes, started, ended, sent });
    }

    /// Reports the end of the peer's stream, or of the connection.
    fn handle_end(&mut self, connection: &Connection<AnyStorage>, reads_to_end: bool) {
        let is_read = connection.is_finished_reading();
        match connection.ended() {
            None | Some(CloseReason::Finished | CloseReason::PeerLeft) if is_read => self.session.handle_peer_closed(),
            None | Some(CloseReason::Finished | CloseReason::PeerLeft) => {}
            Some(_) if reads_to_end && !is_read => {}
            Some(CloseReason::Reset { code } | CloseReason::Refused { code }) => {
                self.session.handle_lost(Some(code.into()));
            }
            Some(_) => self.session.handle_lost(None),
        }
    }

    /// Whether the peer waits for storage of this side.
    fn waits_for_storage(&mut self, connection: &mut Connection<AnyStorage>) -> bool {
        let sends = match &mut self.sending {
            Sending::File { file, .. } => !file.is_ready() && connection.send_slot().is_ok_and(|slot| !slot.is_empty()),
            Sending::Opening(..) | Sending::Stat(..) | Sending::Listing(..) => true,
            Sending::Nothing | Sending::Listed(..) => false,
        };
        sends || self.receive_task.is_some() || !self.queued.is_empty()
    }

    /// Passes a pending output of the session to the connection. Returns whether the session made progress.
    fn write(&mut self, connection: &mut Connection<AnyStorage>) -> bool {
        match self.session.poll_output() {
            None => false,
            Some(FileOutput::Message(message)) => match connection.send(message) {
                Ok(len) if len > 0 => {
                    self.moved += len as u64;
                    self.session.output_sent(len).is_ok()
                }
                Ok(_) | Err(_) => false,
            },
            Some(FileOutput::Close) => {
                connection.close();
                true
            }
            Some(FileOutput::Abort(code)) => {
                connection.abort(code.value());
                connection.leave();
                true
            }
        }
    }
}
