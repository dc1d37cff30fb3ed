//! Tells losses by congestion from losses at any rate.

use super::math::mul_div;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// A share of 1 in fixed-point arithmetic.
const ONE: u64 = 1_024;
/// The largest loss rate that is compensated by sending more: 30 %.
const LARGEST_BASE: u64 = ONE * 3 / 10;
/// The excess over the base loss rate that is tolerated: 1 %.
const TOLERANCE: u64 = ONE / 100;
/// The segments that a sample of the loss rate needs.
const SAMPLE_SEGMENTS: u64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct Count {
    acknowledged: u32,
    lost: u32,
}

impl Count {
    fn sent(self) -> u64 {
        u64::from(self.acknowledged) + u64::from(self.lost)
    }

    /// Adds to both counts. Above 4 GiB both are halved, which keeps the share.
    fn plus(self, acknowledged: u64, lost: u64) -> Self {
        let mut sums = [(self.acknowledged, acknowledged), (self.lost, lost)].map(|(a, b)| b.saturating_add(a.into()));
        loop {
            match sums.map(u32::try_from) {
                [Ok(acknowledged), Ok(lost)] => return Self { acknowledged, lost },
                [_, _] => sums = sums.map(|sum| sum / 2),
            }
        }
    }

    const fn three_quarters(self) -> Self {
        Self { acknowledged: self.acknowledged - self.acknowledged / 4, lost: self.lost - self.lost / 4 }
    }
}

/// Measures the base loss rate, and detects rounds that lose more.
///
/// The base loss rate is that of data sent while the sender yields, that is, sends slower than the path permits: such
/// losses occur at any rate.
///
/// Each byte counts for the time at which it was *sent*. A loss is detected later than its neighbours are acknowledged,
/// so counting by detection time would show a sender that slows down nothing but losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct LossMeter {
    /// The latest interval of transmission times in which the sender yielded.
    from: Instant,
    until: Option<Instant>,
    yielding: Count,
    /// Bytes sent while yielding that arrived through a queue.
    queued: u32,
    /// The counts that give the base loss rate: data sent while yielding, older cycles with less weight.
    history: Count,
    /// The start of the current round and of the previous one.
    round_at: [Instant; 2],
    /// Counts of data sent in the previous round, and before. Nothing is known yet of data sent in the current round.
    rounds: [Count; 2],
    /// Whether the older round was already reported as losing too much.
    reported: bool,
    /// The base loss rate: the share lost at any rate.
    base: u16,
    measured: bool,
}

impl LossMeter {
    /// Marks data sent from now on as sent below the bandwidth.
    pub(super) fn start_yielding(&mut self, now: Instant) {
        self.from = now;
        self.until = None;
    }

    /// Ends the interval of yielding.
    pub(super) fn stop_yielding(&mut self, now: Instant) {
        self.until.get_or_insert(now);
    }

    /// Records the arrival of `bytes` sent at `sent_at`. `calm`: they met almost no queue.
    pub(super) fn acknowledged(&mut self, sent_at: Instant, bytes: u64, calm: bool) {
        let count = self.sent_in(sent_at);
        *count = count.plus(bytes, 0);
        if !self.yielded_at(sent_at) {
            return;
        }
        if calm {
            self.yielding = self.yielding.plus(bytes, 0);
        } else {
            // Data sent up to then met a queue, which may have dropped some of it.
            self.queued = self.queued.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
            self.from = sent_at + Duration::from_micros(1);
        }
    }

