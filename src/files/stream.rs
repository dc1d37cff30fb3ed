//! The two directions of the stream: the message that arrives, and the one that leaves.
//!
//! ```text
//! Writer   Open ──close──→ Closing ──→ Gone
//!            └────abort──→ Aborting ──→ Gone ←── lost
//! ```

use super::encoded::Encoded;
use super::fields::MessageError;
use super::message::{Digest, FileKind, Flags, SessionMessage};
use super::path::RawPath;
use super::request::FileOutput;
use crate::ftp::{ErrorCode, Unasked};

/// The incoming direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    /// The message that arrives, or that waits to be processed.
    message: Encoded,
    /// The bytes of content that follow the last DATA.
    content: u32,
}

/// A message without what it borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Version {
        version: u16,
    },
    Put(ParsedPut),
    /// GET, STAT or LIST.
    Read {
        flags: Flags,
        is_allowed: bool,
    },
    Content(Content),
    Confirm {
        number: u32,
    },
    Error {
        number: u32,
        code: ErrorCode,
    },
    File {
        number: u32,
        offset: u64,
        length: Option<u64>,
    },
    Status {
        number: u32,
    },
    Entry {
        number: u32,
    },
    Listed {
        number: u32,
        has_more: bool,
    },
    Leave {
        code: ErrorCode,
    },
    Working,
}

/// A message about the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Data { len: u32 },
    End { digest: Digest },
    Cancel { code: ErrorCode },
}

/// A PUT. `is_allowed`: its path keeps the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParsedPut {
    pub(super) flags: Flags,
    pub(super) kind: FileKind,
    pub(super) length: Option<u64>,
    pub(super) offset: u64,
    pub(super) is_allowed: bool,
}

impl Reader {
    /// Takes bytes of `input` up to the end of a message. Returns their number, and the message if it is complete.
    ///
    /// The message stays until it is [taken](Self::take) or [dropped](Self::next).
    pub(super) fn read(&mut self, input: &[u8]) -> (usize, Result<Option<Parsed>, MessageError>) {
        let taken = self.message.push(input);
        (taken, self.message.message().map(|message| message.map(Parsed::from)))
    }

    pub(super) const fn message(&self) -> &Encoded {
        &self.message
    }

    /// Whether a complete message is here.
    pub(super) fn holds_message(&self) -> bool {
        matches!(self.message.message(), Ok(Some(_)))
    }

    /// Drops the message.
    pub(super) fn next(&mut self) {
        self.message.clear();
    }

    /// Moves the message to `place`.
    pub(super) fn take(&mut self, place: &mut Encoded) {
        core::mem::swap(&mut self.message, place);
        self.message.clear();
    }

    /// Expects content: `len` bytes.
    pub(super) const fn start_content(&mut self, len: u32) {
        self.content = len;
    }

    /// How many of the next `available` bytes are content.
    pub(super) fn content_in(&self, available: usize) -> usize {
        usize::try_from(self.content).unwrap_or(usize::MAX).min(available)
    }

    /// Whether content is expected.
    pub(super) const fn expects_content(&self) -> bool {
        self.content > 0
    }

    /// Records that content was consumed.
    pub(super) fn consume(&mut self, len: usize) {
        self.content = self.content.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));
    }
}

impl From<SessionMessage<'_>> for Parsed {
    fn from(message: SessionMessage<'_>) -> Self {
        match message {
            SessionMessage::Version { version } => Self::Version { version },
            SessionMessage::Put { flags, kind, length, offset, path, .. } => {
                Self::Put(ParsedPut { flags, kind, length, offset, is_allowed: path.check().is_ok() })
            }
            SessionMessage::Get { flags, path, .. } | SessionMessage::Stat { flags, path } => {
                Self::Read { flags, is_allowed: path.check().is_ok() }
            }
            SessionMessage::List { flags, folder, after } => {
                let is_allowed = |path: Option<RawPath<'_>>| path.is_none_or(|path| path.check().is_ok());
                Self::Read { flags, is_allowed: is_allowed(folder) && is_allowed(after) }
            }
            SessionMessage::Data { len } => Self::Content(Content::Data { len }),
            SessionMessage::End { digest } => Self::Content(Content::End { digest }),
            SessionMessage::Cancel { code } => Self::Content(Content::Cancel { code }),
            SessionMessage::Confirm { number } => Self::Confirm { number },
            SessionMessage::Error { number, code } => Self::Error { number, code },
            SessionMessage::File { number, offset, length, .. } => Self::File { number, offset, length },
            SessionMessage::Status { number, .. } => Self::Status { number },
            SessionMessage::Entry { number, .. } => Self::Entry { number },
            SessionMessage::Listed { number, has_more } => Self::Listed { number, has_more },
            SessionMessage::Leave { code } => Self::Leave { code },
            SessionMessage::Working => Self::Working,
        }
    }
}

/// The outgoing direction.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    message: Encoded,
    /// The bytes of it that are in the stream.
    sent: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Closing,
    Aborting(ErrorCode),
    /// It is closed, or exists no longer.
    Gone,
}

impl Writer {
    /// The direction begins with VERSION.
    pub(super) fn new(version: &SessionMessage<'_>) -> Self {
        Self { message: Encoded::encode(version), sent: 0, end: End::Open }
    }

    fn rest(&self) -> &[u8] {
        self.message.as_bytes().get(self.sent..).unwrap_or_default()
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.end, End::Gone)
    }

    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.end, End::Closing)
    }

    /// Whether this side still speaks.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.end, End::Open)
    }

    /// Whether the next message may be put, or content added to the stream.
    pub(super) fn is_ready(&self) -> bool {
        self.rest().is_empty() && self.end == End::Open
    }

    /// Puts the next message. The writer must be [ready](Self::is_ready).
    pub(super) fn put(&mut self, message: &SessionMessage<'_>) {
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

    pub(super) fn poll(&mut self) -> Option<FileOutput<'_>> {
        match self.end {
            End::Aborting(code) => {
                self.lose();
                Some(FileOutput::Abort(code))
            }
            End::Open | End::Closing if !self.rest().is_empty() => Some(FileOutput::Message(self.rest())),
            End::Closing => {
                self.end = End::Gone;
                Some(FileOutput::Close)
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
