//! A controller that models the path, in the manner of BBR. The module `phase` defines its phases.
//!
//! It differs from BBR (draft-ietf-ccwg-bbr) where BBR keeps an estimate that the path no longer supports:
//!
//! | subject | BBR | here, and why |
//! |---|---|---|
//! | minimum round-trip time | expires after 10 s; the probe that measures it anew may already use an inflated value | two rounds without a shorter time start a probe. Its window derives from the *old* minimum and the latest rate, and drains every queue of this flow. What stays long is the path; what becomes short was a queue, so the bottleneck is slower |
//! | a minimum that a probe has raised | counts as any other | may be the queue of another flow, until the next probe confirms it or a time shorter by an eighth refutes it. Meanwhile the limit after congestion is the product with the least round-trip time of the round, up to half more than the minimum, and no queue counts as shallow |
//! | bandwidth | expires by cycles, which a queue stretches | the same, but a probe that finds a queue of this flow discards the older cycle at once |
//! | samples below the pacing rate | count unless the application was the limit | count only if a queue explains them. Otherwise the sender itself was slower (a coarse timer, a small window), and each sample would lower the rate of the next. While a shallow queue keeps the limit below a product and the queue is empty, a round that delivers 7/8 of what the limit admits confirms the bandwidth |
//! | aggregation | the excess over the rate in an epoch | the longest gap between acknowledgements, which needs no product for each of them. A round ends where a burst begins: part of a burst would raise the delivery rate |
//! | acknowledgements | one for two packets | seven in a round trip; one of many packets counts up to four times for a queue. Where packets overtake each other, one for two packets |
//! | late packets | none | the jitter (RFC 3550) widens the window and all thresholds of the round-trip time. Whether packets overtake each other is the jitter of the median of three samples, which a queue that drains does not raise. A packet that was repeated needlessly counts twice for the delivery rate, because the path carried it twice. Losses that turn out to be late packets take back the verdict of congestion until the round ends |
//! | very short paths | a budget of some offload bursts | end systems that batch take longer than a round trip below 2 ms. A round lasts for 2 ms at least, and the wait of a paced sender begins no round. The window lasts for 0.5 ms to 4 ms more, and startup stops at two products of the prolonged round trip |
//! | more bandwidth | a quarter for each probe | growth as in startup, once a probe has shown growth without a queue |
//! | limit of the bytes in flight after congestion | grows with each probe | also grows by a quarter for each round once the queue was empty for eight, if it was long before: then another flow has ended |
//! | first flight | the initial window of the transport | 32 segments, but at most what takes 18 s at the rate that the handshake proves. Its round-trip time is the first minimum: after a small CONNECT on a serial line, a full datagram takes eight times as long, which is a queue of its own |
//! | end of startup | rounds without growth, loss | also a run of round-trip times that show a queue, which needs no round. Where it is longer than eight times the jitter explains, each counts four times |
//! | shallow queues | the limit falls by 30 %, to less than one product | by 40 %, to 7/8 of a product, and only if losses came without a long round-trip time on a path without random loss. It grows slowly afterwards: an empty queue is then no evidence that another flow has ended |

mod estimates;
mod phase;
mod transitions;

use super::loss_meter::LossMeter;
use super::math::{mul_div, rate, volume};
use super::{ACKNOWLEDGEMENTS, Acknowledgement, Congestion, Loss, initial_burst};
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};
use core::num::NonZero;
use phase::{ONE, Phase, RECENT_ROUNDS, SHORTEST_PATIENCE};

/// Segments in the initial window: a train long enough to measure the rate of the bottleneck.
const INITIAL_SEGMENTS: u64 = 32;
/// Segments in the initial window after a handshake that does not exclude a slow path (RFC 6928 §2).
const CAUTIOUS_SEGMENTS: u64 = 10;
/// The largest segment of which an initial window holds so many, in bytes. Of larger ones it holds as many bytes.
const ORDINARY_SEGMENT: u64 = 1_500;
/// What the initial window may take at the rate that the handshake proves, in seconds.
const CAUTIOUS_SECONDS: u64 = 18;
/// The bytes of a small CONNECT and its CONNACK.
const SMALL_HANDSHAKE: u64 = 150;
/// Segments in the minimum window.
const MINIMUM_SEGMENTS: u64 = 4;
/// The least round-trip time, so that no division is by 0.
const MICROSECOND: Duration = Duration::from_micros(1);

