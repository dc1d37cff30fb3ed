//! A model of the path: its bandwidth and its round-trip time without queues. The idea is BBR's. Its phases are in
//! `phase`.

use super::loss_meter::LossMeter;
use super::math::{mul_div, rate, volume};
use super::phase::{ONE, Phase};
use super::{Acknowledgement, Congestion, Loss};
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;

/// Cruise: rounds between two probes for bandwidth.
const CRUISE_ROUNDS: u8 = 6;
/// How long a minimum of the round-trip time counts.
const MIN_RTT_SPAN: Duration = Duration::from_secs(10);
/// Segments in the initial window: a train long enough to read the rate of the bottleneck from.
const INITIAL_SEGMENTS: u64 = 32;
/// Segments in the window at least.
const MINIMUM_SEGMENTS: u64 = 4;
/// Startup: times the acknowledged bytes that the window grows by at most.
const JUMP: u64 = 256;
/// How long end systems hold things back that wake each millisecond and then do a batch at once, on both sides. On a path
/// without a delay of its own one product would stand still between two of their turns (BBR, draft-cardwell-iccrg-bbr:
/// `BBRQuantizationBudget`).
const BATCHING: Duration = Duration::from_millis(2);
/// The shortest round trip that can be computed with.
const MICROSECOND: Duration = Duration::from_micros(1);
/// Segments in a train from which the rate of the bottleneck can be read.
const TRAIN_SEGMENTS: u64 = 8;

/// The start of a round, and what was acknowledged by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct Mark {
    at: Instant,
    /// When the newest packet acknowledged by then had been sent.
    sent_at: Instant,
    delivered: u64,
}

/// A controller that models the path: the bandwidth of its bottleneck and its round-trip time without queues. It sends at
/// that bandwidth, paced, and keeps about one product of the two in flight, two at most.
///
/// **A loss as such means nothing to it.** From time to time it sends slower than it could, and what is lost then, with no
/// queue on the way, is lost whatever the speed: it sends that much more, up to 30 %. Only a round that loses more than
/// this (by 1 % and by what chance explains) is congestion: then it takes 40 % off what it lets be in flight, between `Cubic`
/// and `NewReno`, and grows back slowly, so that these have time for it too. It never goes below one product, with room for
/// what is lost and not yet found.
///
/// **It starts fast.** The initial window leaves in one burst of 32 segments. How far apart their acknowledgements come tells
/// the rate of the bottleneck; the window then jumps to three quarters of what that promises, and goes on quickly as long
/// as the path delivers and no queue builds. A path that promises nothing sees the window tripled each round trip. A start
/// that loses more than 30 % has met a full queue, not chance, and is over.
///
/// Bandwidth is bytes acknowledged over a round trip, the most of the last two cycles of about eight rounds. Bytes that
/// were acknowledged while the application was the limit count only if they raise it. Every 10 s without a round trip near
/// the minimum it lets the queue run empty for two rounds, to see whether the path has become longer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BandwidthDelay {
    segment: NonZero<u32>,
    phase: Phase,
    rounds: u8,
    stalled_rounds: u8,
    inflated: u8,
    window: u64,
    rate: Option<NonZero<u64>>,
    /// The most delivered per second, in this cycle and in the one before.
    bandwidth: [u64; 2],
    /// Startup: the rate at which a train of packets came through.
    train_rate: u64,
    /// Without queues; `None` before the first round trip.
    min_rtt: Option<ShortDuration>,
    min_rtt_at: Instant,
    round: Mark,
    /// Bytes acknowledged so far.
    delivered: u64,
    /// The start of the train, and what was acknowledged by then: the first acknowledgement of this round.
    train_at: Instant,
    train_delivered: u64,
    meter: LossMeter,
    /// In this round, losses of the one before were found to be congestion.
    excess: bool,
    /// Bytes in flight beyond which losses rise.
    ceiling: u64,
    /// The most in flight in this round.
    peak: u64,
    /// Cycles without such losses, this one included.
    clean: u8,
    timed_out: bool,
}

impl BandwidthDelay {
    /// Starts with the initial window for datagrams of so many bytes.
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
            round: Mark::default(),
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

    /// Bytes per second that must leave for the bottleneck to be busy: what arrives, and the share lost on the way.
    fn capacity(&self) -> u64 {
        self.meter.gross(self.net())
    }

    /// Bytes per second that arrive.
    fn net(&self) -> u64 {
        self.bandwidth[0].max(self.bandwidth[1])
    }

    fn segment(&self) -> u64 {
        self.segment.get().into()
    }

    /// Longer than anything before the first round trip.
    fn min_rtt(&self) -> Duration {
        self.min_rtt.map_or(Duration::MAX, ShortDuration::get)
    }

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

    /// The rate at which the packets acknowledged in this round came through, whatever the rest of the round was.
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

