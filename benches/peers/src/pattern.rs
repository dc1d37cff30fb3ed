//! The bytes that are sent, and the check of the bytes that arrive.

use crate::rng::Rng;

/// An endless stream of bytes that repeats only after `PERIOD` bytes.
///
/// `PERIOD` is prime, so that the comparison detects a block that is lost, duplicated or moved.
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

    /// `len` bytes at `offset` of the stream, but at most `SLACK`.
    pub fn at(&self, offset: u64, len: usize) -> &[u8] {
        let start = (offset % PERIOD as u64) as usize;
        &self.bytes[start..start + len.min(SLACK)]
    }

    /// Whether `got` equals the stream at `offset`.
    pub fn matches(&self, offset: u64, got: &[u8]) -> bool {
        let mut at = offset;
        got.chunks(SLACK).all(|part| {
            let same = self.at(at, part.len()) == part;
            at += part.len() as u64;
            same
        })
    }
}
