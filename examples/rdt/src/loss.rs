//! Artificial loss of datagrams, which exercises loss recovery.

/// Drops a share of the sent datagrams. The seed selects the datagrams.
pub(crate) struct Loss {
    percent: f64,
    random: oorandom::Rand64,
    dropped: u64,
}

impl Loss {
    pub(crate) fn new(percent: f64, seed: u64) -> Self {
        Self { percent, random: oorandom::Rand64::new(seed.into()), dropped: 0 }
    }

    /// Drops datagrams of `batch`, and moves the others to its start. Returns the length of the others in bytes.
    ///
    /// Each datagram has `size` bytes. The last datagram may be shorter.
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

    /// Decides whether to drop the next datagram, and counts it.
    pub(crate) fn drops(&mut self) -> bool {
        let drops = self.percent > 0.0 && self.random.rand_float() * 100.0 < self.percent;
        self.dropped += u64::from(drops);
        drops
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}
