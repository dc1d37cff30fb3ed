//! A small random number generator for jitter.

/// A pseudo-random generator that keeps the timers of many peers apart.
///
/// The algorithm is `SplitMix64` (Steele, Lea, Flood 2014). Its output reveals its state, so it serves for jitter only.
/// Values that must be unpredictable come from the caller's entropy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator with this seed. Equal seeds give equal sequences.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `limit`, inclusive; a limit above 2^32 − 1 counts as that.
    pub fn up_to(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // A product instead of a remainder: many machines have no division of 64 bits. Some numbers are favoured by less
        // than limit / 2^32, which is negligible for jitter.
        let count = u64::from(u32::try_from(limit).unwrap_or(u32::MAX)) + 1;
        ((z >> 32) * count) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_cover_the_whole_range_and_no_more() {
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
