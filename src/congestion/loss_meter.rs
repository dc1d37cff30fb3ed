//! Distinguishes losses by congestion from losses that occur at any sending rate.

use super::math::mul_div;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// A share of 1 in fixed-point arithmetic.
const ONE: u64 = 1_024;
/// The largest loss rate for which the sender compensates by sending more: 45 %.
const LARGEST_BASE: u64 = ONE * 45 / 100;
/// The most by which the base loss rate may exceed its estimate, before the first sample: 6 %.
const LARGEST_DOUBT: u64 = ONE * 6 / 100;
/// The doubt that the tolerance covers.
const SMALLEST_DOUBT: u64 = ONE * 6 / 1_000;
/// The tolerated excess over the base loss rate: 1 %.
const TOLERANCE: u64 = ONE / 100;
/// The segments that a sample of the loss rate needs.
const SAMPLE_SEGMENTS: u64 = 64;

/// Counts of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct Count {
    acknowledged: u32,
    lost: u32,
}

impl Count {
    fn sent(self) -> u64 {
        u64::from(self.acknowledged) + u64::from(self.lost)
    }

    /// Adds to both counts. If one exceeds 4 GiB, both are halved, which keeps their ratio.
    fn plus(self, acknowledged: u64, lost: u64) -> Self {
        let mut sums = [(self.acknowledged, acknowledged), (self.lost, lost)].map(|(a, b)| b.saturating_add(a.into()));
        loop {
            match sums.map(u32::try_from) {
                [Ok(acknowledged), Ok(lost)] => return Self { acknowledged, lost },
                [_, _] => sums = sums.map(|sum| sum / 2),
            }
        }
    }

    /// Counts up to `bytes` lost ones as acknowledged. Returns how many.
    fn take_back(&mut self, bytes: u32) -> u32 {
        let found = bytes.min(self.lost);
        self.lost -= found;
        self.acknowledged = self.acknowledged.saturating_add(found);
        found
    }

    const fn three_quarters(self) -> Self {
        Self { acknowledged: self.acknowledged - self.acknowledged / 4, lost: self.lost - self.lost / 4 }
    }
}

/// Measures the base loss rate, and detects rounds that lose more.
///
/// The base loss rate is the loss rate of data that is sent while the sender *yields*: it sends slower than the path
/// permits, so these losses are not congestion.
///
/// Each byte counts in the round in which it was *sent*. A loss is detected later than neighbouring packets are
/// acknowledged. Counted by detection time, the last round of a sender that slows down would consist of losses only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct LossMeter {
    /// The start of the latest interval of transmission times in which the sender yielded without a queue.
    from: Instant,
    /// The end of this interval, excluded; `None` while the sender yields.
    until: Option<Instant>,
    /// Data sent while yielding, since the last sample.
    yielding: Count,
    /// Bytes sent while yielding that met a queue, in this cycle.
    queued: u32,
    /// Data of all samples, from which the base loss rate derives. Each new sample reduces the weight of older ones.
    history: Count,
    /// The start of the current round and of the previous one.
    round_at: [Instant; 2],
    /// Data sent since the start of the previous round, and data sent earlier.
    ///
    /// The current round has no count of its own, because the first acknowledgement of its data ends the round.
    rounds: [Count; 2],
    /// Whether excess loss of the earlier data was already reported in this round.
    reported: bool,
    /// The base loss rate, in units of 1/1024.
    base: u16,
    /// Whether losses are compared with the base loss rate.
    measured: bool,
}

impl LossMeter {
    /// Begins the interval of yielding.
    pub(super) fn start_yielding(&mut self, now: Instant) {
        self.from = now;
        self.until = None;
    }

    /// Ends the interval of yielding.
    pub(super) fn stop_yielding(&mut self, now: Instant) {
        self.until.get_or_insert(now);
    }

    /// Records the arrival of `bytes` sent at `sent_at`. `calm` means that they met almost no queue.
    pub(super) fn acknowledged(&mut self, sent_at: Instant, bytes: u64, calm: bool) {
        let count = self.sent_in(sent_at);
        *count = count.plus(bytes, 0);
        if !self.yielded_at(sent_at) {
            return;
        }
        if calm {
            self.yielding = self.yielding.plus(bytes, 0);
        } else {
            // Data sent up to `sent_at` met a queue, which may have dropped packets. The interval begins after it.
            self.queued = self.queued.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
            self.from = sent_at + Duration::from_micros(1);
        }
    }

    /// Records the loss of `bytes` sent at `sent_at`. Returns whether the loss is now excessive, as
    /// [`end_round`](Self::end_round) does.
    pub(super) fn lost(&mut self, sent_at: Instant, bytes: u64, segment: NonZero<u64>) -> bool {
        let count = self.sent_in(sent_at);
        *count = count.plus(0, bytes);
        if self.yielded_at(sent_at) {
            self.yielding = self.yielding.plus(0, bytes);
        }
        self.judge(segment)
    }