    /// Records the loss of `bytes` sent at `sent_at`. Returns whether their round lost too much, as
    /// [`end_round`](Self::end_round).
    pub(super) fn lost(&mut self, sent_at: Instant, bytes: u64, segment: NonZero<u64>) -> bool {
        let count = self.sent_in(sent_at);
        *count = count.plus(0, bytes);
        if self.yielded_at(sent_at) {
            self.yielding = self.yielding.plus(0, bytes);
        }
        self.judge(segment)
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

    /// Before the first sample all data that met no queue counts: the sender had no reason to send too fast.
    fn yielded_at(&self, sent_at: Instant) -> bool {
        sent_at >= self.from && (!self.measured || self.until.is_none_or(|until| sent_at < until))
    }

    /// The bytes to send for `net` bytes to arrive.
    pub(super) fn gross(&self, net: u64) -> u64 {
        mul_div(net, ONE, ONE - u64::from(self.base))
    }

    /// Ends a round. Data sent in the previous round is acknowledged, or will soon be found lost.
    ///
    /// Returns whether that round lost too much already.
    pub(super) fn end_round(&mut self, now: Instant, segment: NonZero<u64>) -> bool {
        self.rounds = [Count::default(), self.rounds[0]];
        self.round_at = [now, self.round_at[0]];
        self.reported = false;
        self.judge(segment)
    }

    /// Whether the older round lost more than the base loss rate, the tolerance and chance explain. True once for each
    /// round.
    ///
    /// Chance includes the error of the base loss rate, which stems from a limited sample.
    fn judge(&mut self, segment: NonZero<u64>) -> bool {
        let (sent, lost) = (self.rounds[1].sent() / segment, u64::from(self.rounds[1].lost));
        let base = u64::from(self.base);
        let samples = (self.history.sent() / segment).max(1);
        let deviation = mul_div(variance(sent, base), samples.saturating_add(sent), samples).isqrt();
        let excess = self.measured && !self.reported && lost / segment > explained(sent, base + TOLERANCE, deviation);
        self.reported |= excess;
        excess
    }

    /// Whether, before the first sample, more is lost than the largest base loss rate and chance explain.
    pub(super) fn start_lost_too_much(&self, segment: NonZero<u64>) -> bool {
        let sent = self.yielding.sent() / segment;
        let most = explained(sent, LARGEST_BASE, variance(sent, LARGEST_BASE).isqrt());
        !self.measured && u64::from(self.yielding.lost) / segment > most
    }

    pub(super) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// Starts to judge losses, whether or not the base loss rate was measured.
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

    /// Ends a cycle: all data sent while yielding is acknowledged or found lost.
    pub(super) fn end_cycle(&mut self, segment: NonZero<u64>) {
        let sent = self.yielding.sent();
        let queued = core::mem::take(&mut self.queued);
        if sent < segment.get().saturating_mul(SAMPLE_SEGMENTS) {
            // Other flows keep the queue filled: a base loss rate that cannot be confirmed decays. Otherwise the sample
            // only needs more cycles.
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

    fn share(&self) -> u16 {
        let share = mul_div(self.history.lost.into(), ONE, self.history.sent().max(1)).min(LARGEST_BASE);
        u16::try_from(share).unwrap_or(u16::MAX)
    }
}

/// The variance of the number lost of `sent`, each with the probability `share`.
fn variance(sent: u64, share: u64) -> u64 {
    mul_div(sent, share * (ONE - share), ONE * ONE)
}

/// The losses of `sent` that `share` and chance explain: the mean, three standard deviations, and two.
fn explained(sent: u64, share: u64, deviation: u64) -> u64 {
    mul_div(sent, share, ONE).saturating_add(deviation.saturating_mul(3) + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: NonZero<u64> = NonZero::new(1_200).unwrap();
    const BYTES: u64 = SEGMENT.get();

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Sends 10 segments each ms, of which `lost` are lost. Returns whether that was ever found too much.
    fn send(meter: &mut LossMeter, ms: core::ops::Range<u64>, lost: u64, calm: bool) -> bool {
        let mut excess = false;
        for sent in ms {
            meter.acknowledged(at(sent), (10 - lost) * BYTES, calm);
            excess |= lost > 0 && meter.lost(at(sent), lost * BYTES, SEGMENT);
        }
        excess
    }

    /// A meter with a base loss rate of 20 %. The round that began at 200 ms is current, and acknowledgements of data
    /// sent since 100 ms arrive.
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
    fn a_start_that_loses_over_30_percent_met_a_full_queue() {
        let mut meter = LossMeter::default();
        send(&mut meter, 0..50, 2, true);
        assert!(!meter.start_lost_too_much(SEGMENT));
        send(&mut meter, 50..150, 7, true);
        assert!(meter.start_lost_too_much(SEGMENT));
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