/// An initial window of so many segments. Of large ones it has as many bytes, and at least the minimum window.
fn initial_window(segment: u64, segments: u64) -> u64 {
    initial_burst(segment, segments, (segments * ORDINARY_SEGMENT).max(segment * MINIMUM_SEGMENTS))
}

/// The state at the start of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct RoundStart {
    at: Instant,
    /// The transmission time of the newest packet acknowledged by then.
    sent_at: Instant,
    /// The bytes acknowledged since then, without those of the current acknowledgement.
    acknowledged: u64,
}

/// What a round has shown.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Whether the delivery rate grew by an eighth.
    grew: bool,
    /// Whether losses mean congestion.
    excess: bool,
    /// Whether every round-trip time shows a queue.
    queued: bool,
    /// The shortest round-trip time.
    min_rtt: Duration,
}

/// A controller that models the path by its bottleneck bandwidth and its round-trip time without queues.
///
/// The controller paces packets at the bandwidth and keeps about one bandwidth-delay product in flight. The window
/// allows two products, and 2.25 products in the phase that probes for more bandwidth.
///
/// **A single loss is not congestion.** From time to time the controller sends slower than the bandwidth, so that no
/// queue remains on the path. The loss rate in this phase is the *base loss rate* of the path, which does not depend on
/// the sending rate. The controller sends faster to compensate for a base loss rate of up to 45 %. A round means
/// congestion if it loses more than the base loss rate, a tolerance of 1 % and chance can explain. The controller then
/// reduces the bytes in flight by 40 %, which lies between `Cubic` (30 %) and `NewReno` (50 %). It keeps at least one
/// product in flight, plus the lost packets that are not yet detected. Afterwards it grows slowly enough for flows with
/// `Cubic` or `NewReno` to keep a share of the link. Once a long queue was empty for eight rounds, it grows fast. Where
/// congestion comes without a long round-trip time, the queue is shallow. The controller then keeps 7/8 of a product at
/// least, and grows slowly even though the queue is empty, because `Cubic` fills it again only after seconds.
///
/// **It starts fast.** The initial window is a burst of 32 segments, or fewer after a slow handshake: what
/// takes 18 s at the rate that the handshake proves, and ten segments at least. Segments above 1,500 bytes are fewer, four
/// at least. The spacing of the acknowledgements gives the rate of the bottleneck. The window then jumps to three quarters
/// of the bandwidth-delay product at this rate, and keeps growing fast while the delivery rate grows and no queue builds.
/// A queue of three products stops the growth at once. Without an estimate of the rate, the window triples each round
/// trip. Startup ends if it loses more than 45 %, because the queue is then full.
///
/// **It follows the path.** The bandwidth is the highest delivery rate of a round in the last two cycles, of about
/// eight rounds each. A round in which the application or the sender was the limit counts only if it raises the
/// bandwidth. If all round-trip times of two rounds are longer than the minimum by half, or after 10 s without one near
/// the minimum, the controller drains its own queue for a round. If the round-trip time stays long, the path has become
/// longer, and this time is the new minimum. Otherwise the queue was its own: the bottleneck has become slower, and
/// only the latest delivery rates count. Each such probe doubles the number of long rounds before the next one, up to
/// 64; each cycle without a long round halves it.
///
/// If the delivery rate grows by an eighth while no queue builds, or if the window was too small for the pacing rate
/// for eight rounds, the window doubles in each round until a queue builds. Where packets arrive in bursts or overtake
/// each other, the window grows by what is late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BandwidthDelay {
    segment: NonZero<u32>,
    phase: Phase,
    /// Rounds since the phase began.
    rounds: u8,
    /// Consecutive rounds in which the delivery rate grew by less than a quarter.
    stalled_rounds: u8,
    /// Consecutive round-trip times that show a queue, with some time between them.
    inflated: u8,
    /// The time since `inflated` last changed.
    inflated_for: ShortDuration,
    /// Consecutive rounds in which the sender was slower than the pacing rate, although no queue has built.
    slow_rounds: u8,
    /// Consecutive rounds with an empty queue and without congestion.
    quiet_rounds: u8,
    /// Consecutive rounds in which every round-trip time was long.
    long_rounds: u8,
    /// The number of long rounds after which the round-trip time is measured again.
    patience: u8,
    /// Whether a round-trip time was long: one bit for each round, the current one in the lowest.
    long_seen: u8,
    /// Whether the last congestion came without a long round-trip time: the queue holds less than half a product.
    is_shallow: bool,
    /// Whether the last probe has raised the minimum round-trip time: for a longer path, or the queue of another flow.
    is_raised: bool,
    /// In `ProbeRtt`: whether the queue has drained.
    drained: bool,
    window: u64,
    /// The pacing rate in bytes per second.
    rate: Option<NonZero<u64>>,
    /// The highest delivery rate in this cycle and in the previous one.
    bandwidth: [u64; 2],
    /// Startup: the highest rate at which a train of packets passed the bottleneck, in units of 16 bytes per second; 0
    /// before the first measurement.
    train_rate: u32,
    /// The round-trip time without queues: the least sample, which a probe raises. It begins with that of the
    /// handshake. `None` before.
    min_rtt: Option<ShortDuration>,
    /// When a round-trip time near the minimum was last measured.
    min_rtt_at: Instant,
    /// The minimum round-trip time in this round.
    round_min: Option<ShortDuration>,
    /// The previous sample of the round-trip time, and the one before it; zero before there was one.
    last_rtts: [ShortDuration; 2],
    /// The mean difference of consecutive samples of the round-trip time (RFC 3550 §6.4.1).
    jitter: ShortDuration,
    /// The jitter without the effect of a queue that fills or drains: twice the mean distance to the median of three
    /// samples.
    overtaking: ShortDuration,
    /// The longest time between two acknowledgements: of this round, and a mean of the rounds that halves the distance
    /// to a longer one, and loses a quarter of the distance to a shorter one.
    gaps: [ShortDuration; 2],
    last_ack_at: Instant,
    /// Bytes sent in this round.
    sent: u32,
    /// Bytes of the acknowledgement that began the round. They arrived before it.
    first: u32,
    round: RoundStart,
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
    /// Whether the application limited the round of the latest acknowledgement. True before the first one.
    app_limited: bool,
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
            inflated_for: ShortDuration::ZERO,
            slow_rounds: 0,
            quiet_rounds: 0,
            long_rounds: 0,
            patience: SHORTEST_PATIENCE,
            long_seen: 0,
            is_shallow: false,
            is_raised: false,
            drained: false,
            window: initial_window(segment.get().into(), INITIAL_SEGMENTS),
            rate: None,
            bandwidth: [0; 2],
            train_rate: 0,
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            round_min: None,
            last_rtts: [ShortDuration::ZERO; 2],
            jitter: ShortDuration::ZERO,
            overtaking: ShortDuration::ZERO,
            gaps: [ShortDuration::ZERO; 2],
            last_ack_at: Instant::ZERO,
            sent: 0,
            first: 0,
            round: RoundStart::default(),
            meter: LossMeter::default(),
            excess: false,
            ceiling: u64::MAX,
            peak: 0,
            clean: 1,
            timed_out: false,
            app_limited: true,
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

    /// Reduces the limit of the bytes in flight after congestion in a round whose least round-trip time is `round_min`.
    fn reduce_ceiling(&mut self, round_min: Duration) {
        let peak = self.peak.min(self.ceiling);
        // A lost packet is in flight until its loss is detected, a quarter of a round trip later than it would be
        // acknowledged (RFC 8985 §6.2). One product would never fill a lossy path, and the bandwidth would fall.
        // Beside a queue that another flow keeps, a limit from the minimum would lower the rate in each cycle.
        let rtt = if self.is_raised { round_min.clamp(self.min_rtt(), self.queued_rtt(2)) } else { self.min_rtt() };
        let floor = self.meter.gross(volume(self.capacity(), rtt).saturating_add(self.excitation()));
        // With a shallow queue, one product leaves no room for another flow: both drop from a queue that is always
        // full.
        self.is_shallow = self.long_seen & RECENT_ROUNDS == 0 && !self.is_raised;
        let is_reduced = self.is_shallow && self.meter.is_lossless(self.segment.into());
        let floor = if is_reduced {
            floor - floor / 8
        } else if self.is_jittery() {
            // Late packets count as lost at first. A probe must still have room to show growth.
            floor.saturating_add(floor / 4)
        } else {
            floor
        };
        self.ceiling = mul_div(peak, 3, 5).max(floor);
        self.clean = 0;
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
            Phase::Startup | Phase::Restart | Phase::Drain | Phase::Down | Phase::Cruise | Phase::ProbeRtt => {
                rate(self.segment(), self.min_rtt())
            }
        };
        self.rate = NonZero::new(mul_div(capacity, pace, ONE).max(least).max(1));
        if self.phase == Phase::ProbeRtt {
            self.window = self.probe_window();
            return;
        }
        let product = volume(capacity, self.batched_rtt());
        let window = mul_div(product, most, ONE).saturating_add(self.segment() * 2).saturating_add(self.excitation());
        self.window = window.min(self.ceiling).max(self.segment() * MINIMUM_SEGMENTS);
    }
}

