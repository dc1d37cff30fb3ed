//! Spreading packets out in time: a token bucket whose answer is a deadline.

use super::math::div_ceil;
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// Parts of a byte in which credit counts: what a rate of 1 byte per second earns in a microsecond.
const PARTS_PER_BYTE: u64 = 1_000_000;

/// A token bucket (RFC 9002 §7.7).
///
/// Credit is kept in millionths of a byte, so that a microsecond at any rate is a whole number: nothing is rounded, nothing
/// drifts, at 1 kbit/s as at 10 Gbit/s.
///
/// A *burst* is `rate × granularity`, at least two datagrams; the bucket holds no more. Once there is no credit for a
/// datagram, the deadline is when there is credit for half a burst, so that wake-ups come no more often than the clock
/// can serve them, and one that comes late by half the granularity costs nothing. Let the granularity be twice the
/// resolution of the timer: 2 ms for `epoll`.
///
/// A sender may ask for less credit than it then uses, for one byte: what it sends beyond its credit is **owed**, up to two
/// datagrams, or each burst would be a datagram too long and a small one at a high rate run a tenth too fast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pacer {
    granularity: ShortDuration,
    /// The bytes of two datagrams.
    smallest_burst: u32,
    /// Bytes per second; `None` while nothing is paced.
    rate: Option<NonZero<u64>>,
    /// Millionths of a byte that could leave at `updated_at`.
    credit: u64,
    /// Millionths of a byte that left without credit, and come off what is earned next.
    debt: u64,
    updated_at: Instant,
}

impl Pacer {
    /// Full, and without a rate: nothing is held back. `granularity` of zero gives the smoothest output;
    /// `datagram_bytes` is the size of the largest datagram.
    #[must_use]
    pub fn new(granularity: Duration, datagram_bytes: u32) -> Self {
        let smallest_burst = datagram_bytes.max(1).saturating_mul(2);
        Self {
            granularity: ShortDuration::new(granularity),
            smallest_burst,
            rate: None,
            credit: u64::from(smallest_burst) * PARTS_PER_BYTE,
            debt: 0,
            updated_at: Instant::ZERO,
        }
    }

    /// From `now` on the rate is this, in bytes per second; 0 counts as 1. Credit so far was earned at the old rate.
    pub fn update_rate(&mut self, now: Instant, rate: Option<u64>) {
        let rate = rate.map(|rate| NonZero::new(rate).unwrap_or(NonZero::<u64>::MIN));
        if self.rate != rate {
            self.settle(now);
            self.rate = rate;
            self.credit = self.credit.min(self.burst_credit());
        }
    }

    /// Whether `bytes` may leave now.
    #[must_use]
    pub fn allows(&self, now: Instant, bytes: u32) -> bool {
        self.ready_at(bytes) <= now
    }

    /// How many datagrams of `bytes` each may leave now after each other, where [`allows`](Self::allows) is asked for `least`
    /// before each; `most` at most.
    #[must_use]
    pub fn allows_run(&self, now: Instant, bytes: u32, least: u32, most: u32) -> u32 {
        if self.rate.is_none() {
            return most;
        }
        let (mut pacer, mut count) = (self.clone(), 0);
        while count < most && pacer.allows(now, least) {
            pacer.on_sent(now, bytes);
            count += 1;
        }
        count
    }

    /// When `bytes` may leave; an instant already past if they may at once. It moves only by calls that change the pacer.
    #[must_use]
    pub fn ready_at(&self, bytes: u32) -> Instant {
        let Some(rate) = self.rate else { return Instant::ZERO };
        // More than a burst leaves when the bucket is full, or it never could.
        let need = (u64::from(bytes) * PARTS_PER_BYTE).min(self.burst_credit());
        if self.credit >= need {
            return Instant::ZERO;
        }
        let goal = need.max(self.granular_credit() / 2);
        let missing = (goal - self.credit).saturating_add(self.debt);
        self.updated_at + Duration::from_micros(div_ceil(missing, rate))
    }

    /// `bytes` have left, allowed or not.
    pub fn on_sent(&mut self, now: Instant, bytes: u32) {
        self.settle(now);
        let used = u64::from(bytes) * PARTS_PER_BYTE;
        // No more is owed than the smallest burst: probes and the like, which do not ask, would hold all else back for long.
        let most = if self.rate.is_some() { self.smallest_credit() } else { 0 };
        self.debt = self.debt.saturating_add(used.saturating_sub(self.credit)).min(most);
        self.credit = self.credit.saturating_sub(used);
    }

    /// Credits the time up to `now`.
    fn settle(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            self.updated_at = self.updated_at.max(now);
            return;
        };
        let earned = now.saturating_since(self.updated_at).as_micros().saturating_mul(rate.get());
        let earned_anew = earned.saturating_sub(self.debt);
        self.debt = self.debt.saturating_sub(earned);
        self.credit = self.credit.saturating_add(earned_anew).min(self.burst_credit());
        self.updated_at = self.updated_at.max(now);
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        // How long it takes until the bucket is full: nothing more is earned after that.
        let missing = self.burst_credit().saturating_sub(self.credit).saturating_add(self.debt);
        let longest = self.rate.map_or(0, |rate| div_ceil(missing, rate));
        self.updated_at = shift.aged(self.updated_at, Duration::from_micros(longest));
    }

    /// `rate × granularity`.
    fn granular_credit(&self) -> u64 {
        self.rate.map_or(0, |rate| rate.get().saturating_mul(self.granularity.get().as_micros()))
    }

    fn burst_credit(&self) -> u64 {
        self.granular_credit().max(self.smallest_credit())
    }

    fn smallest_credit(&self) -> u64 {
        u64::from(self.smallest_burst) * PARTS_PER_BYTE
    }
}
