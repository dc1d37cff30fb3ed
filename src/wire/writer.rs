//! A buffer that is filled from the front.

use crate::copy::copy;

/// Writes fields into a buffer of exactly the length that they take.
///
/// A field that does not fit is left out. The caller computes the length, so this does not happen.
pub(super) struct Writer<'b> {
    rest: &'b mut [u8],
}

impl<'b> Writer<'b> {
    pub(super) const fn new(rest: &'b mut [u8]) -> Self {
        Self { rest }
    }

    /// The part of the buffer that is not filled.
    pub(super) fn into_rest(self) -> &'b mut [u8] {
        self.rest
    }

    pub(super) fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        debug_assert!(self.rest.len() >= N, "the buffer is shorter than its fields");
        if let Some((place, rest)) = core::mem::take(&mut self.rest).split_first_chunk_mut() {
            *place = bytes;
            self.rest = rest;
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.rest.len() >= bytes.len(), "the buffer is shorter than its fields");
        if let Some((place, rest)) = core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            copy(bytes, place);
            self.rest = rest;
        }
    }
}
