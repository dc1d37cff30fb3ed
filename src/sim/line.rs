//! A line with a rate, which may change at given times.

use crate::{Duration, Instant};

/// A serial line. It keeps exact fractions, so that the errors of rounding to microseconds do not accumulate.
///
/// Work is counted in millionths of a bit: what a rate of 1 bit/s does in 1 µs.
#[derive(Default)]
pub(super) struct Line {
    /// The line becomes free when it has done `carry` more work after this time.
    free_at: Instant,
    carry: u64,
}

/// The rate of a line over time, in bits per second.
#[derive(Clone, Copy)]
pub(super) struct Rate<'a> {
    pub(super) first: u64,
    /// The times of changes, in order, with the rates from then on.
    pub(super) steps: &'a [(Instant, u64)],
}

/// The work for one byte.
pub(super) const WORK_PER_BYTE: u64 = 8 * 1_000_000;

impl Rate<'_> {
    /// The rate at `at`, at least 1, and when it ends.
    fn at(self, at: Instant) -> (u64, Option<Instant>) {
        let past = self.steps.partition_point(|&(start, _)| start <= at);
        let rate = past.checked_sub(1).map_or(self.first, |last| self.steps[last].1);
        (rate.max(1), self.steps.get(past).map(|&(start, _)| start))
    }

    /// The work that is done from `from` to `to`.
    fn work(self, mut from: Instant, to: Instant) -> u64 {
        let mut work = 0_u64;
        while from < to {
            let (rate, end) = self.at(from);
            let end = end.map_or(to, |end| end.min(to));
            work = work.saturating_add(end.saturating_since(from).as_micros().saturating_mul(rate));
            from = end;
        }
        work
    }
}

impl Line {
    /// The number of unsent bytes, rounded up.
    pub(super) fn backlog(&self, now: Instant, rate: Rate<'_>) -> u64 {
        if self.free_at < now {
            return 0;
        }
        rate.work(now, self.free_at).saturating_add(self.carry).div_ceil(WORK_PER_BYTE)
    }

    /// Sends `bytes`; returns when the last bit leaves the line, rounded up to a microsecond.
    pub(super) fn send(&mut self, now: Instant, rate: Rate<'_>, bytes: u64) -> Instant {
        if self.free_at < now {
            *self = Self { free_at: now, carry: 0 };
        }
        let mut work = bytes.saturating_mul(WORK_PER_BYTE).saturating_add(self.carry);
        loop {
            let (current, end) = rate.at(self.free_at);
            let whole = self.free_at + Duration::from_micros(work / current);
            match end.filter(|&end| end < whole) {
                Some(end) => {
                    work = work.saturating_sub(rate.work(self.free_at, end));
                    self.free_at = end;
                }
                None => {
                    *self = Self { free_at: whole, carry: work % current };
                    return whole + Duration::from_micros(u64::from(self.carry > 0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    const NOW: Instant = Instant::from_millis(1);

    fn constant(rate: u64) -> Rate<'static> {
        Rate { first: rate, steps: &[] }
    }

    #[test]
    fn fractions_of_a_microsecond_do_not_accumulate() {
        let (mut line, rate) = (Line::default(), constant(10_000_000));
        // 1,228 bytes at 10 Mbit/s take 982.4 µs.
        let after: Vec<u64> = (0..5).map(|_| line.send(NOW, rate, 1_228).saturating_since(NOW).as_micros()).collect();
        assert_eq!(after, [983, 1_965, 2_948, 3_930, 4_912]);
        assert_eq!(line.backlog(NOW, rate), 5 * 1_228);
        assert_eq!(line.backlog(NOW + Duration::from_micros(4_911), rate), 2);
        assert_eq!(line.backlog(NOW + Duration::from_micros(4_912), rate), 0);
    }

    #[test]
    fn an_idle_line_sends_at_once() {
        let mut line = Line::default();
        line.send(NOW, constant(1_000), 1);
        let later = NOW + Duration::from_secs(1);
        assert_eq!(line.send(later, constant(1_000), 1), later + Duration::from_millis(8));
    }

    #[test]
    fn a_step_applies_to_what_is_still_in_the_queue() {
        let steps = [(Instant::from_millis(10), 8_000), (Instant::from_millis(20), 80_000)];
        let rate = Rate { first: 800_000, steps: &steps };
        let mut line = Line::default();
        // 1,000 bytes until 10 ms, 10 bytes until 20 ms, then 10 bytes each ms.
        assert_eq!(line.send(Instant::ZERO, rate, 1_000), Instant::from_millis(10));
        assert_eq!(line.send(Instant::ZERO, rate, 5), Instant::from_millis(15));
        assert_eq!(line.send(Instant::ZERO, rate, 25), Instant::from_millis(22));
        assert_eq!(line.backlog(Instant::ZERO, rate), 1_030);
        assert_eq!(line.backlog(Instant::from_millis(15), rate), 25);
        assert_eq!(line.backlog(Instant::from_millis(21), rate), 10);
    }

    #[test]
    fn a_line_at_9600_bit_s_is_exact_to_the_byte() {
        let (mut line, rate) = (Line::default(), constant(9_600));
        for count in 1..=1_200 {
            let end = line.send(Instant::ZERO, rate, 1);
            assert_eq!(end.as_micros(), (count * 8_000_000_u64).div_ceil(9_600));
        }
        assert_eq!(line.send(Instant::ZERO, rate, 0), Instant::from_millis(1_000));
    }
}
