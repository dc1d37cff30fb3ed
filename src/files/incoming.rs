//! Content from the stream to storage.
//!
//! ```text
//!            Created             END                 Queued
//! Preparing ───────→ Ready ⇄ Writing ──→ Committing ──────→ Gone        A folder goes from Preparing to Committing.
//!     │ failed         └── failed, CANCEL ────┴──→ Discarding ──→ Gone
//!     └───────────────────────────────────────────────────────→ Gone
//! ```
//!
//! Storage holds nothing in `Gone`. Content that still arrives is dropped until its END.

use super::message::Digest;
use super::request::{Cause, ReceiveAnswer};
use crate::ftp::{ErrorCode, StorageError, Unasked};

/// A file that arrives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incoming {
    /// The position in the file of the next byte to write.
    position: u64,
    /// The largest length of the file.
    most: u64,
    /// The announced length.
    length: Option<u64>,
    /// Content bytes written to storage, but not yet consumed from the input.
    unconsumed: usize,
    /// Content bytes of the input after the unconsumed ones, not yet written.
    unread: usize,
    step: Step,
    /// Why the file ends, once storage has answered.
    stop: Option<Cause>,
    stream: Stream,
}

/// Whether more content may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stream {
    Open,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Prepare,
    Preparing,
    Ready,
    Writing(usize),
    Commit(Option<Digest>),
    Committing,
    Discard(Cause),
    Discarding,
    Gone,
}

/// A request to storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Prepare,
    Write { offset: u64, len: usize },
    Commit { digest: Option<Digest> },
    Discard(Cause),
}

/// The effect of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    Progress,
    Queued,
    Failed(StorageError),
}

impl Incoming {
    /// A file of at most `most` bytes, which storage has yet to prepare. Its content begins at `position`.
    pub(super) const fn new(position: u64, length: Option<u64>, most: u64) -> Self {
        let (unconsumed, unread) = (0, 0);
        Self { position, most, length, unconsumed, unread, step: Step::Prepare, stop: None, stream: Stream::Open }
    }

    /// Whether content may be processed, or the message that ends it.
    pub(super) fn is_ready(&self) -> bool {
        let has_no_work = match self.step {
            Step::Ready | Step::Gone | Step::Discard(_) | Step::Discarding => true,
            Step::Writing(_) | Step::Prepare | Step::Preparing | Step::Commit(_) | Step::Committing => false,
        };
        has_no_work && self.stream == Stream::Open
    }

    /// Whether the end of the content has not arrived.
    pub(super) fn is_open(&self) -> bool {
        self.stream == Stream::Open
    }

    /// Whether storage uses bytes of the input.
    pub(super) const fn is_writing(&self) -> bool {
        matches!(self.step, Step::Writing(_))
    }

    /// Whether content is dropped that still arrives.
    pub(super) const fn is_dropped(&self) -> bool {
        matches!(self.step, Step::Gone | Step::Discard(_) | Step::Discarding)
    }

    /// Whether the content has ended, and storage holds no unfinished file.
    pub(super) fn is_finished(&self) -> bool {
        self.stream == Stream::Ended && self.step == Step::Gone
    }

    /// Why the file takes no `len` more bytes of content, if it does not: they exceed its length, or that of any file.
    pub(super) fn excess_of(&self, len: usize) -> Option<ErrorCode> {
        let end = self.position.saturating_add(in_file(len.saturating_sub(self.unconsumed)));
        match self.length {
            _ if self.step != Step::Ready => None,
            Some(length) if length < end => Some(ErrorCode::Malformed),
            Some(_) | None => (self.most < end).then_some(ErrorCode::TooLarge),
        }
    }

    /// Offers the first `len` bytes of the input, which are content. Returns how many are consumed.
    pub(super) fn offer(&mut self, len: usize) -> usize {
        match self.step {
            Step::Ready => {
                let taken = self.unconsumed.min(len);
                self.unconsumed -= taken;
                self.unread = len - taken;
                taken
            }
            Step::Gone | Step::Discard(_) | Step::Discarding => {
                (self.unconsumed, self.unread) = (0, 0);
                len
            }
            Step::Writing(_) | Step::Prepare | Step::Preparing | Step::Commit(_) | Step::Committing => 0,
        }
    }

