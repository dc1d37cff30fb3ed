//! A controller that models the path, in the manner of BBR. The module `phase` defines its phases.

mod phase;
mod transitions;

use super::loss_meter::LossMeter;
use super::math::{mul_div, rate, volume};
use super::{Acknowledgement, Congestion, Loss};
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;
use phase::{ONE, Phase};

/// Segments in the initial window: a train long enough to measure the rate of the bottleneck.
const INITIAL_SEGMENTS: u64 = 32;
/// Segments in the minimum window.
const MINIMUM_SEGMENTS: u64 = 4;
/// The largest growth of the window in startup, as a multiple of the acknowledged bytes.
const MAX_STARTUP_GROWTH: u64 = 256;
/// The batching delay of two end systems that wake once per millisecond (BBR: `BBRQuantizationBudget`).
///
/// It is added to the round-trip time. Otherwise the window of a very short path would not last until the next wake-up.
const BATCHING: Duration = Duration::from_millis(2);
/// The least round-trip time, so that no division is by 0.
const MICROSECOND: Duration = Duration::from_micros(1);
/// The segments that a measurement of the bottleneck's rate needs.
const TRAIN_SEGMENTS: u64 = 8;

/// The state at the start of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct RoundStart {
    at: Instant,
    /// The transmission time of the newest packet acknowledged by then.
    sent_at: Instant,
    /// The bytes acknowledged by then.
    delivered: u64,
}

/// A controller that models the path by its bottleneck bandwidth and its round-trip time without queues.
///
/// The controller paces packets at the bandwidth and keeps about one bandwidth-delay product in flight. The window
/// allows two products, and 2.25 products in the phase that probes for more bandwidth.
///
/// **A single loss is not congestion.** From time to time the controller sends slower than the bandwidth, so that no
/// queue remains on the path. The loss rate in this phase is the *base loss rate* of the path, which does not depend on
/// the sending rate. The controller sends faster to compensate for a base loss rate of up to 30 %. A round means
/// congestion if it loses more than the base loss rate, a tolerance of 1 % and chance can explain. The controller then
/// reduces the bytes in flight by 40 %, which lies between `Cubic` (30 %) and `NewReno` (50 %). It keeps at least one
/// product in flight, plus the lost packets that are not yet detected. Afterwards it grows slowly enough for flows with
/// `Cubic` or `NewReno` to keep a share of the link.
///
/// **It starts fast.** The initial window is a burst of 32 segments. The spacing of their acknowledgements gives the
/// rate of the bottleneck. The window then jumps to three quarters of the bandwidth-delay product at this rate, and
/// keeps growing fast while the delivery rate grows and no queue builds. Without an estimate of the rate, the window
/// triples each round trip. Startup ends if it loses more than 30 %, because the queue is then full.
///
/// The bandwidth is the highest delivery rate of a round in the last two cycles, of about eight rounds each. A round
/// that the application limited counts only if it raises the bandwidth. After 10 s without a round-trip time near the
/// minimum, the controller drains the queue for two rounds and measures the minimum again: the path may have become
/// longer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BandwidthDelay {
    segment: NonZero<u32>,
    phase: Phase,
    /// Rounds since the phase began.
    rounds: u8,
    /// Consecutive rounds in which the delivery rate grew by less than a quarter.
    stalled_rounds: u8,
    /// Consecutive round-trip times that show a queue.
    inflated: u8,
    window: u64,
    /// The pacing rate in bytes per second.
    rate: Option<NonZero<u64>>,
    /// The highest delivery rate in this cycle and in the previous one.
    bandwidth: [u64; 2],
    /// Startup: the highest rate at which a train of packets passed the bottleneck; 0 before the first measurement.
    train_rate: u64,
    /// The round-trip time without queues; `None` before the first sample.
    min_rtt: Option<ShortDuration>,
    /// When a round-trip time near the minimum was last measured.
    min_rtt_at: Instant,
    round: RoundStart,
    /// Bytes acknowledged so far.
    delivered: u64,
    /// The time of the first acknowledgement in this round, and the bytes acknowledged by then.
    train_at: Instant,
    train_delivered: u64,
    meter: LossMeter,
    /// Whether losses that were detected in this round mean congestion.
    excess: bool,
    /// The limit of the bytes in flight. Above it, the path loses packets by congestion.
    ceiling: u64,
    /// The maximum of the bytes in flight in this round.
    peak: u64,
    /// Cycles without congestion, including this one.
    clean: u8,
    /// Whether a retransmission timeout has expired since the last acknowledgement.
    timed_out: bool,
}

