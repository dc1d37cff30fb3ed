//! The bytes of messages. Integers are little-endian.

use core::fmt;

use heapless::Vec;
use thiserror::Error;

use super::message::{Digest, Entry, Flags, MAX_PEAKS, Message, Metadata, Peaks, Status};
use super::path::{MAX_PATH, PathError, RawPath};

/// The length of the type and the length of a message, in bytes.
pub const HEADER: usize = 1 + 4;
/// The maximum length of a message in bytes, without the content of DATA: GET with the longest path and all peaks.
pub const MAX_MESSAGE: usize = HEADER + 1 + 2 + MAX_PATH + 8 + MAX_PEAKS * 32;

const HELLO: u8 = 16;
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

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The type is unassigned.
    #[error("unknown message type {0}")]
    UnknownType(u8),
    /// The message is shorter than its fields, or longer than [`MAX_MESSAGE`].
    #[error("a message of type {0} with a wrong length")]
    Length(u8),
    /// The peaks do not cover their blocks.
    #[error("peaks that do not cover their blocks")]
    Peaks,
    /// The path of an ENTRY breaks a rule.
    #[error("path not allowed: {0}")]
    Path(#[from] PathError),
}

/// The bytes of one message, encoded or received.
///
/// [`encode`](Self::encode) produces them from a [`Message`]. [`push`](Self::push) collects them from a stream in pieces
/// of any size.
///
/// ```
/// use rdt_proto::files::{Encoded, FilePath, Flags, Message};
///
/// let message = Message::Stat { flags: Flags::DIGEST, path: FilePath::new("a/b")?.into() };
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
    bytes: Vec<u8, MAX_MESSAGE>,
}

impl Encoded {
    /// No bytes, to be filled by [`push`](Self::push).
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Encodes `message`. DATA has only its header.
    #[must_use]
    pub fn encode(message: &Message<'_>) -> Self {
        let mut out = Self::new();
        if let &Message::Data { len } = message {
            return Self { bytes: Vec::from_slice(&data_header(len)).unwrap_or_default() };
        }
        out.put(&[0; HEADER]);
        let message_type = out.put_fields(message);
        let len = u32::try_from(out.bytes.len().saturating_sub(HEADER)).unwrap_or(u32::MAX);
        if let Some(header) = out.bytes.first_chunk_mut() {
            *header = header_of(message_type, len);
        }
        out
    }

