//! The bytes of messages. Integers are little-endian.

use core::fmt;

use heapless::Vec;

use super::fields::{Fields, MessageError};
use super::message::{Digest, Entry, MAX_PEAKS, Metadata, Peaks, SessionMessage, Status};
use super::path::{MAX_PATH, RawPath};

/// The length of the type and the length of a message, in bytes.
pub const MESSAGE_HEADER: usize = 1 + 4;
/// The maximum length of a message in bytes, without the content of DATA: GET with the longest path and all peaks.
pub const MAX_SESSION_MESSAGE: usize = MESSAGE_HEADER + 1 + 2 + MAX_PATH + 8 + MAX_PEAKS * 32;

const VERSION: u8 = 16;
const PUT: u8 = 17;
const GET: u8 = 18;
const STAT: u8 = 19;
const LIST: u8 = 20;
const DATA: u8 = 24;
const END: u8 = 25;
const CANCEL: u8 = 26;
const CONFIRM: u8 = 32;
const ERROR: u8 = 33;
const FILE: u8 = 34;
const STATUS: u8 = 35;
const ENTRY: u8 = 36;
const LISTED: u8 = 37;
const LEAVE: u8 = 40;
/// Types from here on are skipped if they are unknown.
const OPTIONAL: u8 = 128;
const WORKING: u8 = 128;

/// The padding of WORKING in bytes: as much as a server may demand as progress of a peer.
const PADDING: usize = 1_024;

/// The bytes of one message, encoded or received.
///
/// [`encode`](Self::encode) produces them from a [`SessionMessage`]. [`push`](Self::push) collects them from a stream in
/// pieces of any size.
///
/// ```
/// use rdt_proto::files::{Encoded, FilePath, Flags, SessionMessage};
///
/// let message = SessionMessage::Stat { flags: Flags::DIGEST, path: FilePath::new("a/b")?.into() };
/// let sent = Encoded::encode(&message);
/// let mut received = Encoded::new();
/// for byte in sent.as_bytes() {
///     assert_eq!(received.message(), Ok(None));
///     assert_eq!(received.push(&[*byte]), 1);
/// }
/// assert_eq!(received.message(), Ok(Some(message)));
/// # Ok::<(), rdt_proto::files::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Encoded {
    bytes: Vec<u8, MAX_SESSION_MESSAGE>,
}

impl Encoded {
    /// No bytes, to be filled by [`push`](Self::push).
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Encodes `message`. DATA has only its header.
    #[must_use]
    pub fn encode(message: &SessionMessage<'_>) -> Self {
        let mut out = Self::new();
        if let &SessionMessage::Data { len } = message {
            return Self { bytes: Vec::from_slice(&data_header(len)).unwrap_or_default() };
        }
        out.put(&[0; MESSAGE_HEADER]);
        let message_type = out.put_fields(message);
        let len = u32::try_from(out.bytes.len().saturating_sub(MESSAGE_HEADER)).unwrap_or(u32::MAX);
        if let Some(header) = out.bytes.first_chunk_mut() {
            *header = header_of(message_type, len);
        }
        out
    }

