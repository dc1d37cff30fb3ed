//! A buffer that is filled from the front.

use crate::BufferTooSmall;
use crate::copy::copy;

/// Writes fields one after the other, as far as they fit.
///
/// It counts the fields that do not fit, so it also measures a packet: with an empty buffer.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// The length of all fields so far, in bytes.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The length of the buffer in bytes.
    pub(super) const fn capacity(&self) -> usize {
        self.buf.len()
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        copy(bytes, self.buf.get_mut(self.len..end).unwrap_or_default());
        self.len = end;
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes zeros up to the length `len`, unless more was written already.
    pub(crate) fn pad_to(&mut self, len: usize) {
        if len > self.len {
            self.buf.get_mut(self.len..len).unwrap_or_default().fill(0);
            self.len = len;
        }
    }

    /// The length of all fields, if they fit into the buffer.
    pub(crate) fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.len > self.buf.len() { Err(BufferTooSmall { needed: self.len }) } else { Ok(self.len) }
    }

    /// The fields.
    pub(super) fn into_written(self) -> &'b [u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }
}