    fn put_fields<'a>(&mut self, message: &Message<'a>) -> u8 {
        match *message {
            Message::Hello { version } => {
                self.put(&version.to_le_bytes());
                HELLO
            }
            Message::Put { flags, kind, metadata, length, offset, path } => {
                self.put(&[flags.bits(), kind.value()]).put_metadata(metadata).put_length(length);
                self.put(&offset.to_le_bytes()).put_path(path.as_bytes());
                PUT
            }
            Message::Get { flags, path, have } => {
                self.put(&[flags.bits()]).put_path(path.as_bytes()).put_peaks(have);
                GET
            }
            Message::Stat { flags, path } => {
                self.put(&[flags.bits()]).put_path(path.as_bytes());
                STAT
            }
            Message::List { flags, folder, after } => {
                let bytes = |path: Option<RawPath<'a>>| path.map_or(&[][..], |path| path.as_bytes());
                self.put(&[flags.bits()]).put_path(bytes(folder)).put_path(bytes(after));
                LIST
            }
            Message::Data { .. } => DATA,
            Message::End { digest } => {
                self.put(&digest.0);
                END
            }
            Message::Cancel { code } => {
                self.put(&[code.value()]);
                CANCEL
            }
            Message::Confirm { number } => {
                self.put(&number.to_le_bytes());
                CONFIRM
            }
            Message::Error { number, code } => {
                self.put(&number.to_le_bytes()).put(&[code.value()]);
                ERROR
            }
            Message::File { number, kind, metadata, length, offset } => {
                self.put(&number.to_le_bytes()).put(&[kind.value()]).put_metadata(metadata).put_length(length);
                self.put(&offset.to_le_bytes());
                FILE
            }
            Message::Status { number, status: Status { kind, metadata, length, digest, peaks } } => {
                self.put(&number.to_le_bytes()).put(&[kind.value()]).put_metadata(metadata);
                self.put(&length.to_le_bytes()).put_digest(digest).put_peaks(peaks);
                STATUS
            }
            Message::Entry { number, entry: Entry { kind, metadata, length, digest, path } } => {
                self.put(&number.to_le_bytes()).put(&[kind.value()]).put_metadata(metadata);
                self.put(&length.to_le_bytes()).put_digest(digest).put_path(path.as_str().as_bytes());
                ENTRY
            }
            Message::Listed { number, has_more } => {
                self.put(&number.to_le_bytes()).put(&[has_more.into()]);
                LISTED
            }
            Message::Leave { code } => {
                self.put(&[code.value()]);
                LEAVE
            }
        }
    }

    /// Consumes bytes from `input` up to the end of the message; returns their number.
    ///
    /// It returns 0 once [`message`](Self::message) returns a message or an error. An optional message that this version
    /// does not know is consumed, and leaves nothing.
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
    pub fn message(&self) -> Result<Option<Message<'_>>, MessageError> {
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
        let [message_type, len @ ..] = *self.bytes.first_chunk::<HEADER>()?;
        Some((message_type, usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX)))
    }

    fn needed(&self) -> Needed {
        let Some((message_type, len)) = self.header() else {
            return Needed::Bytes(HEADER - self.bytes.len().min(HEADER));
        };
        match message_type {
            DATA => Needed::Nothing,
            OPTIONAL.. => Needed::Skip,
            _ if HEADER.saturating_add(len) > MAX_MESSAGE || !is_known(message_type) => Needed::Nothing,
            _ => match HEADER.saturating_add(len).saturating_sub(self.bytes.len()) {
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

    fn decode(&self) -> Result<Message<'_>, MessageError> {
        let (message_type, len) = self.header().ok_or(MessageError::Length(0))?;
        if message_type == DATA {
            return Ok(Message::Data { len: u32::try_from(len).unwrap_or(u32::MAX) });
        }
        if !is_known(message_type) {
            return Err(MessageError::UnknownType(message_type));
        }
        if HEADER.saturating_add(len) > MAX_MESSAGE {
            return Err(MessageError::Length(message_type));
        }
        let mut fields = Fields { bytes: self.bytes.get(HEADER..).unwrap_or_default(), message_type };
        Ok(match message_type {
            HELLO => Message::Hello { version: u16::from_le_bytes(fields.array()?) },
            PUT => {
                let (flags, kind, metadata) = (fields.flags()?, fields.byte()?.into(), fields.metadata()?);
                let (length, offset, path) = (fields.length()?, fields.u64()?, fields.path()?);
                Message::Put { flags, kind, metadata, length, offset, path }
            }
            GET => Message::Get { flags: fields.flags()?, path: fields.path()?, have: fields.peaks()? },
            STAT => Message::Stat { flags: fields.flags()?, path: fields.path()? },
            LIST => {
                Message::List { flags: fields.flags()?, folder: fields.path_or_none()?, after: fields.path_or_none()? }
            }
            END => Message::End { digest: Digest(fields.array()?) },
            CANCEL => Message::Cancel { code: fields.byte()?.into() },
            CONFIRM => Message::Confirm { number: fields.number()? },
            ERROR => Message::Error { number: fields.number()?, code: fields.byte()?.into() },
            FILE => {
                let (number, kind, metadata) = (fields.number()?, fields.byte()?.into(), fields.metadata()?);
                Message::File { number, kind, metadata, length: fields.length()?, offset: fields.u64()? }
            }
            STATUS => {
                let (number, kind, metadata) = (fields.number()?, fields.byte()?.into(), fields.metadata()?);
                let (length, digest, peaks) = (fields.u64()?, fields.digest()?, fields.peaks()?);
                Message::Status { number, status: Status { kind, metadata, length, digest, peaks } }
            }
            ENTRY => {
                let (number, kind, metadata) = (fields.number()?, fields.byte()?.into(), fields.metadata()?);
                let (length, digest, path) = (fields.u64()?, fields.digest()?, fields.path()?.check()?);
                Message::Entry { number, entry: Entry { kind, metadata, length, digest, path } }
            }
            LISTED => Message::Listed { number: fields.number()?, has_more: fields.byte()? != 0 },
            LEAVE => Message::Leave { code: fields.byte()?.into() },
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
        HELLO
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
    )
}

const fn header_of(message_type: u8, len: u32) -> [u8; HEADER] {
    let [a, b, c, d] = len.to_le_bytes();
    [message_type, a, b, c, d]
}

/// The header of a DATA message with `len` bytes of content.
///
/// Storage reads the content behind the place of the header, so that both leave in one packet.
#[must_use]
pub const fn data_header(len: u32) -> [u8; HEADER] {
    header_of(DATA, len)
}

/// The fields of a message, read in order. Later versions may append fields.
struct Fields<'a> {
    bytes: &'a [u8],
    message_type: u8,
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], MessageError> {
        let (field, rest) = self.bytes.split_at_checked(len).ok_or(MessageError::Length(self.message_type))?;
        self.bytes = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let (field, rest) = self.bytes.split_first_chunk().ok_or(MessageError::Length(self.message_type))?;
        self.bytes = rest;
        Ok(*field)
    }

    fn byte(&mut self) -> Result<u8, MessageError> {
        self.array().map(u8::from_le_bytes)
    }

    fn number(&mut self) -> Result<u32, MessageError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, MessageError> {
        self.array().map(u64::from_le_bytes)
    }

    fn flags(&mut self) -> Result<Flags, MessageError> {
        self.byte().map(Flags::from_bits_retain)
    }

    fn length(&mut self) -> Result<Option<u64>, MessageError> {
        Ok(Some(self.u64()?).filter(|&length| length != u64::MAX))
    }

    fn metadata(&mut self) -> Result<Metadata, MessageError> {
        let modified = Some(i64::from_le_bytes(self.array()?)).filter(|&modified| modified != i64::MIN);
        let mode = Some(u16::from_le_bytes(self.array()?)).filter(|&mode| mode != u16::MAX);
        Ok(Metadata { modified, mode })
    }

    fn digest(&mut self) -> Result<Option<Digest>, MessageError> {
        let is_known = self.byte()? != 0;
        let digest = Digest(self.array()?);
        Ok(is_known.then_some(digest))
    }

    fn peaks(&mut self) -> Result<Peaks<'a>, MessageError> {
        let blocks = self.u64()?;
        let count = usize::try_from(blocks.count_ones()).unwrap_or(usize::MAX);
        Peaks::new(blocks, self.take(count.saturating_mul(32))?).ok_or(MessageError::Peaks)
    }

    fn path(&mut self) -> Result<RawPath<'a>, MessageError> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(length.into()).map(RawPath::new)
    }

    fn path_or_none(&mut self) -> Result<Option<RawPath<'a>>, MessageError> {
        Ok(Some(self.path()?).filter(|path| !path.as_bytes().is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::ErrorCode;

    const NONE: Metadata = Metadata { modified: None, mode: None };
    const ALL: Metadata = Metadata { modified: Some(-2), mode: Some(0o644) };

    fn path() -> FilePath<'static> {
        FilePath::new("a/b").unwrap()
    }

    /// One of each kind, with its bytes.
    fn messages() -> std::vec::Vec<(Message<'static>, std::vec::Vec<u8>)> {
        let digest = Digest([7; 32]);
        let sevens = [7; 32];
        let prefix = Prefix { length: 0x0102, digest };
        let none = [&[0, 0, 0, 0, 0, 0, 0, 0x80][..], &[0xff, 0xff]].concat();
        let all = [&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &[0xa4, 1]].concat();
        let (two, name) = (&[2, 1, 0, 0, 0, 0, 0, 0][..], &b"\x03\0a/b"[..]);
        let entry = Entry { kind: Kind::Folder, metadata: ALL, length: 0x0102, digest, path: path() };
        std::vec![
            (
                Message::Put { wish: Wish::RESUME, metadata: NONE, length: None, path: path() },
                [&[16, 2][..], &none, &[0xff; 8], name].concat(),
            ),
            (Message::Get { have: prefix, path: path() }, [&[17][..], two, &sevens, name].concat()),
            (Message::List { wish: Wish::RECURSIVE, folder: None }, std::vec![18, 4, 0, 0]),
            (Message::List { wish: Wish::empty(), folder: Some(path()) }, [&[18, 0][..], name].concat()),
            (Message::Check { wish: Wish::DIGEST, path: path() }, [&[19, 8][..], name].concat()),
            (Message::Start { offset: 0x0102 }, [&[24][..], two].concat()),
            (Message::Data { len: 0x0304 }, std::vec![25, 4, 3]),
            (Message::End { digest }, [&[26][..], &sevens].concat()),
            (Message::Cancel { code: ErrorCode::Cancelled }, std::vec![27, 10]),
            (Message::Resume(prefix), [&[32][..], two, &sevens].concat()),
            (Message::Confirm, std::vec![33]),
            (Message::Error { code: ErrorCode::Busy }, std::vec![34, 7]),
            (
                Message::File { metadata: ALL, length: 0x0102, offset: 1 },
                [&[35][..], &all, two, &[1, 0, 0, 0, 0, 0, 0, 0]].concat(),
            ),
            (Message::Entry(entry), [&[36, 1][..], &all, two, &sevens, name].concat()),
            (Message::Listed, std::vec![37]),
        ]
    }

    #[test]
    fn each_message_has_its_exact_bytes() {
        for (message, bytes) in messages() {
            assert_eq!(Encoded::encode(&message).as_bytes(), bytes, "{message:?}");
            for cut in 0..bytes.len() {
                let mut received = Encoded::new();
                assert_eq!(received.push(&bytes[..cut]), cut, "{message:?}");
                assert_eq!(received.message(), Ok(None), "{message:?} cut to {cut}");
                let rest = [&bytes[cut..], b"more"].concat();
                assert_eq!(received.push(&rest), bytes.len() - cut);
                assert_eq!(received.message(), Ok(Some(message)));
                assert_eq!(received.push(b"more"), 0);
            }
        }
    }

    #[test]
    fn a_header_of_data_is_that_message() {
        assert_eq!(Encoded::encode(&Message::Data { len: 0x0304 }).as_bytes(), data_header(0x0304));
    }

    #[test]
    fn the_longest_message_fits() {
        let longest = [&*"x".repeat(255); 4].join("/");
        let path = FilePath::new(&longest).unwrap();
        let entry = Entry { kind: Kind::File, metadata: NONE, length: 1, digest: Digest::default(), path };
        let encoded = Encoded::encode(&Message::Entry(entry));
        assert_eq!(encoded.as_bytes().len(), MAX_MESSAGE - 1);
        assert_eq!(encoded.message(), Ok(Some(Message::Entry(entry))));
    }

    #[test]
    fn an_invalid_message_fails_at_its_first_invalid_byte() {
        let mut received = Encoded::new();
        assert_eq!((received.push(b"\x00more"), received.message()), (1, Err(MessageError::UnknownType(0))));
        let mut received = Encoded::new();
        assert_eq!((received.push(b"\x24\x02more"), received.message()), (2, Err(MessageError::UnknownKind(2))));
        for (length, error) in [([0, 0], PathError::EmptyComponent), ([1, 4], PathError::TooLong)] {
            let mut received = Encoded::new();
            let bytes = [&[19, 0][..], &length, b"more"].concat();
            assert_eq!((received.push(&bytes), received.message()), (4, Err(MessageError::Path(error))));
        }
    }
}
