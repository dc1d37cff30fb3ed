//! The bytes of messages. Integers are little-endian.

use core::fmt;

use heapless::Vec;
use thiserror::Error;

use super::message::{DATA_HEADER, Digest, Entry, Kind, MAX_MESSAGE, Message, Metadata, Prefix, Wish};
use super::path::{FilePath, MAX_PATH, PathError};

const PUT: u8 = 16;
const GET: u8 = 17;
const LIST: u8 = 18;
const CHECK: u8 = 19;
const START: u8 = 24;
const DATA: u8 = 25;
const END: u8 = 26;
const CANCEL: u8 = 27;
const RESUME: u8 = 32;
const CONFIRM: u8 = 33;
const ERROR: u8 = 34;
const FILE: u8 = 35;
const ENTRY: u8 = 36;
const LISTED: u8 = 37;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The type is unassigned.
    #[error("unknown message type {0}")]
    UnknownType(u8),
    /// A kind of entry is unassigned.
    #[error("unknown kind of entry {0}")]
    UnknownKind(u8),
    /// The path breaks a rule.
    #[error("path not allowed: {0}")]
    Path(#[from] PathError),
}

/// The bytes of one message, encoded or received.
///
/// [`encode`](Self::encode) produces them from a [`Message`]. [`push`](Self::push) collects them from a stream in pieces
/// of any size.
///
/// ```
/// use rdt_proto::files::{Encoded, FilePath, Message, Prefix};
///
/// let message = Message::Get { have: Prefix::default(), path: FilePath::new("a/b")? };
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

    /// Encodes `message`.
    #[must_use]
    pub fn encode(message: &Message<'_>) -> Self {
        let mut out = Self::new();
        match *message {
            Message::Put { wish, metadata, length, path } => {
                out.put(&[PUT, wish.bits()]).put_metadata(metadata);
                out.put(&length.unwrap_or(u64::MAX).to_le_bytes()).put_path(path.as_str());
            }
            Message::Get { have, path } => out.put(&[GET]).put_prefix(have).put_path(path.as_str()),
            Message::List { wish, folder } => {
                out.put(&[LIST, wish.bits()]).put_path(folder.map_or("", |folder| folder.as_str()));
            }
            Message::Check { wish, path } => out.put(&[CHECK, wish.bits()]).put_path(path.as_str()),
            Message::Start { offset } => drop(out.put(&[START]).put(&offset.to_le_bytes())),
            Message::Data { len } => drop(out.put(&[DATA]).put(&len.to_le_bytes())),
            Message::End { digest } => drop(out.put(&[END]).put(&digest.0)),
            Message::Cancel { code } => drop(out.put(&[CANCEL, code.value()])),
            Message::Resume(prefix) => drop(out.put(&[RESUME]).put_prefix(prefix)),
            Message::Confirm => drop(out.put(&[CONFIRM])),
            Message::Error { code } => drop(out.put(&[ERROR, code.value()])),
            Message::File { metadata, length, offset } => {
                out.put(&[FILE]).put_metadata(metadata).put(&length.to_le_bytes()).put(&offset.to_le_bytes());
            }
            Message::Entry(Entry { kind, metadata, length, digest, path }) => {
                let kind = match kind {
                    Kind::File => 0,
                    Kind::Folder => 1,
                };
                out.put(&[ENTRY, kind]).put_metadata(metadata).put(&length.to_le_bytes()).put(&digest.0);
                out.put_path(path.as_str());
            }
            Message::Listed => drop(out.put(&[LISTED])),
        }
        out
    }

    /// Consumes bytes from `input` up to the end of the message; returns their number.
    ///
    /// It returns 0 once [`message`](Self::message) returns a message or an error.
    pub fn push(&mut self, input: &[u8]) -> usize {
        let mut taken = 0;
        while let Err(Incomplete::Needs(length)) = self.decode() {
            let rest = input.get(taken..).unwrap_or_default();
            let missing = length.saturating_sub(self.bytes.len()).min(rest.len());
            let piece = rest.get(..missing).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            self.put(piece);
            taken += piece.len();
        }
        taken
    }

    /// Decodes the message; `None` while bytes are missing.
    ///
    /// # Errors
    /// [`MessageError`], as early as possible: [`push`](Self::push) consumes no byte of a path that is too long.
    pub fn message(&self) -> Result<Option<Message<'_>>, MessageError> {
        match self.decode() {
            Ok(message) => Ok(Some(message)),
            Err(Incomplete::Needs(_)) => Ok(None),
            Err(Incomplete::Invalid(error)) => Err(error),
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

    fn decode(&self) -> Result<Message<'_>, Incomplete> {
        let mut fields = Fields { bytes: &self.bytes, at: 0 };
        Ok(match fields.byte()? {
            PUT => {
                let (wish, metadata) = (fields.wish()?, fields.metadata()?);
                let length = Some(fields.u64()?).filter(|&length| length != u64::MAX);
                Message::Put { wish, metadata, length, path: fields.path()? }
            }
            GET => Message::Get { have: fields.prefix()?, path: fields.path()? },
            LIST => {
                let wish = fields.wish()?;
                let folder = if fields.u16_at()? == 0 { None } else { Some(fields.path()?) };
                Message::List { wish, folder }
            }
            CHECK => Message::Check { wish: fields.wish()?, path: fields.path()? },
            START => Message::Start { offset: fields.u64()? },
            DATA => Message::Data { len: u16::from_le_bytes(fields.array()?) },
            END => Message::End { digest: Digest(fields.array()?) },
            CANCEL => Message::Cancel { code: fields.byte()?.into() },
            RESUME => Message::Resume(fields.prefix()?),
            CONFIRM => Message::Confirm,
            ERROR => Message::Error { code: fields.byte()?.into() },
            FILE => {
                let (metadata, length) = (fields.metadata()?, fields.u64()?);
                Message::File { metadata, length, offset: fields.u64()? }
            }
            ENTRY => {
                let kind = match fields.byte()? {
                    0 => Kind::File,
                    1 => Kind::Folder,
                    unknown => return Err(Incomplete::Invalid(MessageError::UnknownKind(unknown))),
                };
                let (metadata, length) = (fields.metadata()?, fields.u64()?);
                let digest = Digest(fields.array()?);
                Message::Entry(Entry { kind, metadata, length, digest, path: fields.path()? })
            }
            LISTED => Message::Listed,
            unknown => return Err(Incomplete::Invalid(MessageError::UnknownType(unknown))),
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

    fn put_prefix(&mut self, prefix: Prefix) -> &mut Self {
        self.put(&prefix.length.to_le_bytes()).put(&prefix.digest.0)
    }

    fn put_path(&mut self, path: &str) {
        self.put(&u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes()).put(path.as_bytes());
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

/// The header of a DATA message with `len` bytes of content.
///
/// Storage reads the content behind the place of the header, so that both leave in one packet.
#[must_use]
pub const fn data_header(len: u16) -> [u8; DATA_HEADER] {
    let [low, high] = len.to_le_bytes();
    [DATA, low, high]
}

/// Why bytes are no message yet, or never.
enum Incomplete {
    /// The message has at least this many bytes.
    Needs(usize),
    Invalid(MessageError),
}

/// The fields of a message, read in order.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Incomplete> {
        let end = self.at.saturating_add(len);
        let field = self.bytes.get(self.at..end).ok_or(Incomplete::Needs(end))?;
        self.at = end;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Incomplete> {
        let needs = self.at.saturating_add(N);
        self.take(N)?.first_chunk().copied().ok_or(Incomplete::Needs(needs))
    }

    fn byte(&mut self) -> Result<u8, Incomplete> {
        self.array().map(u8::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Incomplete> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next two bytes, which are read again.
    fn u16_at(&mut self) -> Result<u16, Incomplete> {
        Fields { bytes: self.bytes, at: self.at }.array().map(u16::from_le_bytes)
    }

    fn wish(&mut self) -> Result<Wish, Incomplete> {
        self.byte().map(Wish::from_bits_truncate)
    }

    fn metadata(&mut self) -> Result<Metadata, Incomplete> {
        let modified = Some(i64::from_le_bytes(self.array()?)).filter(|&modified| modified != i64::MIN);
        let mode = Some(u16::from_le_bytes(self.array()?)).filter(|&mode| mode != u16::MAX);
        Ok(Metadata { modified, mode })
    }

    fn prefix(&mut self) -> Result<Prefix, Incomplete> {
        Ok(Prefix { length: self.u64()?, digest: Digest(self.array()?) })
    }

    fn path(&mut self) -> Result<FilePath<'a>, Incomplete> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let invalid = |error: PathError| Incomplete::Invalid(error.into());
        match length {
            0 => return Err(invalid(PathError::EmptyComponent)),
            MAX_PATH.. if length > MAX_PATH => return Err(invalid(PathError::TooLong)),
            _ => {}
        }
        FilePath::from_bytes(self.take(length)?).map_err(invalid)
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
