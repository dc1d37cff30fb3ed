//! The bytes that are moved, and whether they arrived as they were.

use crate::LENGTH;

/// The byte at `position` of what every program sends.
#[must_use]
pub const fn byte_at(position: u32) -> u8 {
    let [low, high, ..] = position.to_le_bytes();
    low.wrapping_mul(31) ^ high
}

/// Fills `place` with what stands at `position`, up to the end, and returns how many bytes those are.
pub fn fill(place: &mut [u8], position: u32) -> usize {
    let mut count = 0;
    for (byte, at) in place.iter_mut().zip(position..LENGTH) {
        *byte = byte_at(at);
        count += 1;
    }
    count
}

/// What has arrived: how much, and its FNV-1a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub count: u32,
    pub hash: u32,
    is_exact: bool,
}

impl Check {
    pub const NOTHING: Self = Self { count: 0, hash: 0x811c_9dc5, is_exact: true };

    /// These bytes came next.
    pub fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.is_exact &= byte == byte_at(self.count);
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            self.count += 1;
        }
    }

    /// Whether all of it came, and every byte is the right one.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_exact && self.count == LENGTH
    }
}
