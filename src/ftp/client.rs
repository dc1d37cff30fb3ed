//! The client's side of a session.
//!
//! ```text
//! upload    UPLOAD, Read… ──→ all sent ──→ CONFIRM ──→ close ──────────────────────→ done
//!              └──────────────────┴── ERROR, cancelled, storage failed ──→ close ──→ done
//!
//! download  DOWNLOAD ──→ FILE ──→ Create, Write…, Commit ──→ close ────────────────→ done
//!              └──────────┴───────────┴── ERROR, cancelled, failed ──→ close, Discard → done
//! ```

use super::code::{ErrorCode, StorageError};
use super::message::{FileMessage, Header};
use super::name::{Name, NameBuf};
use super::session::{Answer, End, FileEvent, Outcome, Output, Reported, Request, Session, TooLate, Transfer, Unasked};
use super::storage::{Incoming, Operation, Outgoing, Storage, Update};
use crate::time::Instant;

/// The limits and options of a [`Client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientConfig {
    /// The maximum length of a downloaded file in bytes. Default: 2^40 (1 TiB).
    ///
    /// If the file is longer, the client closes without a storage request, and the session ends as
    /// [`Outcome::StorageFailed`] with [`StorageError::TooLarge`].
    pub max_download_length: u64,
    /// Whether a download may replace a file of the same name, as in [`Request::Create`]. Default: yes.
    pub allow_replace: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { max_download_length: 1 << 40, allow_replace: true }
    }
}

/// The client's side of one request, driven through [`Session`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    config: ClientConfig,
    transfer: Transfer,
    name: NameBuf,
    request: Header,
    /// The bytes of `request` that the stream accepted.
    request_sent: usize,
    answer: Header,
    storage: Storage,
    end: End,
    /// The outcome if the transfer stays incomplete. It is set once the peer sends no more.
    final_outcome: Option<Outcome>,
    /// The decided outcome. [`Client::is_done`] says whether it may be reported.
    outcome: Option<Outcome>,
    reported: Reported,
}

impl Client {
    /// Uploads a file of `length` bytes that the caller has opened for reading.
    #[must_use]
    pub fn upload(config: ClientConfig, name: Name<'_>, length: u64) -> Self {
        let storage = Storage::Outgoing(Outgoing::opened(length));
        Self::start(config, Transfer::Upload, name, FileMessage::Upload { length, name }, storage)
    }

    /// Downloads a file. [`Request::Create`] follows once the server has sent the length.
    #[must_use]
    pub fn download(config: ClientConfig, name: Name<'_>) -> Self {
        Self::start(config, Transfer::Download, name, FileMessage::Download { name }, Storage::Untouched)
    }

    fn start(
        config: ClientConfig,
        transfer: Transfer,
        name: Name<'_>,
        message: FileMessage<'_>,
        storage: Storage,
    ) -> Self {
        Self {
            config,
            transfer,
            name: NameBuf::from(name),
            request: Header::encode(message),
            request_sent: 0,
            answer: Header::new(),
            storage,
            end: End::Open,
            final_outcome: None,
            outcome: None,
            reported: Reported::empty(),
        }
    }

    /// The name of the file.
    #[must_use]
    pub fn name(&self) -> Name<'_> {
        self.name.as_name()
    }

    /// The direction of the content.
    #[must_use]
    pub const fn transfer(&self) -> Transfer {
        self.transfer
    }

    /// Cancels the transfer and closes.
    ///
    /// While content is missing, the server treats the close as a cancellation. An upload with all content sent is
    /// aborted instead; the server may have stored it already.
    ///
    /// # Errors
    /// [`TooLate`] if storage was asked to commit, or if the outcome is decided.
    pub fn cancel(&mut self) -> Result<(), TooLate> {
        if self.outcome.is_some() || self.storage.is_committing() {
            return Err(TooLate);
        }
        if self.storage.is_all_sent() && self.unsent_request().is_empty() {
            self.end.abort(ErrorCode::Cancelled);
        }
        self.close(Outcome::Cancelled);
        Ok(())
    }

    fn unsent_request(&self) -> &[u8] {
        self.request.as_bytes().get(self.request_sent..).unwrap_or_default()
    }

    /// Processes the part of the answer that has arrived.
    fn process_answer(&mut self) {
        match (self.transfer, self.answer.server_message()) {
            (_, Ok(None)) => {}
            (_, Ok(Some(FileMessage::Error { code }))) => self.close(Outcome::Refused(code)),
            (Transfer::Upload, Ok(Some(FileMessage::Confirm))) if self.storage.may_be_all_sent() => {
                self.close(Outcome::Stored);
            }
            (Transfer::Download, Ok(Some(FileMessage::File { length }))) => {
                if length > self.config.max_download_length {
                    self.close(Outcome::StorageFailed(StorageError::TooLarge));
                } else {
                    self.storage = Storage::Incoming(Incoming::new(length));
                }
            }
            (Transfer::Upload, Ok(Some(FileMessage::Confirm | FileMessage::File { .. })))
            | (Transfer::Download, Ok(Some(FileMessage::Confirm)))
            | (_, Ok(Some(FileMessage::Upload { .. } | FileMessage::Download { .. })) | Err(_)) => {
                self.end.abort(ErrorCode::Malformed);
                self.close(Outcome::Violation);
            }
        }
    }

    /// Decides the outcome, and closes unless the stream is aborted or gone.
    fn close(&mut self, outcome: Outcome) {
        self.storage.stop();
        self.outcome = Some(outcome);
        self.end.close();
    }

    /// Decides the outcome once nothing more can arrive.
    fn settle(&mut self) {
        if let Some(final_outcome) = self.final_outcome
            && self.outcome.is_none()
            && !self.storage.has_more_to_write(self.end != End::Gone)
            && !self.storage.is_all_written()
        {
            self.close(final_outcome);
        }
    }

    fn handle_gone(&mut self, outcome: Outcome) {
        self.end = End::Gone;
        self.final_outcome.get_or_insert(outcome);
        self.settle();
    }

    fn is_done(&self) -> bool {
        self.outcome.is_some() && self.storage.is_settled() && matches!(self.end, End::Closed | End::Gone)
    }
}