    /// A packet sent in this round has arrived. Not sooner than a round trip allows: what was sent again although it had
    /// arrived is acknowledged early.
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
        self.round = Mark { at: ack.now, sent_at: ack.newest_sent_at, delivered: ack.delivered };
        let mut excess = self.meter.end_round(ack.now, self.segment.into()) || core::mem::take(&mut self.excess);
        excess |= self.meter.is_overwhelmed(self.segment.into());
        if !self.meter.is_measured() {
            self.meter.end_cycle(self.segment.into());
        }
        if excess {
            self.reduce_ceiling();
        }
        self.peak = ack.in_flight;
        self.next_phase(ack, sample >= before.saturating_add(before / 8), excess);
    }

    /// More is lost than the path loses by itself.
    fn reduce_ceiling(&mut self) {
        let peak = self.peak.min(self.ceiling);
        // What is lost counts as in flight until it is found, a quarter of a round trip after its time and more where the
        // path reorders (RFC 8985 §6.2): with one product a lossy path would never be full, and the next estimate smaller.
        let floor = self.meter.gross(self.product());
        self.ceiling = mul_div(peak, 3, 5).max(floor);
        self.clean = 0;
    }

    fn next_phase(&mut self, ack: &Acknowledgement, grew: bool, excess: bool) {
        match self.phase {
            Phase::Startup => {
                if excess {
                    // What was taken for chance so far may have been the end of startup itself.
                    self.meter.doubt();
                }
                if excess || self.stalled_rounds >= 2 {
                    self.leave_startup(ack);
                }
            }
            Phase::Drain => {
                if self.rounds >= 4 {
                    self.enter(Phase::Cruise, ack.now);
                }
            }
            Phase::Up => {
                // The first round still measures what was sent before.
                if self.rounds >= 2 && !grew {
                    self.enter(Phase::Down, ack.now);
                }
            }
            Phase::Down => {
                if self.rounds >= 3 {
                    self.enter(Phase::Cruise, ack.now);
                }
            }
            Phase::Cruise => {
                if ack.now.saturating_since(self.min_rtt_at) > MIN_RTT_SPAN {
                    self.min_rtt = Some(ShortDuration::new(ack.rtt.unwrap_or(ack.srtt).max(MICROSECOND)));
                    self.enter(Phase::ProbeRtt, ack.now);
                } else if self.rounds >= CRUISE_ROUNDS {
                    self.end_cycle();
                    self.enter(Phase::Up, ack.now);
                }
            }
            Phase::ProbeRtt => {
                if self.rounds >= 2 {
                    self.min_rtt_at = ack.now;
                    self.enter(Phase::Cruise, ack.now);
                }
            }
        }
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.rounds = 0;
        match phase {
            Phase::Drain | Phase::Down => self.meter.start_yielding(now),
            Phase::Cruise => self.meter.stop_yielding(now),
            Phase::Startup | Phase::Up | Phase::ProbeRtt => {}
        }
    }

    fn leave_startup(&mut self, ack: &Acknowledgement) {
        // The round that filled the pipe has not ended, but enough of it has arrived.
        let span = ack.now.saturating_since(self.train_at);
        if span.as_micros() >= self.min_rtt().as_micros() / 4 {
            let latest = rate(ack.delivered.saturating_sub(self.train_delivered), span);
            self.bandwidth[0] = self.bandwidth[0].max(latest);
        }
        if self.bandwidth[0] == 0 {
            self.bandwidth[0] = rate(ack.delivered.min(self.window), self.min_rtt().max(ack.srtt));
        }
        self.meter.start_judging();
        self.enter(Phase::Drain, ack.now);
    }

    fn end_cycle(&mut self) {
        if self.clean > 0 {
            // Ever faster while nothing objects: 1/64, 1/32, … 1/4.
            let step = self.ceiling >> 6_u8.saturating_sub(self.clean / 8).max(2);
            self.ceiling = self.ceiling.saturating_add(step.max(self.segment()));
        }
        self.clean = self.clean.saturating_add(1);
        // A cycle in which the application was the limit tells nothing.
        if self.bandwidth[0] > 0 {
            self.bandwidth = [0, self.bandwidth[0]];
        }
        self.meter.end_cycle(self.segment.into());
    }

    fn grow(&mut self, ack: &Acknowledgement) {
        if ack.app_limited {
            return;
        }
        let hint = volume(self.meter.gross(self.train_rate), self.min_rtt());
        let growth = if self.train_rate == 0 {
            ack.bytes.saturating_mul(2)
        } else if self.window < hint / 4 * 3 {
            // Three quarters of what the train promises at once: the promise may be wrong, or the path shared.
            ack.bytes.saturating_mul(JUMP).min(hint / 4 * 3 - self.window)
        } else if self.window < hint {
            ack.bytes.saturating_mul(4).min(hint - self.window)
        } else {
            ack.bytes / 2
        };
        self.window = self.window.saturating_add(growth);
        self.rate = NonZero::new(mul_div(rate(self.window, self.min_rtt()), 5, 4));
    }

    fn steer(&mut self) {
        let capacity = self.capacity();
        let Some((pace, most)) = self.phase.gains() else { return };
        // Yielding must be slower than what arrives, or a share of loss once misjudged would confirm itself.
        let is_yielding = self.phase == Phase::Down;
        let pace = if is_yielding { pace.min(mul_div(self.net(), ONE * 9 / 10, capacity)) } else { pace };
        // A segment each round trip passes anywhere; and what is small grows by some segments, or it would not show.
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
            // From standstill: the idle time belongs to no round.
            self.round = Mark { at: now, sent_at: now, delivered: self.delivered };
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
            // A round at least, to measure what is lost.
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
        self.steer();
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
