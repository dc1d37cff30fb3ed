//! Which losses are congestion: those that come with speed.

use super::math::mul_div;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// A share of 1: all.
const ONE: u64 = 1_024;
/// The largest share of loss that is made up for by sending more: 30 %.
const LARGEST_BASE: u64 = ONE * 3 / 10;
/// Losses beyond what speed cannot explain that are let pass: 1 %.
const TOLERANCE: u64 = ONE / 100;
/// Segments from which the share of loss is read.
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

    /// From 4 GiB on both are halved: the share stays.
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

/// The share lost of what is sent while the sender yields, slower than the path could take: that is lost whatever the
/// speed. And whether what was sent in a round lost more.
///
/// Everything counts where it was *sent*, not when it is heard of: a loss is judged later than its neighbours are
/// acknowledged, so that a sender that slows down between the two would see nothing but losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct LossMeter {
    /// The span of sending in which the sender yielded last.
    from: Instant,
    until: Option<Instant>,
    yielding: Count,
    /// Bytes that arrived while it yielded, but through a queue.
    restless: u32,
    /// Where the share comes from: what was sent while yielding, older cycles for less.
    history: Count,
    /// When the present round began, and the one before.
    round_at: [Instant; 2],
    /// What was sent in the round before the present one, and earlier. Of the present one nothing is known yet.
    rounds: [Count; 2],
    /// The older of the two has been found to lose too much.
    reported: bool,
    /// The share that is lost whatever the speed.
    base: u16,
    measured: bool,
}

impl LossMeter {
    /// What is sent from now on is sent at less than the bandwidth.
    pub(super) fn start_yielding(&mut self, now: Instant) {
        self.from = now;
        self.until = None;
    }

    /// It no longer is.
    pub(super) fn stop_yielding(&mut self, now: Instant) {
        self.until.get_or_insert(now);
    }

    /// `bytes` sent at `sent_at` arrived. `calm`: with no queue to speak of on the way.
    pub(super) fn acknowledged(&mut self, sent_at: Instant, bytes: u64, calm: bool) {
        let count = self.sent_in(sent_at);
        *count = count.plus(bytes, 0);
        if !self.yielded_at(sent_at) {
            return;
        }
        if calm {
            self.yielding = self.yielding.plus(bytes, 0);
        } else {
            // What was sent by then met a queue, which may have dropped some of it.
            self.restless = self.restless.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
            self.from = sent_at + Duration::from_micros(1);
        }
    }

    /// `bytes` sent at `sent_at` were lost. Whether their round loses more than can be had from chance.
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

    /// Before the first sample all counts that met no queue: so far there was no reason to send too fast.
    fn yielded_at(&self, sent_at: Instant) -> bool {
        sent_at >= self.from && (!self.measured || self.until.is_none_or(|until| sent_at < until))
    }

    /// What must leave for `net` to arrive.
    pub(super) fn gross(&self, net: u64) -> u64 {
        mul_div(net, ONE, ONE - u64::from(self.base))
    }

    /// A round ends now: what was sent in the one before has been acknowledged, or will be found lost soon. Whether that
    /// was too much already.
    pub(super) fn end_round(&mut self, now: Instant, segment: NonZero<u64>) -> bool {
        self.rounds = [Count::default(), self.rounds[0]];
        self.round_at = [now, self.round_at[0]];
        self.reported = false;
        self.judge(segment)
    }

    /// Whether the older round lost more than the base and a tolerance, of samples that were few themselves. Says so once.
    fn judge(&mut self, segment: NonZero<u64>) -> bool {
        let (sent, lost) = (self.rounds[1].sent() / segment, u64::from(self.rounds[1].lost));
        let base = u64::from(self.base);
        let samples = (self.history.sent() / segment).max(1);
        let deviation = mul_div(variance(sent, base), samples.saturating_add(sent), samples).isqrt();
        let excess = self.measured && !self.reported && lost / segment > explained(sent, base + TOLERANCE, deviation);
        self.reported |= excess;
        excess
    }

