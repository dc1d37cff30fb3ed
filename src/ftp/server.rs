//! The server's side of a session.
//!
//! ```text
//! request ──→ upload ──→ Create, Write…, Commit ──→ CONFIRM, close ────────────────→ done
//!    │  │        │         └── not durable ──→ abort ─────────────────────────────→ done
//!    │  │        └── refused or failed ──→ Discard ──┐
//!    │  └────→ download ──→ Open ──→ FILE, Read…, close ───────────────────────────→ done
//!    │            │                     └── storage failed or file shrank ──→ abort ─→ done
//!    └────────────┴──────────────────────────────────┴→ ERROR, drain, close ───────→ done
//!                                                                └─→ abort ─────────→ done
//! ```
//!
//! After ERROR to an upload the server closes only when the client has closed. The client of the public Python
//! implementation first sends all content and then reads the answer, and a close ends both directions for it. Nothing
//! follows any other request, so the server closes at once.

use heapless::Vec;

use super::code::ErrorCode;
use super::message::{FileDecodeError, FileMessage, Header};
use super::name::Name;
use super::session::{Answer, End, FileEvent, Outcome, Output, Reported, Request, Session, TooLate, Transfer, Unasked};
use super::storage::{Incoming, Operation, Outgoing, Storage, Update, in_file};
use crate::time::{Duration, Instant};

/// The limits and options of a [`Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerConfig {
    /// The maximum length of an uploaded file in bytes. Default: 2^40 (1 TiB).
    ///
    /// A longer file is refused as [`ErrorCode::TooLarge`] as soon as its length is known. No byte of it is stored.
    pub max_upload_length: u64,
    /// Whether uploads are refused as [`ErrorCode::NotPermitted`]. Default: no.
    pub read_only: bool,
    /// Whether an upload may replace a file of the same name. Default: yes.
    ///
    /// If not, storage must answer [`StorageError::Exists`](super::StorageError::Exists): to [`Request::Create`] if the
    /// file exists, and to [`Request::Commit`] if the file has been created since.
    pub allow_replace: bool,
    /// The maximum number of bytes that are dropped after an ERROR. Default: 16 MiB.
    ///
    /// The server drops them so that ERROR reaches a client that has filled every buffer on the path, or that reads the
    /// answer only after it has sent all content. If more bytes arrive, the server aborts the connection.
    pub drain_limit_bytes: u64,
    /// The maximum time from the refusal until the client closes. Default: 10 s.
    ///
    /// After that the connection is aborted. [`Duration::MAX`] lifts the limit.
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

/// The server's side of one request, driven through [`Session`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    config: ServerConfig,
    now: Instant,
    request: Header,
    storage: Storage,
    /// The unsent bytes of the answer header.
    answer: Vec<u8, 9>,
    end: End,
    /// The decided outcome. [`Server::is_done`] says whether it may be reported.
    outcome: Option<Outcome>,
    peer_closed: bool,
    drain: Option<Drain>,
    reported: Reported,
}

/// The state after a refusal: input is dropped until the client closes. Only then the server closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Drain {
    left_bytes: u64,
    deadline: Option<Instant>,
    code: ErrorCode,
}

