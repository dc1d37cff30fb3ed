//! Pacing: a token bucket that returns deadlines.

use super::math::div_ceil;
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// The fraction of a byte in which credit is counted: a rate of 1 byte per second earns one in a microsecond.
const PARTS_PER_BYTE: u64 = 1_000_000;

/// A sender waits for half a burst, which must stay well below any limit on silence.
const MAX_GRANULARITY: Duration = Duration::from_secs(1);

/// A token bucket (RFC 9002 §7.7).
///
/// Credit is counted in millionths of a byte, so that any rate earns a whole number in a microsecond. Nothing is
/// rounded, at 1 kbit/s as at 10 Gbit/s.
///
/// A *burst* is `rate × granularity`, at least two datagrams; the bucket holds no more. When there is no credit for a
/// datagram, the deadline is when there is credit for half a burst. Wake-ups are then no more frequent than the clock
/// permits, and a wake-up that is late by half the granularity loses nothing. Choose twice the resolution of the timer
/// as the granularity: 2 ms for `epoll`.
///
/// A sender may ask for less credit than it then uses, such as one byte. The bytes sent beyond its credit are a debt,
/// up to two datagrams. Without the debt each burst would be a datagram too long, and a small burst at a high rate
/// would be a tenth too fast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pacer {
    granularity: ShortDuration,
    /// The bytes of two datagrams.
    smallest_burst: u32,
    /// Bytes per second; `None` without pacing.
    rate: Option<NonZero<u64>>,
    /// Credit at `updated_at`, in millionths of a byte.
    credit: u64,
    /// Millionths of a byte that left without credit. They are subtracted from later earnings.
    debt: u64,
    updated_at: Instant,
}

impl Pacer {
    /// Makes a full bucket without a rate, which holds nothing back.
    ///
    /// `datagram_bytes` is the size of the largest datagram. A `granularity` of zero gives the smoothest output; more
    /// than 1 s counts as 1 s.
    #[must_use]
    pub fn new(granularity: Duration, datagram_bytes: u32) -> Self {
        let smallest_burst = datagram_bytes.max(1).saturating_mul(2);
        Self {
            granularity: ShortDuration::new(granularity.min(MAX_GRANULARITY)),
            smallest_burst,
            rate: None,
            credit: u64::from(smallest_burst) * PARTS_PER_BYTE,
            debt: 0,
            updated_at: Instant::ZERO,
        }
    }

    /// Sets the rate in bytes per second from `now` on; 0 counts as 1. Credit up to now was earned at the old rate.
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

    /// How many datagrams of `bytes` each may leave now in a row, `most` at most.
    ///
    /// Each needs credit for `least` bytes, as in [`allows`](Self::allows).
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

    /// When `bytes` may leave; an instant in the past if they may leave at once.
    ///
    /// It changes only by calls that change the pacer.
    #[must_use]
    pub fn ready_at(&self, bytes: u32) -> Instant {
        let Some(rate) = self.rate else { return Instant::ZERO };
        // More than a burst leaves when the bucket is full, since it never holds more credit.
        let need = (u64::from(bytes) * PARTS_PER_BYTE).min(self.burst_credit());
        if self.credit >= need {
            return Instant::ZERO;
        }
        let goal = need.max(self.granular_credit() / 2);
        let missing = (goal - self.credit).saturating_add(self.debt);
        self.updated_at + Duration::from_micros(div_ceil(missing, rate))
    }

    /// Records that `bytes` have left, allowed or not.
    pub fn on_sent(&mut self, now: Instant, bytes: u32) {
        self.settle(now);
        let used = u64::from(bytes) * PARTS_PER_BYTE;
        // The debt is at most the smallest burst: probes, which do not ask, would otherwise delay everything else.
        let most = if self.rate.is_some() { self.smallest_credit() } else { 0 };
        self.debt = self.debt.saturating_add(used.saturating_sub(self.credit)).min(most);
        self.credit = self.credit.saturating_sub(used);
    }

    /// Adds the credit earned up to `now`.
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
        // The time until the bucket is full: nothing is earned after that.
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