impl BandwidthDelay {
    /// Starts with the initial window for datagrams of `datagram_bytes`.
    #[must_use]
    pub fn new(datagram_bytes: u32) -> Self {
        let segment = NonZero::new(datagram_bytes).unwrap_or(NonZero::<u32>::MIN);
        Self {
            segment,
            phase: Phase::Startup,
            rounds: 0,
            stalled_rounds: 0,
            inflated: 0,
            window: u64::from(segment.get()) * INITIAL_SEGMENTS,
            rate: None,
            bandwidth: [0; 2],
            train_rate: 0,
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            round: RoundStart::default(),
            delivered: 0,
            train_at: Instant::ZERO,
            train_delivered: 0,
            meter: LossMeter::default(),
            excess: false,
            ceiling: u64::MAX,
            peak: 0,
            clean: 1,
            timed_out: false,
        }
    }

    /// The sending rate that keeps the bottleneck busy: the delivery rate plus the share lost on the path.
    fn capacity(&self) -> u64 {
        self.meter.gross(self.net())
    }

    /// The delivery rate in bytes per second.
    fn net(&self) -> u64 {
        self.bandwidth[0].max(self.bandwidth[1])
    }

    fn segment(&self) -> u64 {
        self.segment.get().into()
    }

    /// The minimum round-trip time; `Duration::MAX` before the first sample.
    fn min_rtt(&self) -> Duration {
        self.min_rtt.map_or(Duration::MAX, ShortDuration::get)
    }

    /// The bandwidth-delay product in bytes.
    fn product(&self) -> u64 {
        volume(self.capacity(), self.min_rtt())
    }

    fn observe_rtt(&mut self, ack: &Acknowledgement) {
        let Some(rtt) = ack.rtt.map(|rtt| rtt.max(MICROSECOND)) else { return };
        let near = self.min_rtt().saturating_add(Duration::from_micros(self.min_rtt().as_micros() / 64));
        if rtt <= near {
            self.min_rtt_at = ack.now;
        }
        let min_rtt = self.min_rtt().min(rtt);
        self.min_rtt = Some(ShortDuration::new(min_rtt));
        let queued = min_rtt.as_micros().saturating_add(min_rtt.as_micros() / 4 + 2_000);
        self.inflated = if rtt.as_micros() > queued { self.inflated.saturating_add(1) } else { 0 };
    }

    /// Measures the rate at which the packets acknowledged in this round passed the bottleneck.
    fn observe_train(&mut self, ack: &Acknowledgement) {
        if self.round_ends(ack) || self.train_delivered == 0 {
            (self.train_at, self.train_delivered) = (ack.now, ack.delivered);
            return;
        }
        let bytes = ack.delivered.saturating_sub(self.train_delivered);
        let span = ack.now.saturating_since(self.train_at);
        if bytes >= self.segment().saturating_mul(TRAIN_SEGMENTS) && span > Duration::ZERO {
            self.train_rate = self.train_rate.max(rate(bytes, span));
        }
    }

    /// Whether `ack` is for a packet sent in this round.
    ///
    /// Within less than the minimum round-trip time it can only be for an earlier transmission of that packet.
    fn round_ends(&self, ack: &Acknowledgement) -> bool {
        ack.newest_sent_at >= self.round.at && ack.now.saturating_since(self.round.at) >= self.min_rtt()
    }

    fn end_round(&mut self, ack: &Acknowledgement) {
        let arriving = ack.now.saturating_since(self.round.at);
        let leaving = ack.newest_sent_at.saturating_since(self.round.sent_at);
        let span = arriving.max(leaving);
        let sample = rate(ack.delivered.saturating_sub(self.round.delivered), span);
        let before = self.net();
        if !ack.app_limited || sample > before {
            self.bandwidth[0] = self.bandwidth[0].max(sample);
        }
        let grew = sample >= before.saturating_add(before / 4);
        self.rounds = self.rounds.saturating_add(1);
        self.stalled_rounds = if grew || ack.app_limited { 0 } else { self.stalled_rounds.saturating_add(1) };
        self.round = RoundStart { at: ack.now, sent_at: ack.newest_sent_at, delivered: ack.delivered };
        let mut excess = self.meter.end_round(ack.now, self.segment.into()) || core::mem::take(&mut self.excess);
        excess |= self.meter.start_lost_too_much(self.segment.into());
        if !self.meter.is_measured() {
            self.meter.end_cycle(self.segment.into());
        }
        if excess {
            self.reduce_ceiling();
        }
        self.peak = ack.in_flight;
        self.next_phase(ack, sample >= before.saturating_add(before / 8), excess);
    }

