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

/// The longest lateness that is made good.
///
/// A loop that wakes ten times a second then reaches the full rate. After a longer pause of the program the burst stays
/// bounded.
const LONGEST_LATENESS: ShortDuration = ShortDuration::from_micros(100_000);

/// A token bucket (RFC 9002 §7.7).
///
/// Credit is counted in millionths of a byte, so that any rate earns a whole number of units in a microsecond. Credit
/// is therefore never rounded, neither at 1 kbit/s nor at 10 Gbit/s.
///
/// A *burst* is `rate × granularity`, but at least two datagrams. The bucket holds the credit of one burst at most.
/// When the credit does not suffice for a datagram, the sender waits for the credit of half of `rate × granularity`. It
/// then wakes at most twice per granularity. A wake-up that is late by half the granularity loses no credit: 2 ms suit
/// `epoll`.
///
/// **A late wake-up is made good.** The sender says when only the pacer holds it [back](Self::set_waiting). If it then
/// sends later than it might have, the time since counts as the *lateness* of its driver, at most 100 ms. The bucket
/// holds the credit of the granularity and of the lateness, so that the next burst contains what the driver was late
/// for. A longer lateness counts at once. A shorter one lowers the measured value by an eighth of the difference, once
/// for each wait.
///
/// A sender may ask for less credit than it then uses: for one byte, before it sends a whole datagram. The bytes beyond
/// its credit become a debt, of two datagrams at most. Without the debt each burst would be a datagram too long, and
/// small bursts at a high rate would leave a tenth too fast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pacer {
    granularity: ShortDuration,
    /// How late the driver wakes.
    lateness: ShortDuration,
    /// The size of two datagrams in bytes.
    smallest_burst: u32,
    /// Whether only the pacer has held the sender back since `updated_at`.
    is_waiting: bool,
    /// Bytes per second; `None` without pacing.
    rate: Option<NonZero<u64>>,
    /// Credit at `updated_at`, in millionths of a byte. Below 0 it is a debt: what was sent beyond the credit.
    credit: i64,
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
            lateness: ShortDuration::ZERO,
            smallest_burst,
            is_waiting: false,
            rate: None,
            credit: signed(u64::from(smallest_burst) * PARTS_PER_BYTE),
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

    /// Records whether the sender has more data that only the pacer holds back.
    ///
    /// Without such data, time that passes is not the driver's lateness. Call it after each transmission, and when the
    /// window no longer permits the data.
    pub const fn set_waiting(&mut self, is_waiting: bool) {
        self.is_waiting = is_waiting;
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
        let need = signed(u64::from(bytes) * PARTS_PER_BYTE);
        if self.credit >= need {
            return Instant::ZERO;
        }
        // A full bucket suffices for more bytes than a burst, because it never holds more credit.
        let need = need.min(self.burst_credit());
        if self.credit >= need {
            return Instant::ZERO;
        }
        let goal = need.max(self.earned_in(self.granularity.get()) / 2);
        self.updated_at + Duration::from_micros(div_ceil(goal.abs_diff(self.credit), rate))
    }

    /// Records that `bytes` have left, allowed or not.
    pub fn on_sent(&mut self, now: Instant, bytes: u32) {
        self.settle(now);
        // The debt is at most the smallest burst. Otherwise probes, which do not ask for credit, could delay all other
        // packets.
        let most = if self.rate.is_some() { self.smallest_credit() } else { 0 };
        let used = signed(u64::from(bytes) * PARTS_PER_BYTE);
        self.credit = self.credit.saturating_sub(used).max(-most);
    }

    /// Adds the credit earned up to `now`.
    fn settle(&mut self, now: Instant) {
        if now <= self.updated_at {
            return;
        }
        if self.rate.is_some() {
            if self.is_waiting {
                self.measure_lateness(now);
            }
            let earned = self.earned_in(now.saturating_since(self.updated_at));
            self.credit = self.credit.saturating_add(earned).min(self.burst_credit());
        }
        self.updated_at = now;
    }

    /// Measures how late a sender is that might have sent earlier.
    fn measure_lateness(&mut self, now: Instant) {
        let ready_at = self.ready_at(1);
        if ready_at > now {
            return;
        }
        let late = ShortDuration::new(now.saturating_since(ready_at.max(self.updated_at))).min(LONGEST_LATENESS);
        let (late, before) = (late.as_micros(), self.lateness.as_micros());
        self.lateness = ShortDuration::from_micros(late.max(before - before.saturating_sub(late).div_ceil(8)));
    }

    pub(crate) fn rebase(&mut self, shift: ClockShift) {
        // `longest` is the time until the bucket is full, after the greatest lateness. After it nothing more is earned.
        let missing = self.burst_credit().abs_diff(self.credit);
        let lateness = u64::from(LONGEST_LATENESS.as_micros());
        let longest = self.rate.map_or(0, |rate| div_ceil(missing, rate).saturating_add(lateness));
        self.updated_at = shift.aged(self.updated_at, Duration::from_micros(longest));
    }

    /// The credit earned in `span`, in millionths of a byte.
    fn earned_in(&self, span: Duration) -> i64 {
        signed(self.rate.map_or(0, |rate| rate.get().saturating_mul(span.as_micros())))
    }

    fn burst_credit(&self) -> i64 {
        let span = self.granularity.get().saturating_add(self.lateness.get());
        self.earned_in(span).max(self.smallest_credit())
    }

    fn smallest_credit(&self) -> i64 {
        signed(u64::from(self.smallest_burst) * PARTS_PER_BYTE)
    }
}

/// `parts` as a signed number, at most `i64::MAX`.
fn signed(parts: u64) -> i64 {
    i64::try_from(parts).unwrap_or(i64::MAX)
}
