//! A small random number generator for jitter.

/// A pseudo-random number generator for the jitter of timers.
///
/// The algorithm is `SplitMix64` (Steele, Lea, Flood 2014). An observer can compute its state from its output. Values
/// that must be unpredictable therefore come from the caller's entropy instead. The one exception is which numbers are
/// held back: a peer sees few bits of each choice, and loses the connection before it has seen enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator with this seed. Equal seeds give equal sequences.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A random number from 0 to `limit`, inclusive. A `limit` above 2^32 − 1 counts as 2^32 − 1.
    pub fn up_to(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // Multiplies instead of taking a remainder, because many processors cannot divide 64-bit numbers. The bias
        // towards some numbers is below limit / 2^32, which is negligible for jitter.
        let count = u64::from(u32::try_from(limit).unwrap_or(u32::MAX)) + 1;
        ((z >> 32) * count) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_cover_exactly_the_range_up_to_the_limit() {
        let mut jitter = Jitter::new(7);
        let mut seen = [0; 4];
        for _ in 0..1_000 {
            seen[usize::try_from(jitter.up_to(3)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 200), "{seen:?}");
        assert_eq!(jitter.up_to(0), 0);
        jitter.up_to(u64::MAX);
    }
}
