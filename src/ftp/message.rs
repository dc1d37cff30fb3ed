//! Message headers: bytes and values. Integers are little-endian.

use core::fmt;

use heapless::Vec;
use thiserror::Error;

use super::code::ErrorCode;
use super::name::{MAX_NAME, Name, NameError};

/// The maximum length of a header: UPLOAD with a name of [`MAX_NAME`] bytes.
pub const MAX_HEADER: usize = 1 + 8 + 2 + MAX_NAME;

const UPLOAD: u8 = 0;
const DOWNLOAD: u8 = 1;
const FILE: u8 = 2;
const CONFIRM: u8 = 3;
const ERROR: u8 = 4;

/// A message header. The content of UPLOAD and FILE follows it in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileMessage<'a> {
    /// Client: store the content that follows under this name.
    Upload {
        /// The length of the content in bytes.
        length: u64,
        /// The name of the file.
        name: Name<'a>,
    },
    /// Client: send the file of this name.
    Download {
        /// The name of the file.
        name: Name<'a>,
    },
    /// Server: the content of the requested file follows.
    File {
        /// The length of the content in bytes.
        length: u64,
    },
    /// Server: the uploaded file is durable under its name.
    Confirm,
    /// Server: the request is refused.
    Error {
        /// The reason.
        code: ErrorCode,
    },
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FileDecodeError {
    /// The type is unassigned. Types from 5 on are reserved.
    #[error("unknown message type {0}")]
    UnknownType(u8),
    /// The name breaks a rule.
    #[error("name not allowed: {0}")]
    Name(NameError),
}

/// The bytes of one header, encoded or received.
///
/// [`encode`](Self::encode) produces them from a [`FileMessage`]. [`push`](Self::push) collects them from a stream in
/// pieces of any size.
///
/// ```
/// use rdt_proto::ftp::{Header, FileMessage, Name};
///
/// let message = FileMessage::Download { name: Name::new("a.txt")? };
/// let sent = Header::encode(message);
/// let mut received = Header::new();
/// for byte in sent.as_bytes() {
///     assert_eq!(received.message(), Ok(None));
///     assert_eq!(received.push(&[*byte]), 1);
/// }
/// assert_eq!(received.push(b"content"), 0);
/// assert_eq!(received.message(), Ok(Some(message)));
/// # Ok::<(), rdt_proto::ftp::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Header {
    bytes: Vec<u8, MAX_HEADER>,
}

impl Header {
    /// An empty header, to be filled by [`push`](Self::push).
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Encodes `message`.
    #[must_use]
    pub fn encode(message: FileMessage<'_>) -> Self {
        let mut header = Self::new();
        match message {
            FileMessage::Upload { length, name } => {
                header.append(&[UPLOAD]);
                header.append(&length.to_le_bytes());
                header.append_name(name);
            }
            FileMessage::Download { name } => {
                header.append(&[DOWNLOAD]);
                header.append_name(name);
            }
            FileMessage::File { length } => {
                header.append(&[FILE]);
                header.append(&length.to_le_bytes());
            }
            FileMessage::Confirm => header.append(&[CONFIRM]),
            FileMessage::Error { code } => header.append(&[ERROR, code.value()]),
        }
        header
    }

    /// Consumes bytes from `input` up to the end of the header; returns their number.
    ///
    /// It returns 0 once [`message`](Self::message) returns a message or an error.
    pub fn push(&mut self, input: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let missing = self.needed().saturating_sub(self.bytes.len());
            let rest = input.get(taken..).unwrap_or_default();
            let piece = rest.get(..missing.min(rest.len())).unwrap_or_default();
            if piece.is_empty() {
                return taken;
            }
            self.append(piece);
            taken += piece.len();
        }
    }

    /// Decodes the message; `None` while bytes are missing.
    ///
    /// # Errors
    /// [`FileDecodeError`], as early as possible: [`push`](Self::push) consumes no byte of a name that is too long.
    pub fn message(&self) -> Result<Option<FileMessage<'_>>, FileDecodeError> {
        match self.bytes.split_first() {
            Some((&UPLOAD, fields)) => {
                let Some((length, rest)) = fields.split_first_chunk() else { return Ok(None) };
                Ok(name_in(rest)?.map(|name| FileMessage::Upload { length: u64::from_le_bytes(*length), name }))
            }
            Some((&DOWNLOAD, fields)) => Ok(name_in(fields)?.map(|name| FileMessage::Download { name })),
            Some(_) | None => self.server_message(),
        }
    }

    /// Decodes the message of a server; `None` while bytes are missing.
    ///
    /// A client calls this method, so that its program contains no code to decode UPLOAD and DOWNLOAD.
    pub(super) fn server_message(&self) -> Result<Option<FileMessage<'static>>, FileDecodeError> {
        let Some((&message_type, fields)) = self.bytes.split_first() else { return Ok(None) };
        Ok(match message_type {
            FILE => fields.first_chunk().map(|length| FileMessage::File { length: u64::from_le_bytes(*length) }),
            CONFIRM => Some(FileMessage::Confirm),
            ERROR => fields.first().map(|&code| FileMessage::Error { code: ErrorCode::from(code) }),
            unknown => return Err(FileDecodeError::UnknownType(unknown)),
        })
    }

    /// The content length of an UPLOAD in bytes, available before the name is complete; `None` until then.
    #[must_use]
    pub fn upload_length(&self) -> Option<u64> {
        let (&UPLOAD, fields) = self.bytes.split_first()? else { return None };
        fields.first_chunk().map(|length| u64::from_le_bytes(*length))
    }

    /// Whether this is an UPLOAD, even if bytes of it are missing; `None` before the first byte.
    pub(super) fn is_upload(&self) -> Option<bool> {
        self.bytes.first().map(|&message_type| message_type == UPLOAD)
    }

    /// The bytes encoded or received so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length of the header in bytes, or a lower bound while the bytes that determine it are missing.
    fn needed(&self) -> usize {
        let with_name = |fixed: usize| {
            let length =
                self.bytes.get(fixed..).and_then(<[u8]>::first_chunk).map(|length| u16::from_le_bytes(*length));
            match length.map(usize::from) {
                Some(length) if length <= MAX_NAME => fixed + 2 + length,
                Some(_) | None => fixed + 2,
            }
        };
        match self.bytes.first() {
            Some(&UPLOAD) => with_name(1 + 8),
            Some(&DOWNLOAD) => with_name(1),
            Some(&FILE) => 1 + 8,
            Some(&ERROR) => 1 + 1,
            Some(_) | None => 1,
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        // The longest header fits into the capacity.
        let _fits = self.bytes.extend_from_slice(bytes);
    }

    fn append_name(&mut self, name: Name<'_>) {
        let name = name.as_str().as_bytes();
        self.append(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.append(name);
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Ok(Some(message)) => message.fmt(f),
            Ok(None) | Err(_) => write!(f, "Header({:02x?})", self.as_bytes()),
        }
    }
}

