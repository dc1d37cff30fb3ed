//! The size of the transfers between memory and disk.

use std::time::{Duration, Instant};

/// The size of the next chunk of a file. It follows the rate of the transfer.
///
/// A chunk holds what the network transfers in a few milliseconds. So a fast transfer takes few turns of the threads, and
/// a slow one little memory. If the disk is what the network waits for, chunks grow too, since each call may take a time
/// of its own. A file has two chunks.
#[derive(Debug)]
pub(crate) struct ChunkSize {
    bytes: usize,
    /// When the chunk began.
    since: Instant,
    /// Whether the network has waited for the disk since then.
    has_waited: bool,
}

impl ChunkSize {
    /// The first chunk of a file, in bytes.
    pub(crate) const SMALLEST: usize = 16 << 10;
    /// The largest chunk for a slow disk. More would fill the memory behind a disk that stalls.
    const LARGEST_BEHIND_DISK: usize = 256 << 10;
    /// A half of the second-level cache of common processors, in bytes.
    pub(crate) const LARGEST: usize = 1 << 20;
    /// A chunk that is transferred faster is too small.
    const SHORT: Duration = Duration::from_millis(4);
    /// A chunk that takes longer is too large.
    const LONG: Duration = Duration::from_millis(32);

    pub(crate) const fn new(now: Instant) -> Self {
        Self { bytes: Self::SMALLEST, since: now, has_waited: false }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records that the network waits for the disk.
    pub(crate) const fn wait(&mut self) {
        self.has_waited = true;
    }

    /// Records that a full chunk was transferred.
    pub(crate) fn next(&mut self, now: Instant) {
        let took = now.saturating_duration_since(std::mem::replace(&mut self.since, now));
        let has_waited = std::mem::take(&mut self.has_waited);
        if took < Self::SHORT {
            self.bytes = (self.bytes * 2).min(Self::LARGEST);
        } else if has_waited {
            self.bytes = (self.bytes * 2).min(self.bytes.max(Self::LARGEST_BEHIND_DISK));
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

    /// Otherwise a disk whose calls take 40 ms each would move 16 KiB in each.
    #[test]
    fn chunks_grow_while_the_network_waits_for_the_disk() {
        let mut size = ChunkSize::new(Instant::now());
        let mut sizes = Vec::new();
        for _ in 0..6 {
            sizes.push(size.bytes() >> 10);
            size.wait();
            size.next(size.since + Duration::from_millis(40));
        }
        assert_eq!(sizes, [16, 32, 64, 128, 256, 256]);
    }
}
