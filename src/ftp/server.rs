//! The server's side of one request.
//!
//! ```text
//! request ──→ upload ──→ Create, Write…, Commit ──→ CONFIRM, close ────────────────→ done
//!    │  │        └── refused or failed ──→ Discard ──┐
//!    │  └────→ download ──→ Open ──→ FILE, Read…, close ───────────────────────────→ done
//!    │            │                     └── storage failed or file shrank ──→ abort ─→ done
//!    └────────────┴──────────────────────────────────┴→ ERROR, close, drain ───────→ done
//!                                                                        └─→ abort ─→ done
//! ```

use heapless::Vec;

use super::code::ErrorCode;
use super::message::{FileDecodeError, FileMessage, Header};
use super::name::Name;
use super::session::{Answer, End, FileEvent, Outcome, Output, Request, Session, Told, TooLate, Transfer, Unasked};
use super::storage::{Incoming, Outgoing, Storage, Update, Want, in_file};
use crate::time::{Duration, Instant};

/// What a [`Server`] allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerConfig {
    /// The longest file that may be uploaded, in bytes. A longer one is refused as [`ErrorCode::TooLarge`] as soon as
    /// its length is known, and no byte of it is stored. Default: 2^40 (1 TiB).
    pub max_upload_length: u64,
    /// Whether uploads are refused as [`ErrorCode::NotPermitted`]. Default: no.
    pub read_only: bool,
    /// Whether an upload may replace a file of the same name. If not, storage shall answer [`Request::Create`] and
    /// [`Request::Commit`] with [`StorageError::Exists`](super::StorageError::Exists). Default: yes.
    pub allow_replace: bool,
    /// How many bytes are taken and dropped after an ERROR, so that the client, which may have filled every buffer
    /// between, gets to read it. One more, and the connection is aborted. Default: 16 MiB.
    pub drain_limit_bytes: u64,
    /// How long that may last, from the refusal on; then the connection is aborted. [`Duration::MAX`]: for ever.
    /// Default: 10 s.
    pub drain_limit: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_upload_length: 1 << 40,
            read_only: false,
            allow_replace: true,
            drain_limit_bytes: 16 << 20,
            drain_limit: Duration::from_secs(10),
        }
    }
}

/// The server's side of one request. Drive it by [`Session`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    config: ServerConfig,
    now: Instant,
    request: Header,
    storage: Storage,
    /// What is left to send of the one header that answers.
    answer: Vec<u8, 9>,
    end: End,
    /// Decided, but perhaps not yet told: see [`Server::is_done`].
    outcome: Option<Outcome>,
    peer_closed: bool,
    drain: Option<Drain>,
    told: Told,
}

/// Input is dropped until the client has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Drain {
    left_bytes: u64,
    deadline: Option<Instant>,
    code: ErrorCode,
}

impl Server {
    /// A server that waits for its request.
    #[must_use]
    pub const fn new(config: ServerConfig) -> Self {
        Self {
            config,
            now: Instant::ZERO,
            request: Header::new(),
            storage: Storage::Untouched,
            answer: Vec::new(),
            end: End::Open,
            outcome: None,
            peer_closed: false,
            drain: None,
            told: Told::empty(),
        }
    }

    /// What the client asks for; `None` until its whole request is here and its name is allowed.
    #[must_use]
    pub fn transfer(&self) -> Option<Transfer> {
        match self.request.message() {
            Ok(Some(FileMessage::Upload { .. })) => Some(Transfer::Upload),
            Ok(Some(FileMessage::Download { .. })) => Some(Transfer::Download),
            Ok(Some(FileMessage::File { .. } | FileMessage::Confirm | FileMessage::Error { .. }) | None) | Err(_) => {
                None
            }
        }
    }

