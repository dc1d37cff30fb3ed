//! The bytes that the programs transfer, and the check that they arrive unchanged.

use crate::LENGTH;

/// The byte at `position` of the data that every program sends.
#[must_use]
pub const fn byte_at(position: u32) -> u8 {
    let [low, high, ..] = position.to_le_bytes();
    low.wrapping_mul(31) ^ high
}

/// Fills `place` with the data from `position` on, up to the end of the data. Returns the number of bytes written.
pub fn fill(place: &mut [u8], position: u32) -> usize {
    let mut count = 0;
    for (byte, at) in place.iter_mut().zip(position..LENGTH) {
        *byte = byte_at(at);
        count += 1;
    }
    count
}

/// The number of bytes that have arrived, their FNV-1a hash, and whether they are correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub count: u32,
    pub hash: u32,
    is_exact: bool,
}

impl Check {
    pub const NOTHING: Self = Self { count: 0, hash: 0x811c_9dc5, is_exact: true };

    /// Adds the next received bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.is_exact &= byte == byte_at(self.count);
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            self.count += 1;
        }
    }

    /// Whether all data has arrived unchanged.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_exact && self.count == LENGTH
    }
}