    fn put_fields<'a>(&mut self, message: &SessionMessage<'a>) -> u8 {
        match *message {
            SessionMessage::Version { version } => {
                self.put(&version.to_le_bytes());
                VERSION
            }
            SessionMessage::Put { flags, kind, metadata, length, offset, path } => {
                self.put(&[flags.bits(), kind.value()]).put_metadata(metadata).put_length(length);
                self.put(&offset.to_le_bytes()).put_path(path.as_bytes());
                PUT
            }
            SessionMessage::Get { flags, path, have } => {
                self.put(&[flags.bits()]).put_path(path.as_bytes()).put_peaks(have);
                GET
            }
            SessionMessage::Stat { flags, path } => {
                self.put(&[flags.bits()]).put_path(path.as_bytes());
                STAT
            }
            SessionMessage::List { flags, folder, after } => {
                let bytes = |path: Option<RawPath<'a>>| path.map_or(&[][..], |path| path.as_bytes());
                self.put(&[flags.bits()]).put_path(bytes(folder)).put_path(bytes(after));
                LIST
            }
            SessionMessage::Data { .. } => DATA,
            SessionMessage::End { digest } => {
                self.put(&digest.0);
                END
            }
            SessionMessage::Cancel { code } => {
                self.put(&[code.value()]);
                CANCEL
            }
            SessionMessage::Confirm { number } => {
                self.put(&number.to_le_bytes());
                CONFIRM
            }
            SessionMessage::Error { number, code } => {
                self.put(&number.to_le_bytes()).put(&[code.value()]);
                ERROR
            }
            SessionMessage::File { number, kind, metadata, length, offset } => {
                self.put(&number.to_le_bytes()).put(&[kind.value()]).put_metadata(metadata).put_length(length);
                self.put(&offset.to_le_bytes());
                FILE
            }
            SessionMessage::Status { number, status: Status { kind, metadata, length, digest, peaks } } => {
                self.put(&number.to_le_bytes()).put(&[kind.value()]).put_metadata(metadata);
                self.put(&length.to_le_bytes()).put_digest(digest).put_peaks(peaks);
                STATUS
            }
            SessionMessage::Entry { number, entry: Entry { kind, metadata, length, digest, path } } => {
                self.put(&number.to_le_bytes()).put(&[kind.value()]).put_metadata(metadata);
                self.put(&length.to_le_bytes()).put_digest(digest).put_path(path.as_str().as_bytes());
                ENTRY
            }
            SessionMessage::Listed { number, has_more } => {
                self.put(&number.to_le_bytes()).put(&[has_more.into()]);
                LISTED
            }
            SessionMessage::Leave { code } => {
                self.put(&[code.value()]);
                LEAVE
            }
            SessionMessage::Working => {
                self.put(&[0; PADDING]);
                WORKING
            }
        }
    }

    /// Consumes bytes from `input` up to the end of the message; returns their number.
    ///
    /// It returns 0 once [`message`](Self::message) returns a message or an error. An optional message that this
    /// version does not know is consumed, and leaves nothing.
    pub fn push(&mut self, input: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let missing = match self.needed() {
                Needed::Bytes(missing) => missing,
                Needed::Skip => {
                    // Its header says how much of it is still to come.
                    let rest = input.len().saturating_sub(taken);
                    taken += self.skip(rest);
                    if self.bytes.is_empty() {
                        continue;
                    }
                    return taken;
                }
                Needed::Nothing => return taken,
            };
            let rest = input.get(taken..).unwrap_or_default();
            let piece = rest.get(..missing.min(rest.len())).unwrap_or_default();
            if piece.is_empty() {
                return taken;
            }
            self.put(piece);
            taken += piece.len();
        }
    }

    /// Decodes the message; `None` while bytes are missing.
    ///
    /// # Errors
    /// [`MessageError`], as early as possible: [`push`](Self::push) consumes only the header of a message that is too
    /// long.
    pub fn message(&self) -> Result<Option<SessionMessage<'_>>, MessageError> {
        match self.needed() {
            Needed::Bytes(_) | Needed::Skip => Ok(None),
            Needed::Nothing => self.decode().map(Some),
        }
    }

    /// The bytes encoded or received so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Removes all bytes, for the next message.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The type and the length of the fields.
    fn header(&self) -> Option<(u8, usize)> {
        let [message_type, len @ ..] = *self.bytes.first_chunk::<MESSAGE_HEADER>()?;
        Some((message_type, usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX)))
    }

    fn needed(&self) -> Needed {
        let Some((message_type, len)) = self.header() else {
            return Needed::Bytes(MESSAGE_HEADER - self.bytes.len().min(MESSAGE_HEADER));
        };
        match message_type {
            DATA => Needed::Nothing,
            OPTIONAL.. if !is_known(message_type) => Needed::Skip,
            _ if MESSAGE_HEADER.saturating_add(len) > MAX_SESSION_MESSAGE || !is_known(message_type) => Needed::Nothing,
            _ => match MESSAGE_HEADER.saturating_add(len).saturating_sub(self.bytes.len()) {
                0 => Needed::Nothing,
                missing => Needed::Bytes(missing),
            },
        }
    }

    /// Skips up to `rest` bytes of an optional message. The header counts down.
    fn skip(&mut self, rest: usize) -> usize {
        let Some((message_type, len)) = self.header() else { return 0 };
        let taken = len.min(rest);
        if taken == len {
            self.bytes.clear();
        } else if let Some(header) = self.bytes.first_chunk_mut() {
            *header = header_of(message_type, u32::try_from(len - taken).unwrap_or(u32::MAX));
        }
        taken
    }

    fn decode(&self) -> Result<SessionMessage<'_>, MessageError> {
        let (message_type, len) = self.header().ok_or(MessageError::Length(0))?;
        if message_type == DATA {
            return Ok(SessionMessage::Data { len: u32::try_from(len).unwrap_or(u32::MAX) });
        }
        if !is_known(message_type) {
            return Err(MessageError::UnknownType(message_type));
        }
        if MESSAGE_HEADER.saturating_add(len) > MAX_SESSION_MESSAGE {
            return Err(MessageError::Length(message_type));
        }
        let mut fields = Fields { bytes: self.bytes.get(MESSAGE_HEADER..).unwrap_or_default(), message_type };
        Ok(match message_type {
            VERSION => SessionMessage::Version { version: u16::from_le_bytes(fields.array()?) },
            PUT => {
                let (flags, kind, metadata) = (fields.flags()?, fields.byte()?.into(), fields.metadata()?);
                let (length, offset, path) = (fields.length()?, fields.u64()?, fields.path()?);
                SessionMessage::Put { flags, kind, metadata, length, offset, path }
            }
            GET => SessionMessage::Get { flags: fields.flags()?, path: fields.path()?, have: fields.peaks()? },
            STAT => SessionMessage::Stat { flags: fields.flags()?, path: fields.path()? },
            LIST => SessionMessage::List {
                flags: fields.flags()?,
                folder: fields.path_or_none()?,
                after: fields.path_or_none()?,
            },
            END => SessionMessage::End { digest: Digest(fields.array()?) },
            CANCEL => SessionMessage::Cancel { code: fields.byte()?.into() },
            CONFIRM => SessionMessage::Confirm { number: fields.number()? },
            ERROR => SessionMessage::Error { number: fields.number()?, code: fields.byte()?.into() },
            FILE => {
                let (number, kind, metadata) = (fields.number()?, fields.byte()?.into(), fields.metadata()?);
                SessionMessage::File { number, kind, metadata, length: fields.length()?, offset: fields.u64()? }
            }
            STATUS => {
                let (number, kind, metadata) = (fields.number()?, fields.byte()?.into(), fields.metadata()?);
                let (length, digest, peaks) = (fields.u64()?, fields.digest()?, fields.peaks()?);
                SessionMessage::Status { number, status: Status { kind, metadata, length, digest, peaks } }
            }
            ENTRY => {
                let (number, kind, metadata) = (fields.number()?, fields.byte()?.into(), fields.metadata()?);
                let (length, digest, path) = (fields.u64()?, fields.digest()?, fields.path()?.check()?);
                SessionMessage::Entry { number, entry: Entry { kind, metadata, length, digest, path } }
            }
            LISTED => SessionMessage::Listed { number: fields.number()?, has_more: fields.byte()? != 0 },
            LEAVE => SessionMessage::Leave { code: fields.byte()?.into() },
            WORKING => SessionMessage::Working,
            unknown => return Err(MessageError::UnknownType(unknown)),
        })
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        // The longest message fits into the capacity.
        let _fits = self.bytes.extend_from_slice(bytes);
        self
    }

    fn put_metadata(&mut self, metadata: Metadata) -> &mut Self {
        self.put(&metadata.modified.unwrap_or(i64::MIN).to_le_bytes());
        self.put(&metadata.mode.unwrap_or(u16::MAX).to_le_bytes())
    }

    fn put_length(&mut self, length: Option<u64>) -> &mut Self {
        self.put(&length.unwrap_or(u64::MAX).to_le_bytes())
    }

    fn put_digest(&mut self, digest: Option<Digest>) -> &mut Self {
        self.put(&[digest.is_some().into()]).put(&digest.unwrap_or_default().0)
    }

    fn put_peaks(&mut self, peaks: Peaks<'_>) -> &mut Self {
        self.put(&peaks.blocks().to_le_bytes()).put(peaks.values())
    }

    fn put_path(&mut self, path: &[u8]) -> &mut Self {
        self.put(&u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes()).put(path)
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Ok(Some(message)) => message.fmt(f),
            Ok(None) | Err(_) => write!(f, "Encoded({:02x?})", self.as_bytes()),
        }
    }
}

/// What a message still needs.
enum Needed {
    Bytes(usize),
    /// It is optional and unknown.
    Skip,
    Nothing,
}

const fn is_known(message_type: u8) -> bool {
    matches!(
        message_type,
        VERSION
            | PUT
            | GET
            | STAT
            | LIST
            | DATA
            | END
            | CANCEL
            | CONFIRM
            | ERROR
            | FILE
            | STATUS
            | ENTRY
            | LISTED
            | LEAVE
            | WORKING
    )
}

const fn header_of(message_type: u8, len: u32) -> [u8; MESSAGE_HEADER] {
    let [a, b, c, d] = len.to_le_bytes();
    [message_type, a, b, c, d]
}

/// The header of a DATA message with `len` bytes of content.
///
/// Storage reads the content behind the place of the header, so that both leave in one packet.
#[must_use]
pub const fn data_header(len: u32) -> [u8; MESSAGE_HEADER] {
    header_of(DATA, len)
}

#[cfg(test)]
mod tests;