    /// The content is complete. Returns false if it is shorter than announced.
    pub(super) fn end(&mut self, digest: Option<Digest>) -> bool {
        self.stream = Stream::Ended;
        if self.step != Step::Ready {
            return true;
        }
        let is_whole = self.length.is_none_or(|length| length == self.position);
        self.step = if is_whole { Step::Commit(digest) } else { Step::Discard(Cause::Invalid) };
        is_whole
    }

    /// There is no content: the file is complete once storage has prepared it.
    pub(super) fn end_without_content(&mut self) {
        self.stream = Stream::Ended;
    }

    /// No content follows. Returns whether the file was unfinished.
    pub(super) fn cancel(&mut self, cause: Cause) -> bool {
        self.stream = Stream::Ended;
        self.stop(cause)
    }

    /// Ends the unfinished file. Content that still arrives is dropped. Returns whether the file was unfinished.
    pub(super) fn stop(&mut self, cause: Cause) -> bool {
        match self.step {
            Step::Prepare => self.step = Step::Gone,
            Step::Ready => self.step = Step::Discard(cause),
            Step::Preparing | Step::Writing(_) => return self.stop.replace(cause).is_none(),
            Step::Commit(_) | Step::Committing | Step::Discard(_) | Step::Discarding | Step::Gone => return false,
        }
        true
    }

    pub(super) fn poll(&mut self) -> Option<Operation> {
        let (step, operation) = match self.step {
            Step::Prepare => (Step::Preparing, Operation::Prepare),
            Step::Ready if self.unconsumed == 0 && self.unread > 0 => {
                (Step::Writing(self.unread), Operation::Write { offset: self.position, len: self.unread })
            }
            Step::Commit(digest) => (Step::Committing, Operation::Commit { digest }),
            Step::Discard(cause) => (Step::Discarding, Operation::Discard(cause)),
            Step::Ready | Step::Preparing | Step::Writing(_) | Step::Committing | Step::Discarding | Step::Gone => {
                return None;
            }
        };
        self.step = step;
        Some(operation)
    }

    pub(super) fn answer(&mut self, answer: ReceiveAnswer) -> Result<Update, Unasked> {
        let ready = self.stop.map_or(Step::Ready, Step::Discard);
        let (step, update) = match (self.step, answer) {
            (Step::Preparing, ReceiveAnswer::Created) if self.stream == Stream::Ended && self.stop.is_none() => {
                (Step::Commit(None), Update::Progress)
            }
            (Step::Preparing, ReceiveAnswer::Created) => (ready, Update::Progress),
            (Step::Preparing, ReceiveAnswer::Failed(error)) => (Step::Gone, Update::Failed(error)),
            (Step::Writing(asked), ReceiveAnswer::Written(len)) if len <= asked => {
                self.position = self.position.saturating_add(in_file(len));
                (self.unconsumed, self.unread) = (len, self.unread.saturating_sub(len));
                (ready, Update::Progress)
            }
            (Step::Committing, ReceiveAnswer::Queued) => (Step::Gone, Update::Queued),
            (Step::Committing, ReceiveAnswer::Failed(error @ StorageError::DigestMismatch)) => {
                (Step::Discard(Cause::Invalid), Update::Failed(error))
            }
            (Step::Writing(_) | Step::Committing, ReceiveAnswer::Failed(error)) => {
                (Step::Discard(Cause::Storage), Update::Failed(error))
            }
            (Step::Discarding, ReceiveAnswer::Discarded | ReceiveAnswer::Failed(_)) => (Step::Gone, Update::Progress),
            (
                Step::Prepare
                | Step::Preparing
                | Step::Ready
                | Step::Writing(_)
                | Step::Commit(_)
                | Step::Committing
                | Step::Discard(_)
                | Step::Discarding
                | Step::Gone,
                _,
            ) => return Err(Unasked),
        };
        self.step = step;
        Ok(update)
    }
}

/// Converts a length in memory to a length in a file.
pub(super) fn in_file(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
