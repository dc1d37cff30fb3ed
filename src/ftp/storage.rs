//! The storage half of a session: incoming and outgoing content.
//!
//! ```text
//! Incoming   Create → Creating → Ready ⇄ Writing            Ready, all written → Committing → Committed
//!              |          |        |        |                                        |
//!    stopped   |          |        └────────┴── stopped or failed ── Discard ────────┘ failed
//!              └──────────┴─ failed ──────────────→ Gone ←─ Discarding ←┘      Committing ── not durable ──→ Gone
//!
//! Outgoing   Open → Opening → Ready ⇄ Reading               every state, stopped or failed → Gone
//! ```

use super::code::StorageError;
use super::session::{Answer, Unasked};

/// A [`Request`](super::session::Request) without the file name. The session adds the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Open,
    Create { length: u64 },
    Read { offset: u64, len: usize },
    Write { offset: u64, len: usize },
    Commit,
    Discard,
}

/// The effect of an answer on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Update {
    Progress,
    Opened {
        length: u64,
    },
    Committed,
    Shrunk,
    Failed(StorageError),
    /// The file has its name, but that may not last.
    NotDurable(StorageError),
}

/// The storage half of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Storage {
    /// The session does not know the file yet.
    Untouched,
    Incoming(Incoming),
    Outgoing(Outgoing),
}

impl Storage {
    /// Offers `len` unconsumed bytes; returns how many are consumed.
    pub(super) fn offer(&mut self, len: usize) -> usize {
        match self {
            Self::Incoming(incoming) => incoming.offer(len),
            // No content is expected, so the bytes are dropped.
            Self::Untouched | Self::Outgoing(_) => len,
        }
    }

    pub(super) fn poll(&mut self, room: usize) -> Option<Operation> {
        match self {
            Self::Untouched => None,
            Self::Incoming(incoming) => incoming.poll(),
            Self::Outgoing(outgoing) => outgoing.poll(room),
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Result<Update, Unasked> {
        match self {
            Self::Untouched => Err(Unasked),
            Self::Incoming(incoming) => incoming.answer(answer),
            Self::Outgoing(outgoing) => outgoing.answer(answer),
        }
    }

    /// Stops reading and writing; an unfinished file is discarded.
    pub(super) fn stop(&mut self) {
        match self {
            Self::Untouched => {}
            Self::Incoming(incoming) => incoming.stop(),
            Self::Outgoing(outgoing) => outgoing.stop(),
        }
    }

    /// Whether no request is outstanding and none will follow.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Untouched => true,
            Self::Incoming(incoming) => matches!(incoming.step, Receive::Committed | Receive::Gone),
            Self::Outgoing(outgoing) => outgoing.step == Serve::Gone || outgoing.is_complete(),
        }
    }

    /// Whether storage is using bytes of the caller's input.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self, Self::Incoming(Incoming { step: Receive::Writing(_), .. }))
    }

    /// Whether storage is adding bytes to the outgoing stream.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self, Self::Outgoing(Outgoing { step: Serve::Reading(_), .. }))
    }

    /// Whether a commit is outstanding or complete. The transfer can then no longer be cancelled.
    pub(super) fn is_committing(&self) -> bool {
        matches!(self, Self::Incoming(Incoming { step: Receive::Committing | Receive::Committed, .. }))
    }

    /// Whether all incoming content is written.
    pub(super) fn is_all_written(&self) -> bool {
        matches!(self, Self::Incoming(incoming) if incoming.done == incoming.length)
    }

    /// Whether storage still has to write content that has arrived.
    ///
    /// `readable` says whether the caller can still read the input.
    pub(super) fn has_more_to_write(&self, readable: bool) -> bool {
        match self {
            Self::Incoming(incoming) => {
                self.is_writing() || readable && (incoming.unread > 0 || incoming.unconsumed > 0)
            }
            Self::Untouched | Self::Outgoing(_) => false,
        }
    }

    /// Whether all outgoing content is in the stream.
    pub(super) fn is_all_sent(&self) -> bool {
        matches!(self, Self::Outgoing(outgoing) if outgoing.is_complete())
    }

    /// Whether all outgoing content is in the stream once the outstanding read succeeds in full.
    ///
    /// The peer may receive the bytes before storage answers.
    pub(super) fn may_be_all_sent(&self) -> bool {
        match self {
            Self::Outgoing(outgoing) => match outgoing.step {
                Serve::Reading(len) => in_file(len) == outgoing.remaining(),
                Serve::Open | Serve::Opening | Serve::Ready | Serve::Gone => outgoing.is_complete(),
            },
            Self::Untouched | Self::Incoming(_) => false,
        }
    }

    pub(super) fn bytes_done(&self) -> u64 {
        match self {
            Self::Untouched => 0,
            Self::Incoming(incoming) => incoming.done,
            Self::Outgoing(outgoing) => outgoing.done,
        }
    }

    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Untouched => None,
            Self::Incoming(incoming) => Some(incoming.length),
            Self::Outgoing(outgoing) => outgoing.length,
        }
    }
}

/// Content from the stream to storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incoming {
    length: u64,
    /// Bytes written to storage.
    done: u64,
    /// Bytes written to storage, but not yet consumed from the input.
    unconsumed: usize,
    /// Bytes of content in the input after the unconsumed ones, not yet written to storage.
    unread: usize,
    step: Receive,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Receive {
    Create,
    Creating,
    Ready,
    Writing(usize),
    Committing,
    Committed,
    Discard,
    Discarding,
    Gone,
}

impl Incoming {
    pub(super) const fn new(length: u64) -> Self {
        Self { length, done: 0, unconsumed: 0, unread: 0, step: Receive::Create, stopped: false }
    }

