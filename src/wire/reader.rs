//! Fields that are read from the front of a datagram.

use super::DecodeError;
use crate::Seq;

/// Reads fields one after the other.
///
/// The first error stays, and [`finish`](Self::finish) returns it. A field that is missing reads as 0.
pub(super) struct Reader<'d> {
    rest: &'d [u8],
    error: Option<DecodeError>,
}

impl<'d> Reader<'d> {
    pub(super) const fn new(rest: &'d [u8]) -> Self {
        Self { rest, error: None }
    }

    /// All bytes that were not read.
    pub(super) const fn rest(&self) -> &'d [u8] {
        self.rest
    }

    /// The next `len` bytes.
    #[inline]
    pub(super) fn slice(&mut self, len: u64) -> &'d [u8] {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        self.require(split.is_some(), DecodeError::Truncated);
        let (slice, rest) = split.unwrap_or_default();
        self.rest = rest;
        slice
    }

    /// The number in the next `len` bytes.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn big_endian(&mut self, len: u8) -> u32 {
        big_endian(self.slice(len.into()))
    }

    pub(super) fn u8(&mut self) -> u8 {
        let [.., byte] = self.big_endian(1).to_be_bytes();
        byte
    }

    pub(super) fn u16(&mut self) -> u16 {
        let [.., high, low] = self.big_endian(2).to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    pub(super) fn u32(&mut self) -> u32 {
        self.big_endian(4)
    }

    pub(super) fn u64(&mut self) -> u64 {
        let high = u64::from(self.u32());
        high << u32::BITS | u64::from(self.u32())
    }

    pub(super) fn number(&mut self) -> Seq {
        Seq::new(self.u32())
    }

    /// The datagram is in `error` unless `holds`, or an earlier error was found.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn require(&mut self, holds: bool, error: DecodeError) {
        if !holds {
            self.error.get_or_insert(error);
        }
    }

    /// No field may follow.
    pub(super) fn end(&mut self) {
        self.require(self.rest.is_empty(), DecodeError::Trailing);
    }

    /// Whether no error was found.
    pub(super) const fn is_valid(&self) -> bool {
        self.error.is_none()
    }

    /// `value`, unless an error was found.
    pub(super) fn finish<T>(&self, value: T) -> Result<T, DecodeError> {
        self.error.map_or(Ok(value), Err)
    }
}

/// The number in the last four bytes of `bytes`, or in all of them if it has fewer.
#[inline]
pub(super) fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
