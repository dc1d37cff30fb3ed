//! Memory that is filled from the front.

use crate::copy::copy;

/// Writes into a piece of memory that its caller has measured: what is beyond its end is cut off, which does not happen.
pub(super) struct Writer<'b> {
    rest: &'b mut [u8],
}

impl<'b> Writer<'b> {
    pub(super) const fn new(rest: &'b mut [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        debug_assert!(self.rest.len() >= N, "the memory was measured too small");
        if let Some((place, rest)) = core::mem::take(&mut self.rest).split_first_chunk_mut() {
            *place = bytes;
            self.rest = rest;
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.rest.len() >= bytes.len(), "the memory was measured too small");
        if let Some((place, rest)) = core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            copy(bytes, place);
            self.rest = rest;
        }
    }
}