    /// The name in the request; `None` until the whole request is here and the name is allowed.
    #[must_use]
    pub fn name(&self) -> Option<Name<'_>> {
        match self.request.message() {
            Ok(Some(FileMessage::Upload { name, .. } | FileMessage::Download { name })) => Some(name),
            Ok(Some(FileMessage::File { .. } | FileMessage::Confirm | FileMessage::Error { .. }) | None) | Err(_) => {
                None
            }
        }
    }

    /// Says no for a reason of the caller's own: too busy, not this client, shutting down. The client is told by ERROR,
    /// or by aborting once the content of a download may have begun. Possible even before the request has come.
    ///
    /// # Errors
    /// [`TooLate`] if storage was already asked to commit, or the answer is given.
    pub fn refuse(&mut self, now: Instant, code: ErrorCode) -> Result<(), TooLate> {
        self.now = self.now.max(now);
        if self.outcome.is_some() || self.storage.is_committing() {
            return Err(TooLate);
        }
        self.answer_no(code);
        Ok(())
    }

    /// Reads what there is of the request, and refuses it or lets storage begin.
    fn examine_request(&mut self) {
        if let Some(length) = self.request.upload_length() {
            if self.config.read_only {
                return self.answer_no(ErrorCode::NotPermitted);
            }
            if length > self.config.max_upload_length {
                return self.answer_no(ErrorCode::TooLarge);
            }
        }
        match self.request.message() {
            Ok(None) => {}
            Ok(Some(FileMessage::Upload { length, .. })) => self.storage = Storage::Incoming(Incoming::new(length)),
            Ok(Some(FileMessage::Download { .. })) => self.storage = Storage::Outgoing(Outgoing::unopened()),
            Ok(Some(FileMessage::File { .. } | FileMessage::Confirm | FileMessage::Error { .. }))
            | Err(FileDecodeError::UnknownType(_)) => self.answer_no(ErrorCode::Malformed),
            Err(FileDecodeError::Name(_)) => self.answer_no(ErrorCode::NameNotAllowed),
        }
    }

    /// Refuses: by ERROR while nothing else was answered, else by aborting.
    fn answer_no(&mut self, code: ErrorCode) {
        if matches!(self.storage, Storage::Outgoing(_)) && self.storage.length().is_some() {
            return self.abort(Outcome::Refused(code), code);
        }
        self.storage.stop();
        self.outcome = Some(Outcome::Refused(code));
        self.answer(FileMessage::Error { code });
        let limit = self.config.drain_limit;
        self.drain = Some(Drain {
            left_bytes: self.config.drain_limit_bytes,
            deadline: (limit != Duration::MAX).then(|| self.now + limit),
            code,
        });
    }

    /// Answers with a header. Unless content follows it, the stream ends there.
    fn answer(&mut self, message: FileMessage<'_>) {
        // Every answer has at most 9 bytes: it fits.
        self.answer = Vec::from_slice(Header::encode(message).as_bytes()).unwrap_or_default();
        match message {
            FileMessage::File { .. } => {}
            FileMessage::Upload { .. }
            | FileMessage::Download { .. }
            | FileMessage::Confirm
            | FileMessage::Error { .. } => {
                self.end.close();
            }
        }
    }

    fn abort(&mut self, outcome: Outcome, code: ErrorCode) {
        self.storage.stop();
        self.outcome = Some(outcome);
        self.end.abort(code);
    }

    /// Ends without an answer: the client is gone or wants none.
    fn finish(&mut self, outcome: Outcome) {
        if self.outcome.is_none() {
            self.storage.stop();
            self.outcome = Some(outcome);
        }
        self.end.close();
    }

    fn is_draining(&self) -> bool {
        self.drain.is_some() && !self.peer_closed
    }

    /// Drops `len` bytes of input, up to the limit.
    fn discard(&mut self, len: usize) -> usize {
        if self.storage.is_writing() {
            return 0;
        }
        if let Some(drain) = &mut self.drain {
            match drain.left_bytes.checked_sub(in_file(len)) {
                Some(left_bytes) => drain.left_bytes = left_bytes,
                None => self.stop_draining(),
            }
        }
        len
    }

    fn stop_draining(&mut self) {
        if let Some(drain) = self.drain.take() {
            self.end.abort(drain.code);
        }
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
            self.stop_draining();
        }
    }

    /// Notices that it is over.
    fn settle(&mut self) {
        if self.outcome.is_some() {
            return;
        }
        if self.storage.is_all_sent() && self.answer.is_empty() {
            self.finish(Outcome::Sent);
        } else if self.peer_closed && !self.storage.has_more_to_write(true) && !self.storage.is_all_written() {
            let requested = !matches!(self.storage, Storage::Untouched);
            self.finish(if requested { Outcome::Cancelled } else { Outcome::NoRequest });
        }
    }

    fn is_done(&self) -> bool {
        self.outcome.is_some()
            && self.storage.is_settled()
            && match self.end {
                End::Closed => !self.is_draining(),
                End::Gone => true,
                End::Open | End::Closing | End::Aborting(_) => false,
            }
    }
}

