//! Loss in bursts.

use super::rng::Rng;

/// Loss in bursts: a chain of a good and a bad state (Gilbert 1960, Elliott 1963).
///
/// The chain starts in the good state, and may change its state before each datagram. In the good state no datagram is
/// lost to it. A burst has `1 / bad_to_good` datagrams on average. The long-term share of the bad state is
/// `good_to_bad / (good_to_bad + bad_to_good)`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GilbertElliott {
    /// The probability that a datagram in the good state begins a burst.
    pub good_to_bad: f64,
    /// The probability that a datagram in the bad state ends the burst.
    pub bad_to_good: f64,
    /// The probability of loss in the bad state.
    pub loss: f64,
}

/// The state of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum LossState {
    #[default]
    Good,
    Bad,
}

impl LossState {
    /// Moves the chain for one datagram; returns whether the datagram is lost.
    pub(super) fn draw(&mut self, config: GilbertElliott, rng: &mut Rng) -> bool {
        *self = match *self {
            Self::Good if rng.chance(config.good_to_bad) => Self::Bad,
            Self::Bad if rng.chance(config.bad_to_good) => Self::Good,
            Self::Good => Self::Good,
            Self::Bad => Self::Bad,
        };
        *self == Self::Bad && rng.chance(config.loss)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn certain_changes_alternate() {
        let config = GilbertElliott { good_to_bad: 1.0, bad_to_good: 1.0, loss: 1.0 };
        let (mut state, mut rng) = (LossState::default(), Rng::new(1));
        let lost: Vec<bool> = (0..4).map(|_| state.draw(config, &mut rng)).collect();
        assert_eq!(lost, [true, false, true, false]);
    }

    #[test]
    fn bursts_have_the_configured_length_and_share() {
        const DRAWS: usize = 100_000;
        let config = GilbertElliott { good_to_bad: 0.01, bad_to_good: 0.1, loss: 1.0 };
        let (mut state, mut rng) = (LossState::default(), Rng::new(1));
        let lost: Vec<bool> = (0..DRAWS).map(|_| state.draw(config, &mut rng)).collect();
        let all = lost.iter().filter(|&&lost| lost).count();
        let bursts = lost.windows(2).filter(|pair| pair[1] && !pair[0]).count();
        // 1 in 11 datagrams, in bursts of 10.
        assert!((8_600..9_600).contains(&all), "{all} lost");
        assert!((9 * bursts..11 * bursts).contains(&all), "{all} lost in {bursts} bursts");
    }
}