impl Server {
    /// A server that waits for a request.
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
            reported: Reported::empty(),
        }
    }

    /// The direction of the content; `None` until a valid request is complete.
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

    /// The name of the file; `None` until a valid request is complete.
    #[must_use]
    pub fn name(&self) -> Option<Name<'_>> {
        match self.request.message() {
            Ok(Some(FileMessage::Upload { name, .. } | FileMessage::Download { name })) => Some(name),
            Ok(Some(FileMessage::File { .. } | FileMessage::Confirm | FileMessage::Error { .. }) | None) | Err(_) => {
                None
            }
        }
    }

    /// Refuses the request for a reason of the application: overload, permissions, shutdown.
    ///
    /// The client receives ERROR. If the file of a download is already open, the connection is aborted instead. The
    /// call is legal even before the request arrives.
    ///
    /// # Errors
    /// [`TooLate`] if storage was asked to commit, or if the outcome is decided.
    pub fn refuse(&mut self, now: Instant, code: ErrorCode) -> Result<(), TooLate> {
        self.now = self.now.max(now);
        if self.outcome.is_some() || self.storage.is_committing() {
            return Err(TooLate);
        }
        self.send_refusal(code);
        self.settle();
        Ok(())
    }

    /// Processes the part of the request that has arrived: refuses it, or starts storage once it is complete.
    fn process_request(&mut self) {
        if let Some(length) = self.request.upload_length() {
            if self.config.read_only {
                return self.send_refusal(ErrorCode::NotPermitted);
            }
            if length > self.config.max_upload_length {
                return self.send_refusal(ErrorCode::TooLarge);
            }
        }
        match self.request.message() {
            Ok(None) => {}
            Ok(Some(FileMessage::Upload { length, .. })) => self.storage = Storage::Incoming(Incoming::new(length)),
            Ok(Some(FileMessage::Download { .. })) => self.storage = Storage::Outgoing(Outgoing::unopened()),
            Ok(Some(FileMessage::File { .. } | FileMessage::Confirm | FileMessage::Error { .. }))
            | Err(FileDecodeError::UnknownType(_)) => self.send_refusal(ErrorCode::Malformed),
            Err(FileDecodeError::Name(_)) => self.send_refusal(ErrorCode::NameNotAllowed),
        }
    }

    /// Refuses the request with ERROR, or aborts if the answer was already FILE.
    fn send_refusal(&mut self, code: ErrorCode) {
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

    /// Answers with a header, and closes the stream after CONFIRM.
    fn answer(&mut self, message: FileMessage<'_>) {
        // The longest answer is FILE. Its 9 bytes fill the capacity.
        self.answer = Vec::from_slice(Header::encode(message).as_bytes()).unwrap_or_default();
        match message {
            // Content follows FILE. After ERROR the client closes first.
            FileMessage::File { .. } | FileMessage::Error { .. } => {}
            FileMessage::Upload { .. } | FileMessage::Download { .. } | FileMessage::Confirm => self.end.close(),
        }
    }

    fn abort(&mut self, outcome: Outcome, code: ErrorCode) {
        self.storage.stop();
        self.outcome = Some(outcome);
        self.end.abort(code);
    }

    /// Decides the outcome if it is open, and closes the stream without a further message.
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

    /// Drops this input, or nothing while storage uses the input. Beyond the drain limit it also aborts.
    ///
    /// Returns the number of bytes dropped.
    fn discard(&mut self, input: &[u8]) -> usize {
        if self.storage.is_writing() {
            return 0;
        }
        let len = input.len();
        if self.request.as_bytes().is_empty() {
            // The request was refused before it arrived. Its type decides when to close.
            self.request.push(input.get(..1).unwrap_or_default());
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

    /// Decides the outcome once the content is sent, or nothing more can arrive. After a refusal it decides the close.
    fn settle(&mut self) {
        if self.outcome.is_some() {
            if self.drain.is_some() && (self.peer_closed || self.request.is_upload() == Some(false)) {
                self.end.close();
            }
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
            self.process_request();
        }
        let rest = unread.get(taken..).unwrap_or_default();
        taken += if self.outcome.is_some() { self.discard(rest) } else { self.storage.offer(rest.len()) };
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
                    self.abort(Outcome::StorageFailed(error), error.code_of_this_session());
                }
                Some(_) | None => self.send_refusal(error.code_of_this_session()),
            },
            // ERROR would say that the name keeps its previous content.
            Update::NotDurable(error) if self.outcome.is_none() => {
                self.abort(Outcome::StorageFailed(error), error.code_of_this_session());
            }
            Update::Progress | Update::Opened { .. } | Update::Shrunk | Update::Failed(_) | Update::NotDurable(_) => {}
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
            // Requests start only after the name is complete.
            Operation::Open => Request::Open { name: self.name()? },
            Operation::Create { length } => Request::Create { name: self.name()?, length, replace },
            Operation::Read { offset, len } => Request::Read { offset, len },
            Operation::Write { offset, len } => Request::Write { offset, len },
            Operation::Commit => Request::Commit,
            Operation::Discard => Request::Discard,
        })
    }

    fn poll_event(&mut self) -> Option<FileEvent> {
        if !self.reported.contains(Reported::REQUESTED)
            && let Some(transfer) = self.transfer()
        {
            self.reported.insert(Reported::REQUESTED);
            return Some(FileEvent::Requested(transfer));
        }
        if let Some(length) = self.storage.length()
            && self.reported.mark(Reported::STARTED)
        {
            return Some(FileEvent::Started { length });
        }
        let outcome = self.outcome()?;
        self.reported.mark(Reported::DONE).then_some(FileEvent::Done(outcome))
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