    /// Reduces the limit of the bytes in flight after congestion.
    fn reduce_ceiling(&mut self) {
        let peak = self.peak.min(self.ceiling);
        // A lost packet counts as in flight until its loss is detected, at least a quarter of a round trip later than
        // an acknowledgement would arrive (RFC 8985 §6.2). A limit of one product would therefore never fill a lossy
        // path, and the next bandwidth estimate would be smaller.
        let floor = self.meter.gross(self.product());
        self.ceiling = mul_div(peak, 3, 5).max(floor);
        self.clean = 0;
    }

    fn grow(&mut self, ack: &Acknowledgement) {
        if ack.app_limited {
            return;
        }
        let hint = volume(self.meter.gross(self.train_rate), self.min_rtt());
        let growth = if self.train_rate == 0 {
            ack.bytes.saturating_mul(2)
        } else if self.window < hint / 4 * 3 {
            // Only three quarters, because the estimate may be wrong, or other flows may share the path.
            ack.bytes.saturating_mul(MAX_STARTUP_GROWTH).min(hint / 4 * 3 - self.window)
        } else if self.window < hint {
            ack.bytes.saturating_mul(4).min(hint - self.window)
        } else {
            ack.bytes / 2
        };
        self.window = self.window.saturating_add(growth);
        self.rate = NonZero::new(mul_div(rate(self.window, self.min_rtt()), 5, 4));
    }

    fn update_rate_and_window(&mut self) {
        let capacity = self.capacity();
        let Some((pace, most)) = self.phase.gains() else { return };
        // In `Down` the rate must be below the delivery rate. Otherwise an overestimated base loss rate would cause the
        // losses that confirm it.
        let is_yielding = self.phase == Phase::Down;
        let pace = if is_yielding { pace.min(mul_div(self.net(), ONE * 9 / 10, capacity)) } else { pace };
        // The rate is at least a segment per round trip. In `Up` it exceeds the capacity by four segments per round
        // trip, so that the growth of a small bandwidth can be measured.
        let least = match self.phase {
            Phase::Up => capacity.saturating_add(rate(self.segment() * 4, self.min_rtt())),
            Phase::Startup | Phase::Drain | Phase::Down | Phase::Cruise | Phase::ProbeRtt => {
                rate(self.segment(), self.min_rtt())
            }
        };
        self.rate = NonZero::new(mul_div(capacity, pace, ONE).max(least).max(1));
        let product = volume(capacity, self.min_rtt().saturating_add(BATCHING));
        let window = mul_div(product, most, ONE).saturating_add(self.segment() * 2);
        self.window = window.min(self.ceiling).max(self.segment() * MINIMUM_SEGMENTS);
    }
}

impl Congestion for BandwidthDelay {
    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64) {
        self.peak = self.peak.max(in_flight);
        if in_flight <= u64::from(bytes) {
            // A new round starts after an idle period, so that no round contains the idle time.
            self.round = RoundStart { at: now, sent_at: now, delivered: self.delivered };
        }
    }

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        self.timed_out = false;
        self.delivered = ack.delivered;
        self.observe_rtt(ack);
        if self.min_rtt.is_none() {
            return;
        }
        self.meter.acknowledged(ack.newest_sent_at, ack.bytes, self.inflated == 0);
        if self.phase == Phase::Startup {
            self.observe_train(ack);
            self.grow(ack);
            if self.inflated >= 8 {
                self.leave_startup(ack);
            }
        }
        if self.round_ends(ack) {
            self.end_round(ack);
        }
        let yielded = match self.phase {
            Phase::Drain => true,
            // `Down` lasts at least one round, to measure the base loss rate.
            Phase::Down => self.rounds >= 1,
            Phase::Startup | Phase::Up | Phase::Cruise | Phase::ProbeRtt => false,
        };
        if yielded && ack.in_flight <= self.product() {
            self.enter(Phase::Cruise, ack.now);
        }
        let queue = self.inflated >= 4 || ack.in_flight > mul_div(self.product(), 3, 2);
        if self.phase == Phase::Up && self.rounds >= 1 && queue {
            self.enter(Phase::Down, ack.now);
        }
        self.update_rate_and_window();
    }

    fn on_lost(&mut self, loss: &Loss) {
        self.excess |= self.meter.lost(loss.newest_sent_at, loss.bytes, self.segment.into());
    }

    fn on_timeout(&mut self, _: Instant) {
        self.timed_out = true;
    }

    fn window(&self) -> u64 {
        if self.timed_out { self.segment() * MINIMUM_SEGMENTS } else { self.window }
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.rate.map(NonZero::get)
    }

    fn phase(&self) -> &'static str {
        self.phase.name()
    }

    fn rebase(&mut self, shift: ClockShift) {
        for at in [&mut self.min_rtt_at, &mut self.round.at, &mut self.round.sent_at, &mut self.train_at] {
            *at = shift.apply(*at);
        }
        self.meter.rebase(shift);
    }
}