impl Congestion for BandwidthDelay {
    fn on_handshake(&mut self, now: Instant, round_trip: Duration, bytes: u32) {
        let round_trip = round_trip.max(MICROSECOND);
        let volume = u64::from(bytes).max(SMALL_HANDSHAKE) * CAUTIOUS_SECONDS;
        let most = rate(volume, round_trip).max(initial_window(self.segment(), CAUTIOUS_SEGMENTS));
        self.window = self.window.min(most);
        self.min_rtt_at = now;
        self.min_rtt = Some(ShortDuration::new(round_trip));
    }

    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64) {
        self.peak = self.peak.max(in_flight);
        self.sent = self.sent.saturating_add(bytes);
        // A paced sender waits longer than a very short round trip. If that counted as idle, no round would ever end.
        let may_have_waited = self.is_very_short() && !self.app_limited && !self.timed_out;
        if in_flight <= u64::from(bytes) && !may_have_waited {
            // A new round starts after an idle period, so that no round contains the idle time.
            self.start_round(RoundStart { at: now, sent_at: now, acknowledged: 0 });
            self.last_ack_at = now;
        }
    }

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        (self.timed_out, self.app_limited) = (false, ack.app_limited);
        if self.min_rtt.is_none() && ack.newest_sent_at < self.round.at {
            // Its round-trip time is that of the previous path.
            return;
        }
        let starts_burst = self.observe_gap(ack);
        self.observe_rtt(ack);
        if self.min_rtt.is_none() {
            return;
        }
        self.meter.acknowledged(ack.newest_sent_at, ack.bytes, self.inflated == 0);
        if matches!(self.phase, Phase::Startup | Phase::Restart) {
            if self.phase == Phase::Startup {
                self.observe_train(ack);
            }
            self.grow(ack);
            if self.shows_queue(8) {
                self.leave_startup(ack);
            }
        }
        if self.round_ends(ack, starts_burst) {
            self.end_round(ack);
        }
        self.follow_flight(ack);
        if self.round.acknowledged == 0 {
            self.first = u32::try_from(ack.bytes).unwrap_or(u32::MAX);
        }
        self.round.acknowledged = self.round.acknowledged.saturating_add(ack.bytes);
        self.update_rate_and_window();
    }

    fn on_lost(&mut self, loss: &Loss) {
        self.excess |= self.meter.lost(loss.newest_sent_at, loss.bytes, self.segment.into());
    }

    fn on_spurious_loss(&mut self, _: Instant, bytes: u64) {
        // A verdict that no round has used yet falls with the losses that it rests on.
        self.excess &= self.meter.found(bytes, self.segment.into());
        // The path carries the needless repeat as well. Without it each cycle would lower the rate by their share.
        self.round.acknowledged = self.round.acknowledged.saturating_add(bytes);
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

    fn acknowledgements(&self) -> Option<u32> {
        // The shortest round trip and the highest rate are found in few of many samples if each differs.
        (!self.is_jittery()).then_some(ACKNOWLEDGEMENTS)
    }

    fn phase(&self) -> &'static str {
        self.phase.name()
    }

    fn start_path(&mut self, now: Instant) {
        *self = Self::new(self.segment.get());
        self.start_round(RoundStart { at: now, sent_at: now, acknowledged: 0 });
        self.last_ack_at = now;
    }

    fn rebase(&mut self, shift: ClockShift) {
        for at in [&mut self.round.at, &mut self.round.sent_at, &mut self.min_rtt_at, &mut self.last_ack_at] {
            *at = shift.apply(*at);
        }
        self.meter.rebase(shift);
    }
}