/// Decodes a name and its length prefix. A length out of range is an error even before the name arrives.
fn name_in(field: &[u8]) -> Result<Option<Name<'_>>, FileDecodeError> {
    let Some((length, rest)) = field.split_first_chunk() else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes(*length));
    if length == 0 {
        return Err(FileDecodeError::Name(NameError::Empty));
    }
    if length > MAX_NAME {
        return Err(FileDecodeError::Name(NameError::TooLong));
    }
    rest.get(..length).map(Name::from_bytes).transpose().map_err(FileDecodeError::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name<'_> {
        Name::new(text).unwrap()
    }

    #[test]
    fn each_header_has_its_exact_bytes() {
        for (message, bytes) in [
            (FileMessage::Upload { length: 0x0102, name: name("ab") }, &b"\0\x02\x01\0\0\0\0\0\0\x02\0ab"[..]),
            (FileMessage::Download { name: name("ab") }, b"\x01\x02\0ab"),
            (FileMessage::File { length: u64::MAX - 1 }, b"\x02\xfe\xff\xff\xff\xff\xff\xff\xff"),
            (FileMessage::Confirm, b"\x03"),
            (FileMessage::Error { code: ErrorCode::NoSuchFile }, b"\x04\x01"),
            (FileMessage::Error { code: ErrorCode::Other(200) }, b"\x04\xc8"),
        ] {
            assert_eq!(Header::encode(message).as_bytes(), bytes);
            for cut in 0..bytes.len() {
                let mut header = Header::new();
                assert_eq!(header.push(&bytes[..cut]), cut);
                assert_eq!(header.message(), Ok(None));
                let rest = [&bytes[cut..], b"more"].concat();
                assert_eq!(header.push(&rest), bytes.len() - cut);
                assert_eq!(header.message(), Ok(Some(message)));
                assert_eq!(header.push(b"more"), 0);
            }
        }
    }

    #[test]
    fn the_longest_header_fits() {
        let longest = std::string::String::from_utf8(std::vec![b'x'; MAX_NAME]).unwrap();
        let message = FileMessage::Upload { length: 7, name: name(&longest) };
        let header = Header::encode(message);
        assert_eq!(header.as_bytes().len(), MAX_HEADER);
        assert_eq!(header.message(), Ok(Some(message)));
    }

    #[test]
    fn an_upload_length_precedes_its_name() {
        let mut header = Header::new();
        header.push(b"\0\x09\0\0\0\0\0\0");
        assert_eq!(header.upload_length(), None);
        header.push(b"\0");
        assert_eq!(header.upload_length(), Some(9));
        assert_eq!(Header::encode(FileMessage::File { length: 9 }).upload_length(), None);
    }

    #[test]
    fn an_invalid_header_fails_at_its_first_invalid_byte() {
        let mut header = Header::new();
        assert_eq!(header.push(b"\x05more"), 1);
        assert_eq!(header.message(), Err(FileDecodeError::UnknownType(5)));
        assert_eq!(header.push(b"more"), 0);
        let mut header = Header::new();
        assert_eq!(header.push(b"\x01\0\x01more"), 3);
        assert_eq!(header.message(), Err(FileDecodeError::Name(NameError::TooLong)));
        let mut header = Header::new();
        assert_eq!(header.push(b"\x01\0\0more"), 3);
        assert_eq!(header.message(), Err(FileDecodeError::Name(NameError::Empty)));
        let mut header = Header::new();
        header.push(b"\x01\x02\0..");
        assert_eq!(header.message(), Err(FileDecodeError::Name(NameError::RelativeFolder)));
    }
}
