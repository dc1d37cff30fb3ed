//! Content from the stream to storage.
//!
//! ```text
//!            Prefix              END                Queued
//! Preparing ───────→ Ready ⇄ Writing ──→ Committing ──────→ Gone
//!     │                ⇅                     │
//!     │            Rewinding                 │ failed
//!     │ failed         └── failed, CANCEL ───┴──→ Discarding ──→ Gone
//!     └────────────────────────────────────────────────────────→ Gone
//! ```
//!
//! Storage holds nothing in `Gone`. Content that still arrives is dropped until its END.

use super::message::{Digest, Prefix};
use super::request::Answer;
use crate::ftp::{StorageError, Unasked};

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
    /// The end of the file once storage has answered.
    stop: Option<Stop>,
    /// END or CANCEL has arrived, or nothing more can.
    is_ended: bool,
}

/// How an unfinished file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stop {
    /// It is of no use.
    Discard,
    /// The connection was lost.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Prepare,
    Preparing,
    Rewind,
    Rewinding,
    Ready,
    Writing(usize),
    Commit(Digest),
    Committing,
    Discard(Stop),
    Discarding,
    Gone,
}

/// A request to storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Prepare,
    Rewind,
    Write { offset: u64, len: usize },
    Commit { digest: Digest },
    Discard { may_resume: bool },
}

/// The effect of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    Progress,
    /// Storage is ready, and has this prefix of the file.
    Prepared(Prefix),
    Queued,
    Failed(StorageError),
}

impl Incoming {
    /// A file of at most `most` bytes, which storage has yet to prepare. Its content begins at `position`.
    pub(super) const fn new(position: u64, length: Option<u64>, most: u64) -> Self {
        let (unconsumed, unread) = (0, 0);
        Self { position, most, length, unconsumed, unread, step: Step::Prepare, stop: None, is_ended: false }
    }

    /// Whether content or a message about it may be processed.
    pub(super) const fn is_ready(&self) -> bool {
        !self.is_ended && self.has_no_work()
    }

    /// Whether storage has nothing to do before more content.
    const fn has_no_work(&self) -> bool {
        match self.step {
            Step::Ready | Step::Gone | Step::Discard(_) | Step::Discarding => true,
            Step::Writing(_)
            | Step::Prepare
            | Step::Preparing
            | Step::Rewind
            | Step::Rewinding
            | Step::Commit(_)
            | Step::Committing => false,
        }
    }

    /// Whether storage uses bytes of the input.
    pub(super) const fn is_writing(&self) -> bool {
        matches!(self.step, Step::Writing(_))
    }

    /// Whether the content has ended, and storage holds no unfinished file.
    pub(super) fn is_finished(&self) -> bool {
        self.is_ended && self.step == Step::Gone
    }

    /// Whether `len` more bytes of content exceed the length of the file.
    pub(super) fn is_exceeded_by(&self, len: usize) -> bool {
        let rest = self.length.unwrap_or(self.most).min(self.most).saturating_sub(self.position);
        self.step == Step::Ready && rest < in_file(len.saturating_sub(self.unconsumed))
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
            Step::Writing(_)
            | Step::Prepare
            | Step::Preparing
            | Step::Rewind
            | Step::Rewinding
            | Step::Commit(_)
            | Step::Committing => 0,
        }
    }

    /// The content begins at 0, and what storage has is of no use.
    pub(super) fn rewind(&mut self) {
        if self.step == Step::Ready {
            (self.step, self.position) = (Step::Rewind, 0);
        }
    }

    /// Handles END. Returns false if the content is shorter than announced.
    pub(super) fn end(&mut self, digest: Digest) -> bool {
        self.is_ended = true;
        if self.step != Step::Ready {
            return true;
        }
        let is_whole = self.length.is_none_or(|length| length == self.position);
        self.step = if is_whole { Step::Commit(digest) } else { Step::Discard(Stop::Discard) };
        is_whole
    }

    /// Handles CANCEL, or that nothing more can arrive. Returns whether the file was unfinished.
    pub(super) fn cancel(&mut self, stop: Stop) -> bool {
        self.is_ended = true;
        self.stop(stop)
    }

    /// Ends the unfinished file. Content that still arrives is dropped. Returns whether the file was unfinished.
    pub(super) fn stop(&mut self, stop: Stop) -> bool {
        match self.step {
            Step::Prepare => self.step = Step::Gone,
            Step::Ready | Step::Rewind => self.step = Step::Discard(stop),
            Step::Preparing | Step::Rewinding | Step::Writing(_) => {
                return self.stop.replace(stop).is_none();
            }
            Step::Commit(_) | Step::Committing | Step::Discard(_) | Step::Discarding | Step::Gone => return false,
        }
        true
    }

    /// Whether storage has yet to learn the path.
    pub(super) const fn needs_path(&self) -> bool {
        matches!(self.step, Step::Prepare | Step::Preparing)
    }

    pub(super) fn poll(&mut self) -> Option<Operation> {
        let (step, operation) = match self.step {
            Step::Prepare => (Step::Preparing, Operation::Prepare),
            Step::Rewind => (Step::Rewinding, Operation::Rewind),
            Step::Ready if self.unconsumed == 0 && self.unread > 0 => {
                (Step::Writing(self.unread), Operation::Write { offset: self.position, len: self.unread })
            }
            Step::Commit(digest) => (Step::Committing, Operation::Commit { digest }),
            Step::Discard(stop) => (Step::Discarding, Operation::Discard { may_resume: stop == Stop::Lost }),
            Step::Ready
            | Step::Preparing
            | Step::Rewinding
            | Step::Writing(_)
            | Step::Committing
            | Step::Discarding
            | Step::Gone => return None,
        };
        self.step = step;
        Some(operation)
    }

    pub(super) fn answer(&mut self, answer: &Answer<'_>) -> Result<Update, Unasked> {
        let ready = self.stop.map_or(Step::Ready, Step::Discard);
        let (step, update) = match (self.step, *answer) {
            (Step::Preparing, Answer::Created(prefix)) => (ready, Update::Prepared(prefix)),
            (Step::Preparing, Answer::Failed(error)) => (Step::Gone, Update::Failed(error)),
            (Step::Rewinding, Answer::Rewound) => (ready, Update::Progress),
            (Step::Writing(asked), Answer::Written(len)) if len <= asked => {
                self.position = self.position.saturating_add(in_file(len));
                (self.unconsumed, self.unread) = (len, self.unread.saturating_sub(len));
                (ready, Update::Progress)
            }
            (Step::Committing, Answer::Queued) => (Step::Gone, Update::Queued),
            (Step::Rewinding | Step::Writing(_) | Step::Committing, Answer::Failed(error)) => {
                (Step::Discard(Stop::Discard), Update::Failed(error))
            }
            (Step::Discarding, Answer::Discarded | Answer::Failed(_)) => (Step::Gone, Update::Progress),
            (
                Step::Prepare
                | Step::Preparing
                | Step::Rewind
                | Step::Rewinding
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

    /// The content begins behind this many bytes, which storage has already.
    pub(super) fn start_at(&mut self, position: u64) {
        self.position = position;
    }
}

/// Converts a length in memory to a length in a file.
pub(super) fn in_file(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