impl Session for Client {
    fn handle_input(&mut self, _now: Instant, unread: &[u8]) -> usize {
        let mut taken = 0;
        if self.outcome.is_none() && self.answer.server_message() == Ok(None) {
            taken = self.answer.push(unread);
            self.process_answer();
        }
        let rest = unread.len().saturating_sub(taken);
        taken += match self.outcome {
            None => self.storage.offer(rest),
            Some(_) if self.storage.is_writing() => 0,
            Some(_) => rest,
        };
        self.settle();
        taken
    }

    fn handle_peer_closed(&mut self) {
        self.final_outcome.get_or_insert(match self.transfer {
            Transfer::Upload => Outcome::Unconfirmed,
            Transfer::Download => Outcome::CutShort,
        });
        self.settle();
    }

    fn handle_aborted(&mut self, code: ErrorCode) {
        self.handle_gone(Outcome::Aborted(code));
    }

    fn handle_lost(&mut self) {
        self.handle_gone(Outcome::Lost);
    }

    /// A client has no deadlines.
    fn handle_timeout(&mut self, _now: Instant) {}

    fn handle_answer(&mut self, _now: Instant, answer: Answer) -> Result<(), Unasked> {
        match self.storage.answer(answer)? {
            Update::Committed => self.close(Outcome::Received),
            Update::Shrunk if self.outcome.is_none() => self.close(Outcome::Shrunk),
            Update::Failed(error) | Update::NotDurable(error) if self.outcome.is_none() => {
                self.close(Outcome::StorageFailed(error));
            }
            Update::Progress | Update::Opened { .. } | Update::Shrunk | Update::Failed(_) | Update::NotDurable(_) => {}
        }
        self.settle();
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output<'_>> {
        if self.outcome.is_none() && self.end == End::Open {
            let unsent = self.unsent_request();
            return (!unsent.is_empty()).then_some(Output::Header(unsent));
        }
        self.end.poll(self.storage.is_reading())
    }

    fn header_sent(&mut self, len: usize) -> Result<(), Unasked> {
        if len > self.unsent_request().len() {
            return Err(Unasked);
        }
        self.request_sent += len;
        Ok(())
    }

    fn poll_request(&mut self, room: usize) -> Option<Request<'_>> {
        let room = if self.unsent_request().is_empty() { room } else { 0 };
        Some(match self.storage.poll(room)? {
            Operation::Open => Request::Open { name: self.name.as_name() },
            Operation::Create { length } => {
                Request::Create { name: self.name.as_name(), length, replace: self.config.allow_replace }
            }
            Operation::Read { offset, len } => Request::Read { offset, len },
            Operation::Write { offset, len } => Request::Write { offset, len },
            Operation::Commit => Request::Commit,
            Operation::Discard => Request::Discard,
        })
    }

    fn poll_event(&mut self) -> Option<FileEvent> {
        if let Some(length) = self.storage.length()
            && self.reported.mark(Reported::STARTED)
        {
            return Some(FileEvent::Started { length });
        }
        let outcome = self.outcome()?;
        self.reported.mark(Reported::DONE).then_some(FileEvent::Done(outcome))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
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
