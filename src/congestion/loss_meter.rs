//! Which losses are congestion: those that come with speed.

use super::math::mul_div;
use crate::Instant;

/// What shares of loss count in.
const UNIT: u64 = 1_024;
/// The largest share of loss that is made up for by sending more: 30 %.
const LARGEST_BASE: u64 = UNIT * 3 / 10;
/// Losses beyond what speed cannot explain that are let pass: 1 %.
const TOLERANCE: u64 = UNIT / 100;
/// Segments from which the share of loss is read.
const SAMPLE_SEGMENTS: u64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct Count {
    acknowledged: u64,
    lost: u64,
}

impl Count {
    const fn sent(&self) -> u64 {
        self.acknowledged.saturating_add(self.lost)
    }
}

/// The share lost of what is sent while the sender yields, slower than the path could take: that is lost whatever the
/// speed. And whether a round loses more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct LossMeter {
    /// The span of sending in which the sender yielded last.
    from: Instant,
    until: Option<Instant>,
    yielding: Count,
    /// Bytes that arrived while it yielded, but through a queue.
    restless: u64,
    round: Count,
    /// The share that is lost whatever the speed.
    base: u64,
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
        self.until = Some(now);
    }

    /// `bytes` sent at `sent_at` arrived. `calm`: with no queue to speak of on the way.
    pub(super) fn acknowledged(&mut self, sent_at: Instant, bytes: u64, calm: bool) {
        self.round.acknowledged = self.round.acknowledged.saturating_add(bytes);
        if self.yielded_at(sent_at) {
            let count = if calm { &mut self.yielding.acknowledged } else { &mut self.restless };
            *count = count.saturating_add(bytes);
        }
    }

    /// `bytes` sent at `sent_at` were lost.
    pub(super) fn lost(&mut self, sent_at: Instant, bytes: u64, calm: bool) {
        self.round.lost = self.round.lost.saturating_add(bytes);
        if calm && self.yielded_at(sent_at) {
            self.yielding.lost = self.yielding.lost.saturating_add(bytes);
        }
    }

    /// Before the first sample everything counts: so far there was no reason to send too fast.
    fn yielded_at(&self, sent_at: Instant) -> bool {
        !self.measured || sent_at >= self.from && self.until.is_none_or(|until| sent_at < until)
    }

    /// What must leave for `net` to arrive.
    pub(super) fn gross(&self, net: u64) -> u64 {
        mul_div(net, UNIT, UNIT - self.base)
    }

    /// A round has ended. Whether it lost more than can be had from chance: the base, a tolerance, and three standard
    /// deviations of what chance does to a round of this size.
    pub(super) fn end_round(&mut self, segment: u64) -> bool {
        let Count { acknowledged: _, lost } = self.round;
        let sent = self.round.sent() / segment;
        self.round = Count::default();
        let deviation = mul_div(sent, self.base * (UNIT - self.base), UNIT * UNIT).isqrt();
        let explained = mul_div(sent, self.base + TOLERANCE, UNIT).saturating_add(3 * deviation + 2);
        self.measured && lost / segment > explained
    }

    pub(super) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// What was measured so far may be wrong: only what is lost while yielding counts from here on.
    pub(super) fn doubt(&mut self) {
        self.base = 0;
        self.measured = true;
        self.yielding = Count::default();
    }

    /// All that was sent while yielding has been acknowledged or found lost.
    pub(super) fn end_cycle(&mut self, segment: u64) {
        let sent = self.yielding.sent();
        let restless = core::mem::take(&mut self.restless);
        if sent < segment * SAMPLE_SEGMENTS {
            // Others keep the queue filled: what cannot be confirmed fades. Otherwise it only takes some cycles more.
            if restless > sent {
                self.base -= self.base.div_ceil(4);
            }
            return;
        }
        let share = mul_div(self.yielding.lost, UNIT, sent).min(LARGEST_BASE);
        self.yielding = Count::default();
        self.base = if self.measured { (self.base + share).div_ceil(2) } else { share };
        self.measured = true;
    }
}