    /// Before the first sample: whether so much is lost that it cannot be chance.
    pub(super) fn is_overwhelmed(&self, segment: NonZero<u64>) -> bool {
        let sent = self.yielding.sent() / segment;
        let most = explained(sent, LARGEST_BASE, variance(sent, LARGEST_BASE).isqrt());
        !self.measured && u64::from(self.yielding.lost) / segment > most
    }

    pub(super) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// From now on losses are judged, whether or not the share is known.
    pub(super) fn start_judging(&mut self) {
        self.measured = true;
    }

    /// What was measured so far may be wrong: only what is lost while yielding counts from here on.
    pub(super) fn doubt(&mut self) {
        self.base = 0;
        self.measured = true;
        self.yielding = Count::default();
        self.history = Count::default();
    }

    /// All that was sent while yielding has been acknowledged or found lost.
    pub(super) fn end_cycle(&mut self, segment: NonZero<u64>) {
        let sent = self.yielding.sent();
        let restless = core::mem::take(&mut self.restless);
        if sent < segment.get().saturating_mul(SAMPLE_SEGMENTS) {
            // Others keep the queue filled: what cannot be confirmed fades. Otherwise it only takes some cycles more.
            if u64::from(restless) > sent {
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

/// Of the number lost of `sent` where each is lost with the probability `share`.
fn variance(sent: u64, share: u64) -> u64 {
    mul_div(sent, share * (ONE - share), ONE * ONE)
}

/// What may be lost of `sent` at this share, by chance: three standard deviations more, and two.
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

    /// Of each 10 segments sent at these times `lost` are lost. Whether that was ever found too much.
    fn send(meter: &mut LossMeter, ms: core::ops::Range<u64>, lost: u64, calm: bool) -> bool {
        let mut excess = false;
        for sent in ms {
            meter.acknowledged(at(sent), (10 - lost) * BYTES, calm);
            excess |= lost > 0 && meter.lost(at(sent), lost * BYTES, SEGMENT);
        }
        excess
    }

    /// A meter that has seen 20 % lost at rest. The round that began at 200 ms is under way: what was sent since 100 ms is
    /// being acknowledged.
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
    fn a_loss_counts_where_it_was_sent() {
        let mut meter = measured();
        for sent in 100..200 {
            meter.acknowledged(at(sent), 8 * BYTES, true);
        }
        // Nothing more is sent: in the round that follows only the losses of the one before are heard of.
        assert!(!meter.end_round(at(300), SEGMENT));
        assert!(!(100..200).any(|sent| meter.lost(at(sent), 2 * BYTES, SEGMENT)));
    }

    #[test]
    fn more_loss_than_chance_is_reported_once_a_round() {
        let mut meter = measured();
        send(&mut meter, 100..200, 4, true);
        assert!(meter.end_round(at(300), SEGMENT));
        assert!(!meter.lost(at(150), BYTES, SEGMENT));
        send(&mut meter, 200..300, 4, true);
        assert!(meter.end_round(at(400), SEGMENT));
    }

    #[test]
    fn what_met_a_queue_is_no_sample() {
        let mut meter = measured();
        meter.start_yielding(at(200));
        // The queue still stands and drops; from 250 on it is gone.
        send(&mut meter, 200..250, 5, false);
        send(&mut meter, 250..300, 2, true);
        meter.stop_yielding(at(300));
        send(&mut meter, 300..400, 5, true);
        meter.end_cycle(SEGMENT);
        assert!(u64::from(meter.base).abs_diff(ONE / 5) <= ONE / 100, "{}", meter.base);
    }

    #[test]
    fn a_start_that_loses_most_has_met_a_full_queue() {
        let mut meter = LossMeter::default();
        send(&mut meter, 0..50, 2, true);
        assert!(!meter.is_overwhelmed(SEGMENT));
        send(&mut meter, 50..150, 7, true);
        assert!(meter.is_overwhelmed(SEGMENT));
    }

    #[test]
    fn what_others_keep_from_being_measured_fades() {
        let mut meter = measured();
        for _ in 0..8 {
            meter.start_yielding(at(200));
            send(&mut meter, 200..250, 0, false);
            meter.end_cycle(SEGMENT);
        }
        assert!(u64::from(meter.base) < ONE / 40, "{}", meter.base);
    }
}
