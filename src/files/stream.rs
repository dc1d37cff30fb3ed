//! The two directions of the stream: the message that arrives, and the one that leaves.

use super::encoded::{Encoded, MessageError};
use super::message::{Digest, Message, Prefix, Wish};
use super::request::Output;
use crate::ftp::{ErrorCode, Unasked};

/// The incoming direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    /// The message that arrives, or the request that is being served: its path is still needed.
    pub(super) message: Encoded,
    /// The bytes of content that follow the last DATA.
    content: u16,
}

/// A message without its path, which the reader keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Put { wish: Wish, length: Option<u64> },
    Get,
    List,
    Check,
    Start { offset: u64 },
    Data { len: u16 },
    End { digest: Digest },
    Cancel { code: ErrorCode },
    Resume(Prefix),
    Confirm,
    Error { code: ErrorCode },
    File { offset: u64, length: u64 },
    Entry,
    Listed,
}

impl Reader {
    /// Takes bytes of `input` up to the end of a message. Returns their number, and the message if it is complete.
    pub(super) fn read(&mut self, input: &[u8]) -> (usize, Result<Option<Parsed>, MessageError>) {
        let taken = self.message.push(input);
        (taken, self.message.message().map(|message| message.map(Parsed::from)))
    }

    /// Expects content: `len` bytes.
    pub(super) const fn start_content(&mut self, len: u16) {
        self.content = len;
    }

    /// How many of the next `available` bytes are content.
    pub(super) fn content_in(&self, available: usize) -> usize {
        usize::from(self.content).min(available)
    }

    /// Whether content is expected.
    pub(super) const fn expects_content(&self) -> bool {
        self.content > 0
    }

    /// Records that content was consumed.
    pub(super) fn consume(&mut self, len: usize) {
        self.content = self.content.saturating_sub(u16::try_from(len).unwrap_or(u16::MAX));
    }
}

impl From<Message<'_>> for Parsed {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Put { wish, length, .. } => Self::Put { wish, length },
            Message::Get { .. } => Self::Get,
            Message::List { .. } => Self::List,
            Message::Check { .. } => Self::Check,
            Message::Start { offset } => Self::Start { offset },
            Message::Data { len } => Self::Data { len },
            Message::End { digest } => Self::End { digest },
            Message::Cancel { code } => Self::Cancel { code },
            Message::Resume(prefix) => Self::Resume(prefix),
            Message::Confirm => Self::Confirm,
            Message::Error { code } => Self::Error { code },
            Message::File { offset, length, .. } => Self::File { offset, length },
            Message::Entry(_) => Self::Entry,
            Message::Listed => Self::Listed,
        }
    }
}

/// The outgoing direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer {
    message: Encoded,
    /// The bytes of it that are in the stream.
    sent: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum End {
    #[default]
    Open,
    Closing,
    Aborting(ErrorCode),
    /// It is closed, or exists no longer.
    Gone,
}

impl Writer {
    fn rest(&self) -> &[u8] {
        self.message.as_bytes().get(self.sent..).unwrap_or_default()
    }

    /// Whether no message is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.end, End::Gone)
    }

    /// Whether messages may be put.
    pub(super) fn is_ready(&self) -> bool {
        self.is_empty() && self.end == End::Open
    }

    /// Puts the next message. The writer must be [empty](Self::is_empty).
    pub(super) fn put(&mut self, message: &Message<'_>) {
        self.message = Encoded::encode(message);
        self.sent = 0;
    }

    pub(super) fn close(&mut self) {
        if self.end == End::Open {
            self.end = End::Closing;
        }
    }

    pub(super) fn abort(&mut self, code: ErrorCode) {
        if self.end != End::Gone {
            self.end = End::Aborting(code);
        }
    }

    /// The stream exists no longer.
    pub(super) fn lose(&mut self) {
        self.message.clear();
        (self.sent, self.end) = (0, End::Gone);
    }

    pub(super) fn poll(&mut self) -> Option<Output<'_>> {
        match self.end {
            End::Aborting(code) => {
                self.lose();
                Some(Output::Abort(code))
            }
            End::Open | End::Closing if !self.is_empty() => Some(Output::Message(self.rest())),
            End::Closing => {
                self.end = End::Gone;
                Some(Output::Close)
            }
            End::Open | End::Gone => None,
        }
    }

    pub(super) fn sent(&mut self, len: usize) -> Result<(), Unasked> {
        if len > self.rest().len() {
            return Err(Unasked);
        }
        self.sent = self.sent.saturating_add(len);
        Ok(())
    }
}
