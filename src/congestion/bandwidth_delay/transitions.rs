//! The transitions between the phases of `BandwidthDelay`.

use super::super::math::{mul_div, rate, volume};
use super::phase::{Phase, QUIET_ROUNDS, SHORTEST_PATIENCE, TRAIN_UNIT};
use super::{Acknowledgement, BandwidthDelay, Round, RoundStart};
use crate::{Duration, Instant};
use core::num::NonZero;

/// Rounds of cruise between two probes for bandwidth.
const CRUISE_ROUNDS: u8 = 6;
/// How long the minimum round-trip time is valid without a sample near it.
const MIN_RTT_SPAN: Duration = Duration::from_secs(10);
/// The largest growth of the window in startup, as a multiple of the acknowledged bytes.
const MAX_STARTUP_GROWTH: u64 = 1_024;

impl BandwidthDelay {
    /// Grows the window in startup, by evidence from each acknowledgement.
    pub(super) fn grow(&mut self, ack: &Acknowledgement) {
        // A queue of three products shows that more in flight only waits.
        let two = self.min_rtt().saturating_mul(2);
        if ack.app_limited || self.last_rtts[0].get() > self.queued_rtt(1).saturating_add(two) {
            return;
        }
        let hint = volume(self.meter.gross(u64::from(self.train_rate) * TRAIN_UNIT), self.min_rtt());
        let growth = if self.phase == Phase::Restart {
            ack.bytes
        } else if self.train_rate == 0 {
            ack.bytes.saturating_mul(2)
        } else if self.window < hint / 4 * 3 {
            // Only three quarters, because the estimate may be wrong, or other flows may share the path.
            ack.bytes.saturating_mul(MAX_STARTUP_GROWTH).min(hint / 4 * 3 - self.window)
        } else if self.window < hint {
            ack.bytes.saturating_mul(4).min(hint - self.window)
        } else {
            ack.bytes / 2
        };
        let most = self.largest_startup_window().saturating_sub(self.window);
        self.window = self.window.saturating_add(growth.min(most));
        self.rate = NonZero::new(mul_div(rate(self.window, self.min_rtt()), 5, 4));
    }

    /// The largest window in startup: two products on a path that is shorter than the batching delay.
    ///
    /// There a round-trip time that end systems prolong by batching looks like no queue, however many products wait.
    fn largest_startup_window(&self) -> u64 {
        if !self.is_very_short() || self.net() == 0 {
            return u64::MAX;
        }
        volume(self.capacity(), self.batched_rtt()).saturating_mul(2)
    }

    /// Handles the end of a round.
    pub(super) fn next_phase(&mut self, ack: &Acknowledgement, round: Round) {
        let is_old = ack.now.saturating_since(self.min_rtt_at) > MIN_RTT_SPAN;
        if !matches!(self.phase, Phase::Startup | Phase::Restart | Phase::ProbeRtt)
            && (self.long_rounds >= self.patience || is_old && self.phase == Phase::Cruise)
        {
            self.drained = false;
            self.enter(Phase::ProbeRtt, ack.now);
            return;
        }
        match self.phase {
            Phase::Startup | Phase::Restart => {
                if round.excess && self.phase == Phase::Startup {
                    // Losses that counted for the base loss rate may belong to the congestion that ends startup.
                    self.meter.discard_samples();
                }
                let most_stalled = if round.queued { 2 } else { 4 };
                if round.excess || self.stalled_rounds >= most_stalled {
                    self.leave_startup(ack);
                }
            }
            Phase::Drain => {
                if self.rounds >= 4 {
                    self.enter(Phase::Cruise, ack.now);
                }
            }
            Phase::Up => {
                // The first round still measures packets of the previous phase.
                if self.rounds >= 2
                    && round.grew
                    && !round.queued
                    && (self.clean > 1 || self.quiet_rounds >= QUIET_ROUNDS)
                {
                    self.restart();
                    self.enter(Phase::Restart, ack.now);
                } else if self.rounds >= 2 && !round.grew {
                    self.enter(Phase::Down, ack.now);
                }
            }
            Phase::Down => {
                if self.rounds >= 3 {
                    self.enter(Phase::Cruise, ack.now);
                }
            }
            Phase::Cruise => {
                if self.slow_rounds >= 8 && self.clean > 2 && self.meter.is_measured() {
                    // Only the window limits the sender, and it is too small.
                    self.slow_rounds = 0;
                    self.restart();
                    self.enter(Phase::Restart, ack.now);
                } else if self.rounds >= CRUISE_ROUNDS
                    && (self.long_rounds == 0 || self.patience > 2 * SHORTEST_PATIENCE)
                {
                    self.end_cycle();
                    self.enter(Phase::Up, ack.now);
                }
            }
            Phase::ProbeRtt => {
                if self.drained && self.rounds >= 1 {
                    self.conclude_probe(ack, round.min_rtt);
                    self.enter(Phase::Cruise, ack.now);
                } else if self.rounds >= 8 {
                    // The bytes in flight do not fall. Without a new count of long rounds the next probe would follow
                    // at once.
                    self.long_rounds = 0;
                    self.min_rtt_at = ack.now;
                    self.enter(Phase::Cruise, ack.now);
                }
            }
        }
    }

