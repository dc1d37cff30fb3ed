//! Content from storage to the stream.
//!
//! ```text
//! Ready ⇄ Reading ──→ Hashing ──→ Ended: END
//!   └────────┴─── failed, stopped, shrunk ──→ Ended: CANCEL
//! ```

use super::encoded::MESSAGE_HEADER;
use super::message::{Digest, SessionMessage};
use super::request::{SendAnswer, SendRequest};
use crate::ftp::{ErrorCode, StorageError, Unasked};

/// A file that leaves. Storage has opened it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outgoing {
    /// The position in the file of the next byte to read.
    position: u64,
    /// The length of the file, if it is known.
    length: Option<u64>,
    step: Step,
    /// Why the content ends, once storage has answered.
    stop: Option<ErrorCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Ready,
    Reading(u32),
    Hash,
    Hashing,
    Ended(Result<Digest, ErrorCode>),
}

impl Outgoing {
    /// Content from `position` on, of a file with this length.
    pub(super) const fn new(position: u64, length: Option<u64>) -> Self {
        Self { position, length, step: Step::Ready, stop: None }
    }

    /// Whether storage has a request.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self.step, Step::Reading(_) | Step::Hashing)
    }

    /// Ends the content early with CANCEL.
    pub(super) fn stop(&mut self, code: ErrorCode) {
        match self.step {
            Step::Ready | Step::Hash => self.step = Step::Ended(Err(code)),
            Step::Reading(_) | Step::Hashing => self.stop = Some(code),
            Step::Ended(_) => {}
        }
    }

    pub(super) fn poll(&mut self, room: usize) -> Option<SendRequest<'static>> {
        let (step, request) = match self.step {
            Step::Ready => match self.length.map(|length| length.saturating_sub(self.position)) {
                Some(0) => (Step::Hashing, SendRequest::Digest),
                rest => {
                    let rest = rest.unwrap_or(u64::MAX);
                    let room = u32::try_from(room.saturating_sub(MESSAGE_HEADER)).unwrap_or(u32::MAX);
                    let len = u32::try_from(rest).unwrap_or(u32::MAX).min(room);
                    if len == 0 {
                        return None;
                    }
                    (Step::Reading(len), SendRequest::Read { offset: self.position, len })
                }
            },
            Step::Hash => (Step::Hashing, SendRequest::Digest),
            Step::Reading(_) | Step::Hashing | Step::Ended(_) => return None,
        };
        self.step = step;
        Some(request)
    }

    /// Processes the answer of storage. Returns its failure, if it is one.
    pub(super) fn answer(&mut self, answer: &SendAnswer<'_>) -> Result<Option<StorageError>, Unasked> {
        let mut failure = None;
        let step = match (self.step, *answer) {
            // A file that shrinks while it is sent is never padded.
            (Step::Reading(_), SendAnswer::Read(0)) if self.length.is_some() => {
                failure = Some(StorageError::Failed);
                Step::Ended(Err(ErrorCode::StorageFailed))
            }
            (Step::Reading(_), SendAnswer::Read(0)) => Step::Hash,
            (Step::Reading(asked), SendAnswer::Read(len)) if len <= asked => {
                self.position = self.position.saturating_add(len.into());
                Step::Ready
            }
            (Step::Hashing, SendAnswer::Digest(digest)) => Step::Ended(Ok(digest)),
            (Step::Reading(_) | Step::Hashing, SendAnswer::Failed(error)) => {
                failure = Some(error);
                Step::Ended(Err(error.into()))
            }
            (Step::Ready | Step::Reading(_) | Step::Hash | Step::Hashing | Step::Ended(_), _) => return Err(Unasked),
        };
        self.step = step;
        if let Some(code) = self.stop.take() {
            self.step = Step::Ended(Err(code));
        }
        Ok(failure)
    }

    /// The message that ends the content, once nothing more is read.
    pub(super) fn last_message(&self) -> Option<SessionMessage<'static>> {
        match self.step {
            Step::Ended(Ok(digest)) => Some(SessionMessage::End { digest }),
            Step::Ended(Err(code)) => Some(SessionMessage::Cancel { code }),
            Step::Ready | Step::Reading(_) | Step::Hash | Step::Hashing => None,
        }
    }
}
