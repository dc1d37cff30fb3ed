//! The seeded random number generator of a simulation.

use oorandom::Rand64;

use crate::Duration;

/// A small generator with a reproducible sequence. It is not cryptographic.
///
/// Equal seeds give equal sequences on every machine and compiler. The algorithm is PCG. The `oorandom` crate has no
/// other algorithm, so a recorded seed stays valid.
#[derive(Clone, Debug)]
pub struct Rng(Rand64);

impl Rng {
    /// A generator with the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rand64::new(seed.into()))
    }

    /// A new generator, seeded from this one. Afterwards the two sequences are independent.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let seed = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        Self(Rand64::new(seed))
    }

    /// A uniformly distributed number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.rand_u64()
    }

    /// A uniformly distributed number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.rand_range(0..bound) }
    }

    /// A uniformly distributed index below `len`; 0 if `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// A uniformly distributed duration from zero to `max` inclusive.
    pub fn up_to(&mut self, max: Duration) -> Duration {
        Duration::from_micros(self.below(max.as_micros().saturating_add(1)))
    }

    /// True with probability `share`, from 0.0 to 1.0. A probability of 0.0 draws no number.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.0.rand_float() < share
    }

    /// Fills `bytes` with random values.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next_u64().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_sequence() {
        let (mut a, mut b, mut other) = (Rng::new(7), Rng::new(7), Rng::new(8));
        let first = a.next_u64();
        assert_eq!(first, b.next_u64());
        assert_ne!(first, other.next_u64());
    }

    #[test]
    fn draws_from_a_fork_do_not_affect_its_parent() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        let mut fork = a.fork();
        let _ = b.fork();
        fork.fill(&mut [0; 100]);
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(fork.next_u64(), a.next_u64());
    }

    #[test]
    fn random_values_stay_within_bounds() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.index(0), 0);
        assert!((0..1_000).all(|_| rng.below(3) < 3));
        assert!((0..1_000).any(|_| rng.up_to(Duration::from_micros(1)) == Duration::from_micros(1)));
        assert!((0..100).all(|_| rng.chance(1.0) && !rng.chance(0.0)));
    }
}
