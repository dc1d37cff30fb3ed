//! Loss on purpose, so that anyone can watch how it is repaired.

/// Drops a share of what is sent; which datagrams those are depends on the seed only.
pub(crate) struct Loss {
    percent: f64,
    random: oorandom::Rand64,
    dropped: u64,
}

impl Loss {
    pub(crate) fn new(percent: f64, seed: u64) -> Self {
        Self { percent, random: oorandom::Rand64::new(seed.into()), dropped: 0 }
    }

    /// Of the datagrams of `size` bytes in `batch`, the last of which may be shorter, those that are not lost move to its start.
    /// Returns how many bytes they have.
    pub(crate) fn thin(&mut self, batch: &mut [u8], size: usize) -> usize {
        let mut kept = 0;
        for start in (0..batch.len()).step_by(size.max(1)) {
            let end = batch.len().min(start + size);
            if !self.drops() {
                batch.copy_within(start..end, kept);
                kept += end - start;
            }
        }
        kept
    }

    /// Whether the next datagram is lost.
    fn drops(&mut self) -> bool {
        let drops = self.percent > 0.0 && self.random.rand_float() * 100.0 < self.percent;
        self.dropped += u64::from(drops);
        drops
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}
