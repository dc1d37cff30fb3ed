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

    /// Whether the next datagram is lost.
    pub(crate) fn drops(&mut self) -> bool {
        let drops = self.percent > 0.0 && self.random.rand_float() * 100.0 < self.percent;
        self.dropped += u64::from(drops);
        drops
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}
