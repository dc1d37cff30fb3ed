//! The offset between two clocks.

use crate::{Duration, Instant};

/// The offset between two clocks, which a machine applies to every time that it stores.
///
/// See [`Connection::rebase`](crate::connection::Connection::rebase). Past times that no longer affect the behaviour of
/// a machine become equal, so that equal behaviour means equal state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClockShift {
    from: Instant,
    to: Instant,
    /// The send time, on the old clock, of the oldest datagram that can still be acknowledged or declared lost.
    oldest: Instant,
}

impl ClockShift {
    /// The shift between two clocks whose present time is `from` (old) and `to` (new).
    ///
    /// It assumes that no datagram is in flight. [`with_oldest`](Self::with_oldest) adds one.
    #[must_use]
    pub const fn new(from: Instant, to: Instant) -> Self {
        Self { from, to, oldest: from }
    }

    /// The same shift, with a datagram in flight that was sent at `oldest` on the old clock.
    #[must_use]
    pub fn with_oldest(self, oldest: Instant) -> Self {
        Self { oldest: oldest.min(self.from), ..self }
    }

    /// The present on the old clock.
    #[must_use]
    pub const fn from(self) -> Instant {
        self.from
    }

    /// Converts `at` to the new clock. A time before the origin of the new clock becomes the origin.
    #[must_use]
    pub fn apply(self, at: Instant) -> Instant {
        if at < self.from { self.to - self.from.saturating_since(at) } else { self.to + at.saturating_since(self.from) }
    }

    /// Converts a deadline to the new clock. An expired deadline becomes due now.
    #[must_use]
    pub fn deadline(self, at: Option<Instant>) -> Option<Instant> {
        at.map(|at| self.apply(at.max(self.from)))
    }

    /// Converts a past time to the new clock, with an age of at most `longest`.
    ///
    /// Use it for a time whose age has no further effect above `longest`.
    #[must_use]
    pub fn aged(self, at: Instant, longest: Duration) -> Instant {
        self.apply(at.max(self.from - longest))
    }

    /// Converts a past time to the new clock, for comparison with the send times of datagrams.
    ///
    /// A time before the send time of the oldest datagram in flight becomes 1 µs before that send time.
    #[must_use]
    pub fn sending(self, at: Instant) -> Instant {
        self.apply(at.max(self.oldest - Duration::from_micros(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn both_directions_keep_the_distance_to_the_present() {
        for (from, to) in [(ms(500), ms(900)), (ms(900), ms(500))] {
            let shift = ClockShift::new(from, to);
            let span = Duration::from_millis(70);
            assert_eq!(
                (shift.apply(from), shift.apply(from + span), shift.apply(from - span)),
                (to, to + span, to - span)
            );
        }
    }

    #[test]
    fn times_beyond_either_end_of_the_clock_saturate() {
        let shift = ClockShift::new(ms(500), ms(20));
        assert_eq!(shift.apply(ms(400)), Instant::ZERO);
        assert_eq!(
            ClockShift::new(ms(20), ms(500)).apply(Instant::ZERO + Duration::MAX),
            Instant::ZERO + Duration::MAX
        );
    }

    #[test]
    fn past_times_without_effect_become_equal() {
        let shift = ClockShift::new(ms(500), ms(900)).with_oldest(ms(450));
        assert_eq!(shift.deadline(Some(ms(3))), Some(ms(900)));
        assert_eq!(shift.deadline(Some(ms(501))), Some(ms(901)));
        assert_eq!(shift.aged(ms(3), Duration::from_millis(100)), ms(800));
        assert_eq!(shift.sending(ms(3)), shift.sending(ms(4)));
        assert_eq!(shift.sending(ms(450)), ms(850));
    }
}