    /// Changes the phase when the bytes in flight have reached its goal.
    pub(super) fn follow_flight(&mut self, ack: &Acknowledgement) {
        let yielded = match self.phase {
            Phase::Drain => true,
            // `Down` lasts at least one round, to measure the base loss rate.
            Phase::Down => self.rounds >= 1,
            Phase::Startup | Phase::Restart | Phase::Up | Phase::Cruise | Phase::ProbeRtt => false,
        };
        if yielded && ack.in_flight <= self.product() {
            self.enter(Phase::Cruise, ack.now);
        }
        let limit = mul_div(self.product(), 3, 2).saturating_add(self.excitation());
        let queue = self.shows_queue(4) || !self.is_jittery() && ack.in_flight > limit;
        if self.phase == Phase::Up && self.rounds >= 1 && queue {
            self.enter(Phase::Down, ack.now);
        }
        if self.phase == Phase::ProbeRtt && !self.drained && ack.in_flight <= self.probe_window() {
            self.drained = true;
            self.rounds = 0;
            self.start_round(RoundStart { at: ack.now, sent_at: ack.newest_sent_at, acknowledged: 0 });
        }
    }

    /// Prepares to grow again: more arrives than before, and no queue builds.
    fn restart(&mut self) {
        self.stalled_rounds = 0;
        self.window = self.product();
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.rounds = 0;
        match phase {
            Phase::Drain | Phase::Down => self.meter.start_yielding(now),
            Phase::Cruise => self.meter.stop_yielding(now),
            Phase::Startup | Phase::Restart | Phase::Up | Phase::ProbeRtt => {}
        }
    }

    pub(super) fn leave_startup(&mut self, ack: &Acknowledgement) {
        // The round that filled the path has not ended, but the acknowledgements of a quarter of it give a rate. The
        // next burst is not due before the longest gap has passed. Within less than a quarter of the round-trip time
        // acknowledgements may have waited for each other: on a half-duplex line for a whole flight.
        let span = ack.now.saturating_since(self.round.at).saturating_add(self.gaps[0].get());
        if span.as_micros() >= self.min_rtt().max(ack.srtt).as_micros() / 4 {
            self.bandwidth[0] = self.bandwidth[0].max(rate(self.arrived(ack), span));
        }
        if self.net() == 0 {
            self.bandwidth[0] = rate(ack.delivered.min(self.window), self.min_rtt().max(ack.srtt));
        }
        if self.phase == Phase::Restart && self.clean > 0 {
            self.ceiling = u64::MAX;
        }
        self.meter.start_judging();
        self.enter(Phase::Drain, ack.now);
    }

    fn end_cycle(&mut self) {
        if self.clean > 0 {
            // While there is no congestion, the growth doubles every eight cycles: 1/64, 1/32, … 1/4. What a shallow
            // queue leaves of the product is taken back faster.
            let shift = if self.is_shallow && self.ceiling < self.product() { 4 } else { 6 - (self.clean / 8).min(4) };
            let step = self.ceiling >> shift;
            self.ceiling = self.ceiling.saturating_add(step.max(self.segment()));
        }
        self.clean = self.clean.saturating_add(1);
        if self.long_rounds == 0 {
            self.patience = (self.patience / 2).max(SHORTEST_PATIENCE);
        }
        // The bandwidth is 0 if the application limited all rounds of the cycle. The older estimate then stays.
        if self.bandwidth[0] > 0 {
            self.bandwidth = [0, self.bandwidth[0]];
        }
        self.meter.end_cycle(self.segment.into());
    }
}