    /// Takes back the loss of `bytes`, which have arrived after all. Returns whether the loss is still excessive.
    pub(super) fn found(&mut self, bytes: u64, segment: NonZero<u64>) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let [recent, older] = &mut self.rounds;
        let rest = bytes - recent.take_back(bytes);
        older.take_back(rest);
        self.yielding.take_back(bytes);
        self.reported &= self.is_excessive(segment);
        self.reported
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        self.from = shift.sending(self.from);
        self.until = self.until.map(|until| shift.sending(until));
        self.round_at = self.round_at.map(|at| shift.sending(at));
    }

    fn sent_in(&mut self, sent_at: Instant) -> &mut Count {
        let [recent, older] = &mut self.rounds;
        if sent_at >= self.round_at[1] { recent } else { older }
    }

    /// Whether data sent at `sent_at` was sent while yielding.
    ///
    /// Before the first sample this includes all data that met no queue.
    fn yielded_at(&self, sent_at: Instant) -> bool {
        sent_at >= self.from && (!self.measured || self.until.is_none_or(|until| sent_at < until))
    }

    /// The bytes to send so that `net` bytes arrive at the base loss rate.
    pub(super) fn gross(&self, net: u64) -> u64 {
        mul_div(net, ONE, ONE - u64::from(self.base))
    }

    /// Ends a round. Returns whether the data sent before the round began has lost too much.
    ///
    /// That data is acknowledged by now, or will soon be declared lost.
    pub(super) fn end_round(&mut self, now: Instant, segment: NonZero<u64>) -> bool {
        self.rounds = [Count::default(), self.rounds[0]];
        self.round_at = [now, self.round_at[0]];
        self.reported = false;
        self.judge(segment)
    }

    /// Whether the loss is excessive, and this was not reported in this round.
    fn judge(&mut self, segment: NonZero<u64>) -> bool {
        let excess = !self.reported && self.is_excessive(segment);
        self.reported |= excess;
        excess
    }

    /// Whether the earlier data lost more than the base loss rate, the tolerance and chance explain.
    ///
    /// Chance includes the error of the base loss rate, which stems from a limited sample.
    fn is_excessive(&self, segment: NonZero<u64>) -> bool {
        let (sent, lost) = (self.rounds[1].sent() / segment, u64::from(self.rounds[1].lost));
        let samples = (self.history.sent() / segment).max(1);
        // A small sample without a loss still permits a loss rate of 3 / samples (the rule of three). The current
        // sample counts as well while it has no loss.
        let confirmed = if self.yielding.lost == 0 { self.yielding.sent() / segment } else { 0 };
        let doubt = (ONE * 3 / (samples + confirmed)).min(LARGEST_DOUBT).saturating_sub(SMALLEST_DOUBT);
        let base = u64::from(self.base) + doubt;
        let variance = mul_div(variance(sent, base), samples.saturating_add(sent), samples);
        self.measured && lost / segment > explained(sent, base + TOLERANCE, variance)
    }

    /// Whether, before the first sample, more is lost than the largest base loss rate and chance explain.
    pub(super) fn start_lost_too_much(&self, segment: NonZero<u64>) -> bool {
        let sent = self.yielding.sent() / segment;
        let most = explained(sent, LARGEST_BASE, variance(sent, LARGEST_BASE));
        !self.measured && u64::from(self.yielding.lost) / segment > most
    }

    pub(super) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// Whether a sample has shown that the base loss rate is small.
    pub(super) fn is_lossless(&self, segment: NonZero<u64>) -> bool {
        self.base_is_small() && self.history.sent() >= segment.get().saturating_mul(SAMPLE_SEGMENTS)
    }

    /// Whether the base loss rate is at most the tolerance, or not measured yet.
    pub(super) fn base_is_small(&self) -> bool {
        u64::from(self.base) <= TOLERANCE
    }

    /// Starts to compare losses with the base loss rate, which is 0 if it was not measured.
    pub(super) fn start_judging(&mut self) {
        self.measured = true;
    }

    /// Discards the samples so far, which may contain congestion. Only data sent while yielding counts from now on.
    pub(super) fn discard_samples(&mut self) {
        self.base = 0;
        self.measured = true;
        self.yielding = Count::default();
        self.history = Count::default();
    }

    /// Ends a cycle: all data sent while yielding is acknowledged or declared lost.
    pub(super) fn end_cycle(&mut self, segment: NonZero<u64>) {
        let sent = self.yielding.sent();
        let queued = core::mem::take(&mut self.queued);
        if sent < segment.get().saturating_mul(SAMPLE_SEGMENTS) {
            // If most data met a queue, other flows keep the queue filled. The base loss rate then cannot be confirmed,
            // and decays. Otherwise the sample continues in the next cycle.
            if u64::from(queued) > sent {
                self.history.lost -= self.history.lost.div_ceil(4);
                self.base = self.share();
            }
            return;
        }
        let Count { acknowledged, lost } = core::mem::take(&mut self.yielding);
        self.history = self.history.three_quarters().plus(acknowledged.into(), lost.into());
        self.base = self.share();
        self.measured = true;
    }

    /// The loss rate of `history`, at most [`LARGEST_BASE`].
    fn share(&self) -> u16 {
        let share = mul_div(self.history.lost.into(), ONE, self.history.sent().max(1)).min(LARGEST_BASE);
        u16::try_from(share).unwrap_or(u16::MAX)
    }
}

