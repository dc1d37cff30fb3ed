//! A small generator for jitter.

use core::num::NonZero;

/// Pseudo-random numbers that keep timers of many peers apart: `SplitMix64` (Steele, Lea, Flood 2014).
///
/// Good enough for jitter and for nothing else: its output tells its state. What must be unpredictable takes the caller's
/// entropy instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator whose sequence is decided by `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `limit`, both included.
    pub fn up_to(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // The modulo favours small numbers by less than limit / 2^64: nothing, for a jitter.
        NonZero::new(limit.wrapping_add(1)).map_or(z, |count| z % count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_limit_and_uses_all_of_it() {
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
