//! `NewReno` (RFC 9002 §7).

use super::math::{MICROS_PER_SECOND, mul_div};
use super::recovery::RecoveryPeriod;
use super::{ACKNOWLEDGEMENTS, Acknowledgement, Congestion, Loss, initial_window, minimum_window};
use crate::{ClockShift, Duration, Instant};

/// `NewReno` (RFC 9002 §7, RFC 6582), the reference for fairness.
///
/// The window doubles each round trip until the first loss. Then it grows by a segment per round trip, and halves at a
/// loss.
///
/// It is the slowest controller on long, fast or lossy paths: at 1 % loss it keeps about 12 segments in flight. Against
/// a [`Cubic`](super::Cubic) flow it gets a fair share on short or slow paths only. At 100 Mbit/s and 100 ms it gets a
/// fifth in the first minute, and less later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewReno {
    segment: u64,
    window: u64,
    /// The slow start threshold; `u64::MAX` before the first loss.
    threshold: u64,
    /// Bytes acknowledged in congestion avoidance since the window last grew.
    acknowledged: u64,
    recovery: RecoveryPeriod,
    srtt: Duration,
}

impl NewReno {
    /// Starts with the initial window (RFC 9002 §7.2) for datagrams of `datagram_bytes`.
    #[must_use]
    pub fn new(datagram_bytes: u32) -> Self {
        let segment = u64::from(datagram_bytes.max(1));
        Self {
            segment,
            window: initial_window(segment),
            threshold: u64::MAX,
            acknowledged: 0,
            recovery: RecoveryPeriod::default(),
            srtt: Duration::ZERO,
        }
    }
}

impl Congestion for NewReno {
    fn on_sent(&mut self, _: Instant, _: u32, _: u64) {}

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        self.srtt = ack.srtt;
        // §7.3.2: no growth in the recovery period. §7.8: no growth while the window does not limit the sender.
        if self.recovery.covers(ack.newest_sent_at) || ack.app_limited {
            return;
        }
        if self.window < self.threshold {
            // §7.3.1: slow start grows by the bytes acknowledged.
            self.window = self.window.saturating_add(ack.bytes);
            return;
        }
        // §7.3.3: one segment for each window acknowledged, counted in bytes (RFC 3465 §2.1).
        self.acknowledged = self.acknowledged.saturating_add(ack.bytes);
        if self.acknowledged >= self.window {
            self.acknowledged = (self.acknowledged - self.window).min(self.window);
            self.window = self.window.saturating_add(self.segment);
        }
    }

    fn on_lost(&mut self, loss: &Loss) {
        if self.recovery.enter(loss.now, loss.newest_sent_at) {
            // §7.3.2: the threshold and the window become half of the window.
            self.threshold = (self.window / 2).max(minimum_window(self.segment));
            self.window = self.threshold;
            self.acknowledged = 0;
        }
    }

    fn on_timeout(&mut self, _: Instant) {
        let minimum = minimum_window(self.segment);
        // Consecutive timeouts keep the threshold that the first one set (RFC 5681 §3.1).
        if self.window > minimum {
            self.threshold = (self.window / 2).max(minimum);
        }
        // §7.6.2: after persistent congestion, slow start begins at the minimum window.
        self.window = minimum;
        self.acknowledged = 0;
        self.recovery.leave();
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        paced(self.window, self.srtt, self.window < self.threshold)
    }

    fn acknowledgements(&self) -> Option<u32> {
        // Slow start searches for the rate.
        (self.window >= self.threshold).then_some(ACKNOWLEDGEMENTS)
    }

    fn phase(&self) -> &'static str {
        if self.window < self.threshold { "slow start" } else { "congestion avoidance" }
    }

    fn start_path(&mut self, _: Instant) {
        *self = Self::new(u32::try_from(self.segment).unwrap_or(u32::MAX));
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.recovery.rebase(shift);
    }
}

/// The pacing rate (RFC 9002 §7.7): `N × window / srtt` with N = 1.25, and 2 in slow start.
///
/// With N = 2, the packets by which the window grows in a round can leave in the same round. `None` before the first
/// round-trip sample.
pub(super) fn paced(window: u64, srtt: Duration, slow_start: bool) -> Option<u64> {
    let gain = if slow_start { 2 * MICROS_PER_SECOND } else { MICROS_PER_SECOND / 4 * 5 };
    (srtt > Duration::ZERO).then(|| mul_div(window, gain, srtt.as_micros()).max(1))
}