    fn offer(&mut self, len: usize) -> usize {
        let taken = self.unconsumed.min(len);
        self.unconsumed -= taken;
        let rest = len - taken;
        if self.unconsumed == 0 && self.done == self.length {
            // Bytes beyond the content are always dropped, so that the result does not depend on when they arrive.
            return len;
        }
        self.unread = at_most(self.length.saturating_sub(self.done), rest);
        taken
    }

    fn poll(&mut self) -> Option<Operation> {
        let (step, operation) = match self.step {
            Receive::Create => (Receive::Creating, Operation::Create { length: self.length }),
            Receive::Ready if self.done == self.length => (Receive::Committing, Operation::Commit),
            Receive::Ready if self.unconsumed == 0 && self.unread > 0 => {
                (Receive::Writing(self.unread), Operation::Write { offset: self.done, len: self.unread })
            }
            Receive::Discard => (Receive::Discarding, Operation::Discard),
            Receive::Creating
            | Receive::Ready
            | Receive::Writing(_)
            | Receive::Committing
            | Receive::Committed
            | Receive::Discarding
            | Receive::Gone => return None,
        };
        self.step = step;
        Some(operation)
    }

    fn answer(&mut self, answer: Answer) -> Result<Update, Unasked> {
        let ready = if self.stopped { Receive::Discard } else { Receive::Ready };
        let (step, update) = match (self.step, answer) {
            (Receive::Creating, Answer::Created) => (ready, Update::Progress),
            (Receive::Creating, Answer::Failed(error)) => (Receive::Gone, Update::Failed(error)),
            (Receive::Writing(asked), Answer::Written(len)) if len <= asked => {
                self.done = self.done.saturating_add(in_file(len));
                self.unconsumed = len;
                self.unread = self.unread.saturating_sub(len);
                (ready, Update::Progress)
            }
            (Receive::Committing, Answer::Committed) => (Receive::Committed, Update::Committed),
            (Receive::Committing, Answer::NotDurable(error)) => (Receive::Gone, Update::NotDurable(error)),
            (Receive::Writing(_) | Receive::Committing, Answer::Failed(error)) => {
                (Receive::Discard, Update::Failed(error))
            }
            (Receive::Discarding, Answer::Discarded | Answer::Failed(_)) => (Receive::Gone, Update::Progress),
            (
                Receive::Create
                | Receive::Creating
                | Receive::Ready
                | Receive::Writing(_)
                | Receive::Committing
                | Receive::Committed
                | Receive::Discard
                | Receive::Discarding
                | Receive::Gone,
                _,
            ) => return Err(Unasked),
        };
        self.step = step;
        Ok(update)
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.step = match self.step {
            Receive::Create => Receive::Gone,
            Receive::Ready => Receive::Discard,
            unchanged @ (Receive::Creating
            | Receive::Writing(_)
            | Receive::Committing
            | Receive::Committed
            | Receive::Discard
            | Receive::Discarding
            | Receive::Gone) => unchanged,
        };
    }
}

/// Content from storage to the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outgoing {
    /// `None` until the file is open.
    length: Option<u64>,
    /// Bytes in the stream.
    done: u64,
    step: Serve,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Serve {
    Open,
    Opening,
    Ready,
    Reading(usize),
    Gone,
}

impl Outgoing {
    /// A file that storage has yet to open.
    pub(super) const fn unopened() -> Self {
        Self { length: None, done: 0, step: Serve::Open, stopped: false }
    }

    /// A file that the caller has opened.
    pub(super) const fn opened(length: u64) -> Self {
        Self { length: Some(length), done: 0, step: Serve::Ready, stopped: false }
    }

    fn remaining(&self) -> u64 {
        self.length.map_or(0, |length| length.saturating_sub(self.done))
    }

    fn is_complete(&self) -> bool {
        self.step == Serve::Ready && self.remaining() == 0
    }

    fn poll(&mut self, room: usize) -> Option<Operation> {
        let (step, operation) = match self.step {
            Serve::Open => (Serve::Opening, Operation::Open),
            Serve::Ready => match at_most(self.remaining(), room) {
                0 => return None,
                len => (Serve::Reading(len), Operation::Read { offset: self.done, len }),
            },
            Serve::Opening | Serve::Reading(_) | Serve::Gone => return None,
        };
        self.step = step;
        Some(operation)
    }

    fn answer(&mut self, answer: Answer) -> Result<Update, Unasked> {
        let ready = if self.stopped { Serve::Gone } else { Serve::Ready };
        let (step, update) = match (self.step, answer) {
            (Serve::Opening, Answer::Opened { length }) => {
                self.length = Some(length);
                (ready, Update::Opened { length })
            }
            (Serve::Reading(_), Answer::Read(0)) => (Serve::Gone, Update::Shrunk),
            (Serve::Reading(asked), Answer::Read(len)) if len <= asked => {
                self.done = self.done.saturating_add(in_file(len));
                (ready, Update::Progress)
            }
            (Serve::Opening | Serve::Reading(_), Answer::Failed(error)) => (Serve::Gone, Update::Failed(error)),
            (Serve::Open | Serve::Opening | Serve::Ready | Serve::Reading(_) | Serve::Gone, _) => return Err(Unasked),
        };
        self.step = step;
        Ok(update)
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.step = match self.step {
            Serve::Open | Serve::Ready | Serve::Gone => Serve::Gone,
            waiting @ (Serve::Opening | Serve::Reading(_)) => waiting,
        };
    }
}

/// The smaller of `remaining` and `len`.
fn at_most(remaining: u64, len: usize) -> usize {
    usize::try_from(remaining).map_or(len, |remaining| remaining.min(len))
}

/// Converts a length in memory to a length in a file.
pub(super) fn in_file(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
