//! The seeded randomness of a simulation.

use oorandom::Rand64;

use crate::Duration;

/// A small generator: equal seeds give equal sequences, on every machine and with every version of the compiler. It is
/// PCG, the one algorithm of the `oorandom` crate, so a seed noted beside a bug stays good. Nothing here is secret.
#[derive(Clone, Debug)]
pub struct Rng(Rand64);

impl Rng {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rand64::new(seed.into()))
    }

    /// A generator of its own, whose sequence depends on this one's: what is drawn from one does not shift the other.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let seed = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        Self(Rand64::new(seed))
    }

    /// Any number, each as likely.
    pub fn next_u64(&mut self) -> u64 {
        self.0.rand_u64()
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.rand_range(0..bound) }
    }

    /// An index below `len`; 0 if `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// A span from zero to `max`, both included.
    pub fn up_to(&mut self, max: Duration) -> Duration {
        Duration::from_micros(self.below(max.as_micros().saturating_add(1)))
    }

    /// Whether an event of this `share` (0.0 never, 1.0 always) happens now. A share of 0.0 draws nothing.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.0.rand_float() < share
    }

    /// Fills `bytes`.
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
    fn a_seed_is_a_sequence() {
        let (mut a, mut b, mut other) = (Rng::new(7), Rng::new(7), Rng::new(8));
        let first = a.next_u64();
        assert_eq!(first, b.next_u64());
        assert_ne!(first, other.next_u64());
    }

    #[test]
    fn a_fork_leaves_the_parent_alone() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        let mut fork = a.fork();
        let _ = b.fork();
        fork.fill(&mut [0; 100]);
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(fork.next_u64(), a.next_u64());
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.index(0), 0);
        assert!((0..1_000).all(|_| rng.below(3) < 3));
        assert!((0..1_000).any(|_| rng.up_to(Duration::from_micros(1)) == Duration::from_micros(1)));
        assert!((0..100).all(|_| rng.chance(1.0) && !rng.chance(0.0)));
    }
}
