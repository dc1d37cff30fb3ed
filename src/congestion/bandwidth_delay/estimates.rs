//! The estimates of `BandwidthDelay`, from acknowledgements: round-trip times, gaps and rates.

use super::super::math::{MICROS_PER_SECOND, mul_div, rate, volume};
use super::phase::{LONGEST_PATIENCE, Phase, QUIET_ROUNDS, TRAIN_UNIT};
use super::{Acknowledgement, BandwidthDelay, MICROSECOND, RoundStart};
use crate::Duration;
use crate::time::ShortDuration;

/// The segments that a measurement of the bottleneck's rate needs.
const TRAIN_SEGMENTS: u64 = 8;
/// The batching delay of two end systems that wake once per millisecond (BBR: `BBRQuantizationBudget`).
///
/// It is added to the round-trip time, up to twice that time. Otherwise the window of a very short path would not last
/// until the next wake-up.
const BATCHING: Duration = Duration::from_millis(2);
/// The batching delay of end systems on a path whose round trip takes next to no time.
///
/// Two products of it are some offload bursts. Many more would leave the caches of the processors before they are read.
const LEAST_BATCHING: Duration = Duration::from_micros(250);

impl BandwidthDelay {
    pub(super) fn observe_rtt(&mut self, ack: &Acknowledgement) {
        let Some(rtt) = ack.rtt.map(|rtt| rtt.max(MICROSECOND)) else { return };
        if self.last_rtts[0] > ShortDuration::ZERO {
            self.observe_jitter(rtt);
        }
        self.last_rtts = [ShortDuration::new(rtt), self.last_rtts[0]];
        let near = self.min_rtt().saturating_add(Duration::from_micros(self.min_rtt().as_micros() / 64));
        if rtt <= near {
            self.min_rtt_at = ack.now;
        }
        if rtt.as_micros() < self.min_rtt().as_micros() / 8 * 7 {
            // The queue of another flow was in the minimum, and has gone. It may have hidden queues of this flow.
            (self.is_raised, self.is_shallow) = (false, false);
        }
        self.min_rtt = Some(ShortDuration::new(self.min_rtt().min(rtt)));
        let rtt = ShortDuration::new(rtt);
        self.round_min = Some(self.round_min.map_or(rtt, |min| min.min(rtt)));
        self.observe_queue(rtt.get(), ack.bytes);
    }

    /// RFC 3550 §6.4.1, with the mean over 16 samples. A queue that builds changes each of many samples by little.
    ///
    /// The same mean of twice the distance to the median of three samples leaves out a queue that changes each of few
    /// samples by much: all in one direction, so that the middle one of three is the median.
    fn observe_jitter(&mut self, rtt: Duration) {
        let [last, before] = self.last_rtts.map(|rtt| rtt.get().as_micros());
        let rtt = rtt.as_micros();
        let (difference, earlier) = (rtt.abs_diff(last), last.abs_diff(before));
        let has_turned = (rtt > last) == (before > last);
        let is_startup = matches!(self.phase, Phase::Startup);
        let mean = |mean: ShortDuration, difference: u64| {
            let mean = mean.get().as_micros();
            // In startup the mean rises faster, so that jitter is not taken for a queue.
            let weight = if is_startup && difference > mean { 4 } else { 16 };
            ShortDuration::new(Duration::from_micros(mean - mean / weight + difference / weight))
        };
        self.jitter = mean(self.jitter, difference);
        // Startup has too few samples for the median.
        let turn = if is_startup {
            difference
        } else if has_turned {
            2 * difference.min(earlier)
        } else {
            0
        };
        self.overtaking = mean(self.overtaking, turn);
    }

    /// Counts round-trip times that show a queue.
    ///
    /// The packets that arrive in one burst are one observation, which the last of them decides.
    fn observe_queue(&mut self, rtt: Duration, bytes: u64) {
        if rtt > self.queued_rtt(2) {
            self.long_seen |= 1;
        }
        if rtt <= self.queued_rtt(4) {
            self.inflated = 0;
        } else if self.inflated_for.get().as_micros() >= self.min_rtt().as_micros() / 128 {
            // An acknowledgement of many packets counts up to four times, because few come.
            let packets = match self.is_jittery() {
                // At random, a round-trip time exceeds the minimum by some four times the jitter.
                true if rtt > self.min_rtt().saturating_add(self.jitter.get().saturating_mul(8)) => 4,
                true => 1,
                false => bytes / (self.segment() * 4),
            };
            self.inflated = self.inflated.saturating_add(u8::try_from(packets.clamp(1, 4)).unwrap_or(1));
        } else {
            return;
        }
        self.inflated_for = ShortDuration::ZERO;
    }

