//! What is sent, and the check of what arrives.

use crate::rng::Rng;

/// Bytes that repeat only after `PERIOD`, a prime, so that a block that is
/// lost, doubled or moved shows in the comparison.
pub struct Pattern {
    bytes: Vec<u8>,
}

const PERIOD: usize = 262_139;
const SLACK: usize = 1 << 20;

impl Pattern {
    pub fn new() -> Self {
        let mut rng = Rng::new(0x5eed);
        let mut bytes = Vec::with_capacity(PERIOD + SLACK + 8);
        while bytes.len() < PERIOD {
            bytes.extend_from_slice(&rng.next().to_le_bytes());
        }
        bytes.truncate(PERIOD);
        while bytes.len() < PERIOD + SLACK {
            let n = (PERIOD + SLACK - bytes.len()).min(PERIOD);
            bytes.extend_from_within(..n);
        }
        Pattern { bytes }
    }

    /// The bytes at `offset` of the endless stream, at most `SLACK` of them.
    pub fn at(&self, offset: u64, len: usize) -> &[u8] {
        let start = (offset % PERIOD as u64) as usize;
        &self.bytes[start..start + len.min(SLACK)]
    }

    /// Compares every byte.
    pub fn matches(&self, offset: u64, got: &[u8]) -> bool {
        let mut at = offset;
        got.chunks(SLACK).all(|part| {
            let same = self.at(at, part.len()) == part;
            at += part.len() as u64;
            same
        })
    }
}