/// Nine times the variance of the number of losses among `sent` segments, each lost with the probability `share`.
///
/// Its root is three standard deviations, with less error by rounding than three times the root of the variance.
fn variance(sent: u64, share: u64) -> u64 {
    mul_div(sent, 9 * share * (ONE - share), ONE * ONE)
}

/// The most losses among `sent` segments that `share` and chance explain: the mean, three standard deviations, and 2.
fn explained(sent: u64, share: u64, variance: u64) -> u64 {
    mul_div(sent, share, ONE).saturating_add(variance.isqrt() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: NonZero<u64> = NonZero::new(1_200).unwrap();
    const BYTES: u64 = SEGMENT.get();

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Sends 10 segments each ms, of which `lost` are lost. Returns whether the meter reported excess loss.
    fn send(meter: &mut LossMeter, ms: core::ops::Range<u64>, lost: u64, calm: bool) -> bool {
        let mut excess = false;
        for sent in ms {
            meter.acknowledged(at(sent), (10 - lost) * BYTES, calm);
            excess |= lost > 0 && meter.lost(at(sent), lost * BYTES, SEGMENT);
        }
        excess
    }

    /// A meter with a base loss rate of 20 %. The current round began at 200 ms, the previous one at 100 ms.
    fn measured() -> LossMeter {
        let mut meter = LossMeter::default();
        send(&mut meter, 0..50, 2, true);
        meter.end_cycle(SEGMENT);
        assert_eq!(u64::from(meter.base), ONE / 5);
        meter.stop_yielding(at(50));
        meter.end_round(at(100), SEGMENT);
        meter.end_round(at(200), SEGMENT);
        meter
    }

    #[test]
    fn a_loss_counts_for_the_round_in_which_it_was_sent() {
        let mut meter = measured();
        for sent in 100..200 {
            meter.acknowledged(at(sent), 8 * BYTES, true);
        }
        // Nothing more is sent: the next round detects only losses of the previous one.
        assert!(!meter.end_round(at(300), SEGMENT));
        assert!(!(100..200).any(|sent| meter.lost(at(sent), 2 * BYTES, SEGMENT)));
    }

    #[test]
    fn excess_loss_is_reported_once_per_round() {
        let mut meter = measured();
        send(&mut meter, 100..200, 4, true);
        assert!(meter.end_round(at(300), SEGMENT));
        assert!(!meter.lost(at(150), BYTES, SEGMENT));
        send(&mut meter, 200..300, 4, true);
        assert!(meter.end_round(at(400), SEGMENT));
    }

    #[test]
    fn data_that_met_a_queue_is_not_sampled() {
        let mut meter = measured();
        meter.start_yielding(at(200));
        // The queue still drops packets. From 250 ms on it is empty.
        send(&mut meter, 200..250, 5, false);
        send(&mut meter, 250..300, 2, true);
        meter.stop_yielding(at(300));
        send(&mut meter, 300..400, 5, true);
        meter.end_cycle(SEGMENT);
        assert!(u64::from(meter.base).abs_diff(ONE / 5) <= ONE / 100, "{}", meter.base);
    }

    #[test]
    fn a_start_that_loses_over_45_percent_met_a_full_queue() {
        let mut meter = LossMeter::default();
        send(&mut meter, 0..50, 2, true);
        assert!(!meter.start_lost_too_much(SEGMENT));
        send(&mut meter, 50..150, 7, true);
        assert!(meter.start_lost_too_much(SEGMENT));
    }

    #[test]
    fn a_small_sample_without_a_loss_proves_no_lossless_path() {
        let mut meter = LossMeter::default();
        send(&mut meter, 0..7, 0, true);
        meter.end_cycle(SEGMENT);
        assert!(meter.is_measured() && meter.base == 0);
        meter.end_round(at(100), SEGMENT);
        meter.end_round(at(200), SEGMENT);
        // 4 of 60 are lost, which 5 % explain.
        assert!(!send(&mut meter, 100..104, 1, true));
        assert!(!send(&mut meter, 104..106, 0, true) && !meter.end_round(at(300), SEGMENT));
    }

    #[test]
    fn late_segments_are_no_loss() {
        let mut meter = measured();
        send(&mut meter, 100..200, 4, true);
        assert!(!meter.found(300 * BYTES, SEGMENT));
        assert!(!meter.end_round(at(300), SEGMENT));
    }

    #[test]
    fn a_base_loss_rate_that_cannot_be_measured_decays() {
        let mut meter = measured();
        for _ in 0..8 {
            meter.start_yielding(at(200));
            send(&mut meter, 200..250, 0, false);
            meter.end_cycle(SEGMENT);
        }
        assert!(u64::from(meter.base) < ONE / 40, "{}", meter.base);
    }
}