impl Session for Server {
    fn handle_input(&mut self, now: Instant, unread: &[u8]) -> usize {
        self.advance(now);
        let mut taken = 0;
        if self.outcome.is_none() && matches!(self.storage, Storage::Untouched) {
            taken = self.request.push(unread);
            self.examine_request();
        }
        let rest = unread.len().saturating_sub(taken);
        taken += if self.outcome.is_some() { self.discard(rest) } else { self.storage.offer(rest) };
        self.settle();
        taken
    }

    fn handle_peer_closed(&mut self) {
        self.peer_closed = true;
        self.settle();
    }

    fn handle_aborted(&mut self, code: ErrorCode) {
        self.finish(Outcome::Aborted(code));
        self.end = End::Gone;
    }

    fn handle_lost(&mut self) {
        self.finish(Outcome::Lost);
        self.end = End::Gone;
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    fn handle_answer(&mut self, now: Instant, answer: Answer) -> Result<(), Unasked> {
        self.advance(now);
        match self.storage.answer(answer)? {
            Update::Committed => {
                self.outcome = Some(Outcome::Stored);
                self.answer(FileMessage::Confirm);
            }
            Update::Opened { length } if self.outcome.is_none() => self.answer(FileMessage::File { length }),
            Update::Shrunk if self.outcome.is_none() => self.abort(Outcome::Shrunk, ErrorCode::StorageFailed),
            Update::Failed(error) if self.outcome.is_none() => match self.storage.length() {
                Some(_) if matches!(self.storage, Storage::Outgoing(_)) => {
                    self.abort(Outcome::StorageFailed(error), error.into());
                }
                Some(_) | None => self.answer_no(error.into()),
            },
            Update::Progress | Update::Opened { .. } | Update::Shrunk | Update::Failed(_) => {}
        }
        self.settle();
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output<'_>> {
        match self.end {
            End::Open | End::Closing | End::Closed if !self.answer.is_empty() => Some(Output::Header(&self.answer)),
            End::Open | End::Closing | End::Closed | End::Aborting(_) | End::Gone => {
                self.end.poll(self.storage.is_reading())
            }
        }
    }

    fn header_sent(&mut self, len: usize) -> Result<(), Unasked> {
        let rest = self.answer.get(len..).ok_or(Unasked)?;
        self.answer = Vec::from_slice(rest).unwrap_or_default();
        self.settle();
        Ok(())
    }

    fn poll_request(&mut self, room: usize) -> Option<Request<'_>> {
        let room = if self.answer.is_empty() { room } else { 0 };
        let replace = self.config.allow_replace;
        Some(match self.storage.poll(room)? {
            // Storage begins when the request is whole, so its name is there.
            Want::Open => Request::Open { name: self.name()? },
            Want::Create { length } => Request::Create { name: self.name()?, length, replace },
            Want::Read { offset, len } => Request::Read { offset, len },
            Want::Write { offset, len } => Request::Write { offset, len },
            Want::Commit => Request::Commit,
            Want::Discard => Request::Discard,
        })
    }

    fn poll_event(&mut self) -> Option<FileEvent> {
        if !self.told.contains(Told::REQUESTED)
            && let Some(transfer) = self.transfer()
        {
            self.told.insert(Told::REQUESTED);
            return Some(FileEvent::Requested(transfer));
        }
        if let Some(length) = self.storage.length()
            && self.told.first(Told::STARTED)
        {
            return Some(FileEvent::Started { length });
        }
        let outcome = self.outcome()?;
        self.told.first(Told::DONE).then_some(FileEvent::Done(outcome))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.drain.filter(|_| self.is_draining() && self.end != End::Gone)?.deadline
    }

    fn bytes_done(&self) -> u64 {
        self.storage.bytes_done()
    }

    fn length(&self) -> Option<u64> {
        self.storage.length()
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome.filter(|_| self.is_done())
    }
}
