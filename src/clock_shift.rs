//! The difference between two clocks.

use crate::{Duration, Instant};

/// The difference between two clocks, by which every time that a machine stores is moved: see
/// [`Connection::rebase`](crate::connection::Connection::rebase).
///
/// It also knows how far back the machine can still tell times apart, so that equal behaviour gives equal state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClockShift {
    from: Instant,
    to: Instant,
    /// On the old clock: when the oldest datagram was sent that can still be acknowledged or judged lost.
    oldest: Instant,
}

impl ClockShift {
    /// The present is `from` on the old clock, and `to` on the new one. Nothing is in flight.
    #[must_use]
    pub const fn new(from: Instant, to: Instant) -> Self {
        Self { from, to, oldest: from }
    }

    /// The same shift, where the oldest datagram in flight was sent at `oldest`, a time of the old clock.
    #[must_use]
    pub fn with_oldest(self, oldest: Instant) -> Self {
        Self { oldest: oldest.min(self.from), ..self }
    }

    /// The present on the old clock.
    #[must_use]
    pub const fn from(self) -> Instant {
        self.from
    }

    /// `at` on the new clock. What lies before the origin of the new clock becomes the origin.
    #[must_use]
    pub fn apply(self, at: Instant) -> Instant {
        if at < self.from { self.to - self.from.saturating_since(at) } else { self.to + at.saturating_since(self.from) }
    }

    /// A deadline on the new clock. One that has passed is due now.
    #[must_use]
    pub fn deadline(self, at: Option<Instant>) -> Option<Instant> {
        at.map(|at| self.apply(at.max(self.from)))
    }

    /// A past time whose age counts up to `longest`. An older one becomes that old.
    #[must_use]
    pub fn aged(self, at: Instant, longest: Duration) -> Instant {
        self.apply(at.max(self.from - longest))
    }

    /// A past time that is only ever compared with when datagrams were sent. One before the oldest in flight moves right
    /// before that.
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
    fn what_lies_beyond_either_end_saturates() {
        let shift = ClockShift::new(ms(500), ms(20));
        assert_eq!(shift.apply(ms(400)), Instant::ZERO);
        assert_eq!(
            ClockShift::new(ms(20), ms(500)).apply(Instant::ZERO + Duration::MAX),
            Instant::ZERO + Duration::MAX
        );
    }

    #[test]
    fn a_past_that_cannot_matter_is_not_told_apart() {
        let shift = ClockShift::new(ms(500), ms(900)).with_oldest(ms(450));
        assert_eq!(shift.deadline(Some(ms(3))), Some(ms(900)));
        assert_eq!(shift.deadline(Some(ms(501))), Some(ms(901)));
        assert_eq!(shift.aged(ms(3), Duration::from_millis(100)), ms(800));
        assert_eq!(shift.sending(ms(3)), shift.sending(ms(4)));
        assert_eq!(shift.sending(ms(450)), ms(850));
    }
}
