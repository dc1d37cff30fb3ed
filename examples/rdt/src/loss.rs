//! Artificial loss, which exercises loss recovery.

/// Drops a share of sent datagrams. Its seed determines which.
pub(crate) struct Loss {
    percent: f64,
    random: oorandom::Rand64,
    dropped: u64,
}

impl Loss {
    pub(crate) fn new(percent: f64, seed: u64) -> Self {
        Self { percent, random: oorandom::Rand64::new(seed.into()), dropped: 0 }
    }

    /// Moves the datagrams that are not lost to the start of `batch`, and returns their length in bytes.
    ///
    /// All datagrams have `size` bytes, except that the last one may be shorter.
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

    /// Whether to drop the next datagram.
    fn drops(&mut self) -> bool {
        let drops = self.percent > 0.0 && self.random.rand_float() * 100.0 < self.percent;
        self.dropped += u64::from(drops);
        drops
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}
