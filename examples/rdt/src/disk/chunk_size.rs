//! The size of the transfers between memory and disk.

use std::time::{Duration, Instant};

/// The size of the next chunk of a file. It follows the rate of the transfer.
///
/// A chunk holds what is transferred in a few milliseconds. So a fast transfer takes few turns of the threads, and a slow
/// one little memory. A file has two chunks.
#[derive(Debug)]
pub(crate) struct ChunkSize {
    bytes: usize,
    /// When the chunk began.
    since: Instant,
}

impl ChunkSize {
    /// The first chunk of a file, in bytes.
    pub(crate) const SMALLEST: usize = 16 << 10;
    /// A half of the second-level cache of common processors, in bytes.
    pub(crate) const LARGEST: usize = 1 << 20;
    /// A chunk that is transferred faster is too small.
    const SHORT: Duration = Duration::from_millis(4);
    /// A chunk that takes longer is too large.
    const LONG: Duration = Duration::from_millis(32);

    pub(crate) const fn new(now: Instant) -> Self {
        Self { bytes: Self::SMALLEST, since: now }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records that a full chunk was transferred.
    pub(crate) fn next(&mut self, now: Instant) {
        let took = now.saturating_duration_since(std::mem::replace(&mut self.since, now));
        if took < Self::SHORT {
            self.bytes = (self.bytes * 2).min(Self::LARGEST);
        } else if took > Self::LONG {
            self.bytes = (self.bytes / 2).max(Self::SMALLEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of `count` chunks at a rate in bytes per millisecond.
    fn chunks(size: &mut ChunkSize, bytes_per_ms: usize, count: usize) -> Vec<usize> {
        let chunk = |_| {
            let bytes = size.bytes();
            size.next(size.since + Duration::from_millis(u64::try_from(bytes / bytes_per_ms).unwrap()));
            bytes >> 10
        };
        (0..count).map(chunk).collect()
    }

    #[test]
    fn chunks_hold_what_is_transferred_in_some_milliseconds() {
        let mut size = ChunkSize::new(Instant::now());
        assert_eq!(chunks(&mut size, 1_000_000, 9), [16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024], "1 GB/s");
        assert_eq!(chunks(&mut size, 12_500, 5), [1_024, 512, 256, 256, 256], "100 Mbit/s");
        assert_eq!(chunks(&mut size, 100, 6), [256, 128, 64, 32, 16, 16], "100 KB/s");
    }
}
