//! The doubt about new addresses of a peer, which a connection learns.

use crate::{Duration, Instant};

/// The pause after the first validation that failed or was reverted.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The most doublings of the pause: 8 s is well below the usual idle limits, so that a peer that moves is found in
/// time.
const MAX_DOUBLINGS: u8 = 3;
/// How long nothing must fail until one doubling is taken back.
const CALM: Duration = Duration::from_secs(60);

/// How far the addresses of a connection are in doubt: a learned value.
///
/// - It grows by one step when a validation fails (the old address still answers or sends, or the new address does not
///   answer), or when the connection returns to an address that it had left.
/// - Each step doubles the pause before the next validation: 1, 2, 4, 8 s, and no longer.
/// - It shrinks by one step for each minute without such a failure, and to nothing when a move is confirmed.
///
/// With any doubt, a connection moves only if its old address is silent for a whole validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    steps: u8,
    /// When a validation last failed.
    since: Instant,
}

impl Doubt {
    pub(super) const fn none() -> Self {
        Self { steps: 0, since: Instant::ZERO }
    }

    /// Whether a validation has failed, and not long ago.
    pub(super) fn is_any(&self, now: Instant) -> bool {
        self.steps(now) > 0
    }

    /// Whether no validation may start yet.
    pub(super) fn pauses(&self, now: Instant) -> bool {
        let steps = self.steps(now);
        let pause = FIRST_PAUSE.saturating_mul(1 << steps.saturating_sub(1).min(MAX_DOUBLINGS));
        steps > 0 && now < self.since + pause
    }

    /// Records a validation that has failed, or a return to an address that was left.
    pub(super) fn on_failed(&mut self, now: Instant) {
        let steps = self.steps(now).saturating_add(1).min(MAX_DOUBLINGS + 1);
        *self = Self { steps, since: now };
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn steps(&self, now: Instant) -> u8 {
        let is_taken_back = |step: &u8| self.since + CALM.saturating_mul(u64::from(*step)) <= now;
        (1..=self.steps).filter(is_taken_back).fold(self.steps, |steps, _| steps - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause after now, in seconds.
    fn pause(doubt: &Doubt, now: Instant) -> u64 {
        (0..100).find(|&secs| !doubt.pauses(now + Duration::from_secs(secs))).unwrap()
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_8_s() {
        let (mut doubt, now) = (Doubt::none(), Instant::from_millis(5_000));
        assert_eq!((pause(&doubt, now), doubt.is_any(now)), (0, false));
        let pauses = [(); 6].map(|()| {
            doubt.on_failed(now);
            pause(&doubt, now)
        });
        assert_eq!((pauses, doubt.is_any(now)), ([1, 2, 4, 8, 8, 8], true));
    }

    #[test]
    fn each_calm_minute_takes_one_step_back() {
        let (mut doubt, start) = (Doubt::none(), Instant::ZERO);
        for _ in 0..9 {
            doubt.on_failed(start);
        }
        let steps = [0, 59, 60, 120, 180, 239, 240, 100_000].map(|secs| doubt.steps(start + Duration::from_secs(secs)));
        assert_eq!(steps, [4, 4, 3, 2, 1, 1, 0, 0]);
        let later = start + Duration::from_secs(120);
        doubt.on_failed(later);
        assert_eq!(doubt.steps(later), 3);
    }
}
