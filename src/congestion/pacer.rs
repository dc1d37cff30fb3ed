//! Pacing: a token bucket that returns deadlines.

use super::math::div_ceil;
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// Units of credit per byte. A rate of 1 byte per second earns one unit in a microsecond.
const PARTS_PER_BYTE: u64 = 1_000_000;

/// The longest granularity.
///
/// A sender may wait for half the granularity, which must stay well below any idle limit.
const MAX_GRANULARITY: Duration = Duration::from_secs(1);

/// A token bucket (RFC 9002 §7.7).
///
/// Credit is counted in millionths of a byte, so that any rate earns a whole number of units in a microsecond. Credit
/// is therefore never rounded, neither at 1 kbit/s nor at 10 Gbit/s.
///
/// A *burst* is `rate × granularity`, but at least two datagrams. The bucket holds the credit of one burst at most.
/// When the credit does not suffice for a datagram, the sender waits for the credit of half of `rate × granularity`. It
/// then wakes at most twice per granularity. A wake-up that is late by half the granularity loses no credit. Set the
/// granularity to twice the resolution of the timer: 2 ms for `epoll`.
///
/// A sender may ask for less credit than it then uses: for one byte, before it sends a whole datagram. The bytes beyond
/// its credit become a debt, of two datagrams at most. Without the debt each burst would be a datagram too long, and
/// small bursts at a high rate would leave a tenth too fast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pacer {
    granularity: ShortDuration,
    /// The size of two datagrams in bytes.
    smallest_burst: u32,
    /// Bytes per second; `None` without pacing.
    rate: Option<NonZero<u64>>,
    /// Credit at `updated_at`, in millionths of a byte.
    credit: u64,
    /// What was sent beyond the credit, in millionths of a byte. Later earnings pay it off first.
    debt: u64,
    updated_at: Instant,
}

impl Pacer {
    /// Makes a pacer with a full bucket and without a rate. Without a rate it delays nothing.
    ///
    /// `datagram_bytes` is the size of the largest datagram. A `granularity` of zero gives the smoothest output. More
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

    /// Sets the rate in bytes per second; 0 counts as 1, and `None` stops pacing. Time before `now` earns at the old
    /// rate.
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

    /// How many datagrams of `bytes` each may leave now in a row, at most `most`.
    ///
    /// Each datagram needs credit for `least` bytes, as in [`allows`](Self::allows).
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
    /// The result does not change with time, only with the state of the pacer.
    #[must_use]
    pub fn ready_at(&self, bytes: u32) -> Instant {
        let Some(rate) = self.rate else { return Instant::ZERO };
        // A full bucket suffices for more bytes than a burst, because it never holds more credit.
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
        // The debt is at most the smallest burst. Otherwise probes, which do not ask for credit, could delay all other
        // packets.
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
        // `longest` is the time until the bucket is full. After it nothing more is earned.
        let missing = self.burst_credit().saturating_sub(self.credit).saturating_add(self.debt);
        let longest = self.rate.map_or(0, |rate| div_ceil(missing, rate));
        self.updated_at = shift.aged(self.updated_at, Duration::from_micros(longest));
    }

    /// `rate × granularity`, in millionths of a byte.
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