    /// Whether `most` consecutive round-trip times show a queue, or four times as many where packets overtake each
    /// other.
    ///
    /// Eight long ones in a row are then frequent by chance, before the jitter is known.
    pub(super) fn shows_queue(&self, most: u8) -> bool {
        self.inflated >= if self.is_jittery() { most * 4 } else { most }
    }

    /// The round-trip time that a queue of a part of the bandwidth-delay product causes.
    pub(super) fn queued_rtt(&self, part: u64) -> Duration {
        let min_rtt = self.min_rtt().as_micros();
        let queue = min_rtt / part + 2_000 + self.jitter.get().as_micros() * 2;
        Duration::from_micros(min_rtt.saturating_add(queue))
    }

    /// Measures the gap before this acknowledgement.
    ///
    /// Returns whether the acknowledgement begins a burst: it follows a gap that is usual on this path.
    pub(super) fn observe_gap(&mut self, ack: &Acknowledgement) -> bool {
        let gap = ShortDuration::new(ack.now.saturating_since(self.last_ack_at));
        self.gaps[0] = self.gaps[0].max(gap);
        self.inflated_for = ShortDuration::new(self.inflated_for.get().saturating_add(gap.get()));
        self.last_ack_at = ack.now;
        let usual = self.gaps[1].get().as_micros();
        usual <= self.min_rtt().as_micros() / 8 || gap.get().as_micros() >= usual / 8 * 5
    }

    /// Measures the rate at which the packets acknowledged in this round passed the bottleneck.
    ///
    /// Acknowledgements that arrive within a small part of a round trip may have waited for each other, and so may
    /// those that arrive within the time by which packets overtake each other.
    pub(super) fn observe_train(&mut self, ack: &Acknowledgement) {
        let bytes = self.arrived(ack);
        let leaving = ack.newest_sent_at.saturating_since(self.round.sent_at);
        let span = ack.now.saturating_since(self.round.at).max(leaving);
        let shortest = Duration::from_micros(self.min_rtt().as_micros() / 256).max(self.overtaking.get());
        if bytes >= self.segment().saturating_mul(TRAIN_SEGMENTS) && span > Duration::ZERO {
            let units = rate(bytes, span.max(shortest)) / TRAIN_UNIT;
            self.train_rate = self.train_rate.max(u32::try_from(units).unwrap_or(u32::MAX));
        }
    }

    /// The bytes that arrived after the start of the round.
    pub(super) fn arrived(&self, ack: &Acknowledgement) -> u64 {
        self.round.acknowledged.saturating_add(ack.bytes).saturating_sub(self.first.into())
    }

    /// Whether the round-trip time differs much between packets.
    pub(super) fn is_jittery(&self) -> bool {
        self.overtaking.get().as_micros() > self.min_rtt().as_micros() / 8
    }

    /// Whether `ack` is for a packet sent in this round.
    ///
    /// Within less than the minimum round-trip time it can only be for an earlier transmission of that packet. Where
    /// packets overtake each other, the first of a round says little about the others, so that a round lasts for the
    /// smoothed time. On a very short path it lasts for the batching delay, because each burst of end systems that
    /// batch would give another rate.
    fn round_is_over(&self, ack: &Acknowledgement) -> bool {
        let shortest = if self.is_jittery() { ack.srtt.max(self.min_rtt()) } else { self.min_rtt() };
        let shortest = shortest.max(BATCHING);
        ack.newest_sent_at >= self.round.at && ack.now.saturating_since(self.round.at) >= shortest
    }

    /// Whether the round ends with `ack`: at the start of a burst, so that a round contains whole bursts.
    pub(super) fn round_ends(&self, ack: &Acknowledgement, starts_burst: bool) -> bool {
        let latest = ack.srtt.max(self.min_rtt()).saturating_add(self.gaps[1].get().saturating_mul(3));
        self.round_is_over(ack) && (starts_burst || ack.now.saturating_since(self.round.at) >= latest)
    }

