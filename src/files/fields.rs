//! The fields of messages.

use thiserror::Error;

use super::message::{Digest, Flags, Metadata, Peaks};
use super::path::{PathError, RawPath};

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The type is unassigned.
    #[error("unknown message type {0}")]
    UnknownType(u8),
    /// The message is shorter than its fields, or longer than [`MAX_SESSION_MESSAGE`](super::MAX_SESSION_MESSAGE).
    #[error("a message of type {0} with a wrong length")]
    Length(u8),
    /// The peaks do not cover their blocks.
    #[error("peaks that do not cover their blocks")]
    Peaks,
    /// The path of an ENTRY breaks a rule.
    #[error("path not allowed: {0}")]
    Path(#[from] PathError),
}

/// The fields of a message, read in order. Later versions may append fields.
pub(super) struct Fields<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) message_type: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], MessageError> {
        let (field, rest) = self.bytes.split_at_checked(len).ok_or(MessageError::Length(self.message_type))?;
        self.bytes = rest;
        Ok(field)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let (field, rest) = self.bytes.split_first_chunk().ok_or(MessageError::Length(self.message_type))?;
        self.bytes = rest;
        Ok(*field)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MessageError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn number(&mut self) -> Result<u32, MessageError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, MessageError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn flags(&mut self) -> Result<Flags, MessageError> {
        self.byte().map(Flags::from_bits_retain)
    }

    pub(super) fn length(&mut self) -> Result<Option<u64>, MessageError> {
        Ok(Some(self.u64()?).filter(|&length| length != u64::MAX))
    }

    pub(super) fn metadata(&mut self) -> Result<Metadata, MessageError> {
        let modified = Some(i64::from_le_bytes(self.array()?)).filter(|&modified| modified != i64::MIN);
        let mode = Some(u16::from_le_bytes(self.array()?)).filter(|&mode| mode != u16::MAX);
        Ok(Metadata { modified, mode })
    }

    pub(super) fn digest(&mut self) -> Result<Option<Digest>, MessageError> {
        let is_known = self.byte()? != 0;
        let digest = Digest(self.array()?);
        Ok(is_known.then_some(digest))
    }

    pub(super) fn peaks(&mut self) -> Result<Peaks<'a>, MessageError> {
        let blocks = self.u64()?;
        let count = usize::try_from(blocks.count_ones()).unwrap_or(usize::MAX);
        Peaks::new(blocks, self.take(count.saturating_mul(32))?).ok_or(MessageError::Peaks)
    }

    pub(super) fn path(&mut self) -> Result<RawPath<'a>, MessageError> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(length.into()).map(RawPath::new)
    }

    pub(super) fn path_or_none(&mut self) -> Result<Option<RawPath<'a>>, MessageError> {
        Ok(Some(self.path()?).filter(|path| !path.as_bytes().is_empty()))
    }
}