    pub(super) fn start_round(&mut self, start: RoundStart) {
        self.round = start;
        self.round_min = None;
        self.sent = 0;
    }

    pub(super) fn end_round(&mut self, ack: &Acknowledgement) {
        let arriving = ack.now.saturating_since(self.round.at);
        let leaving = ack.newest_sent_at.saturating_since(self.round.sent_at);
        // The bytes of the first acknowledgement arrived before the round.
        let sample = rate(self.arrived(ack), arriving.max(leaving));
        let round_min = self.round_min.map_or(Duration::ZERO, ShortDuration::get);
        self.end_gap();
        let is_long = round_min > self.queued_rtt(2);
        if self.phase != Phase::ProbeRtt {
            if is_long && self.long_rounds == 0 && self.phase.gains().is_some() {
                // The following samples tell what arrives while the round-trip time is long.
                self.bandwidth = [0, self.net()];
            }
            self.long_rounds = if is_long { self.long_rounds.saturating_add(1) } else { 0 };
        }
        let before = self.net();
        let mut excess = self.meter.end_round(ack.now, self.segment.into()) || core::mem::take(&mut self.excess);
        excess |= self.meter.start_lost_too_much(self.segment.into());
        // A sample below the pacing rate says nothing about the path if the sender itself was slower, and neither a
        // queue nor congestion explains why.
        let paced = self.rate.map_or(0, |pace| volume(pace.get(), arriving));
        let queued = round_min > self.queued_rtt(4);
        let slow = !queued && !excess && u64::from(self.sent) < paced - paced / 8 && self.phase != Phase::Startup;
        self.slow_rounds = if slow && !ack.app_limited { self.slow_rounds.saturating_add(1) } else { 0 };
        let limited = ack.app_limited || slow;
        if self.phase != Phase::ProbeRtt && (!limited || sample > before) {
            let sample = if self.ceiling_explains(sample, ack) { sample.max(before) } else { sample };
            self.bandwidth[0] = self.bandwidth[0].max(sample);
        }
        let grew = sample >= before.saturating_add(before / 4);
        self.rounds = self.rounds.saturating_add(1);
        self.stalled_rounds = if grew || ack.app_limited { 0 } else { self.stalled_rounds.saturating_add(1) };
        self.start_round(RoundStart { at: ack.now, sent_at: ack.newest_sent_at, acknowledged: 0 });
        if !self.meter.is_measured() {
            self.meter.end_cycle(self.segment.into());
        }
        if excess {
            self.reduce_ceiling(round_min);
        }
        self.is_shallow &= self.long_seen & 1 == 0;
        self.long_seen <<= 1;
        self.follow_quiet(ack, excess || queued);
        self.peak = ack.in_flight;
        // Where packets overtake each other, the first round of a probe carries a part of its growth already.
        let known = if self.phase == Phase::Up && self.is_jittery() { self.bandwidth[1] } else { before };
        let round =
            super::Round { grew: sample >= known.saturating_add(known / 8), excess, queued, min_rtt: round_min };
        self.next_phase(ack, round);
    }

    /// Raises the ceiling while the queue is empty and nothing is lost, because no other flow needs the room.
    ///
    /// A shallow queue is empty for many rounds after each congestion, even though a regular flow will fill it again.
    fn follow_quiet(&mut self, ack: &Acknowledgement, is_congested: bool) {
        let may_fill_again = self.is_shallow && self.meter.base_is_small();
        let is_quiet = !is_congested && !may_fill_again && self.queue_is_empty(ack);
        self.quiet_rounds = if is_quiet { self.quiet_rounds.saturating_add(1) } else { 0 };
        if self.quiet_rounds >= QUIET_ROUNDS && !ack.app_limited {
            self.ceiling = self.ceiling.saturating_add(self.ceiling / 4);
        }
    }

    /// Whether the smoothed round-trip time shows no queue.
    fn queue_is_empty(&self, ack: &Acknowledgement) -> bool {
        let (min_rtt, gap) = (self.min_rtt().as_micros(), self.gaps[1].get().as_micros());
        let burst = if gap > min_rtt / 8 { gap } else { 0 };
        let late = burst + self.jitter.get().as_micros() * 2;
        ack.srtt.as_micros() <= min_rtt + min_rtt / 64 + late
    }

    /// Whether a limit below the bandwidth-delay product explains why a round delivered `sample` bytes per second.
    ///
    /// The queue is then empty, and what the limit admits has arrived. Such a round confirms the bandwidth. If it
    /// lowered it, each reduction of the limit would lower the bandwidth, and with it the next limit.
    fn ceiling_explains(&self, sample: u64, ack: &Acknowledgement) -> bool {
        let admitted = rate(self.ceiling, ack.srtt.saturating_add(self.gaps[1].get()));
        self.is_shallow && admitted < self.capacity() && sample >= admitted - admitted / 8 && self.queue_is_empty(ack)
    }

    fn end_gap(&mut self) {
        let [gap, mean] = self.gaps.map(|gap| gap.get().as_micros());
        let mean = match self.phase {
            // The gaps are the sender's own.
            Phase::Startup | Phase::ProbeRtt => mean,
            Phase::Restart | Phase::Drain | Phase::Up | Phase::Down | Phase::Cruise if gap > mean => (gap + mean) / 2,
            Phase::Restart | Phase::Drain | Phase::Up | Phase::Down | Phase::Cruise => mean - (mean - gap) / 4,
        };
        self.gaps = [ShortDuration::ZERO, ShortDuration::new(Duration::from_micros(mean))];
    }

    /// Whether end systems that batch take longer than the path.
    pub(super) fn is_very_short(&self) -> bool {
        self.min_rtt() < BATCHING
    }

    /// The round-trip time between end systems that batch.
    pub(super) fn batched_rtt(&self) -> Duration {
        let batching = self.min_rtt().saturating_mul(2).clamp(LEAST_BATCHING, BATCHING);
        self.min_rtt().saturating_add(batching)
    }

    /// The bytes that arrive late: in one burst with others, or in another order.
    ///
    /// At most one bandwidth-delay product, so that a pause of the path does not count as its habit.
    pub(super) fn excitation(&self) -> u64 {
        let late = self.gaps[1].get().saturating_add(self.jitter.get().saturating_mul(2));
        let late = Duration::from_micros(late.as_micros().saturating_sub(BATCHING.as_micros()));
        volume(self.capacity(), late.min(self.min_rtt().saturating_mul(2)))
    }

    /// The bytes in flight in `ProbeRtt`: half of what arrives in a round trip without a queue.
    pub(super) fn probe_window(&self) -> u64 {
        let [latest, previous] = self.bandwidth;
        let arriving = if self.long_rounds > 0 && latest > 0 { latest } else { latest.max(previous) };
        (volume(self.meter.gross(arriving), self.min_rtt()) / 2).max(self.segment() * 2)
    }

    /// Ends `ProbeRtt`: decides whether the path is longer, or whether a queue of this flow made the round trip long.
    pub(super) fn conclude_probe(&mut self, ack: &Acknowledgement, measured: Duration) {
        self.min_rtt_at = ack.now;
        self.is_raised = false;
        let was_long = self.long_rounds > 0 && self.bandwidth[0] > 0;
        // Two segments in flight are themselves a queue on a slow line.
        let two = if was_long { mul_div(self.segment() * 2, MICROS_PER_SECOND, self.bandwidth[0]) } else { 0 };
        if measured > self.queued_rtt(4).saturating_add(Duration::from_micros(two)) {
            // The path is longer. What it carries has not changed, so that more may be in flight.
            self.ceiling = mul_div(self.ceiling, measured.as_micros(), self.min_rtt().as_micros());
            self.bandwidth = [self.net(); 2];
            self.min_rtt = Some(ShortDuration::new(measured.max(MICROSECOND)));
            self.is_raised = true;
        } else if was_long {
            // The bottleneck is slower: what arrived beside the queue is all that it carries.
            self.bandwidth[1] = 0;
        } else {
            self.min_rtt = Some(ShortDuration::new(measured.max(self.min_rtt())));
        }
        self.patience = self.patience.saturating_mul(2).min(LONGEST_PATIENCE);
        self.long_rounds = 0;
    }
}
