//! The transitions between the phases of `BandwidthDelay`.

use super::super::math::rate;
use super::phase::Phase;
use super::{Acknowledgement, BandwidthDelay, MICROSECOND};
use crate::time::ShortDuration;
use crate::{Duration, Instant};

/// Rounds of cruise between two probes for bandwidth.
const CRUISE_ROUNDS: u8 = 6;
/// How long the minimum round-trip time is valid without a sample near it.
const MIN_RTT_SPAN: Duration = Duration::from_secs(10);

impl BandwidthDelay {
    /// Handles the end of a round. `grew` means that the delivery rate grew, `excess` that the round means congestion.
    pub(super) fn next_phase(&mut self, ack: &Acknowledgement, grew: bool, excess: bool) {
        match self.phase {
            Phase::Startup => {
                if excess {
                    // Losses that counted for the base loss rate may belong to the congestion that ends startup.
                    self.meter.discard_samples();
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
                // The first round still measures packets of the previous phase.
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

    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.rounds = 0;
        match phase {
            Phase::Drain | Phase::Down => self.meter.start_yielding(now),
            Phase::Cruise => self.meter.stop_yielding(now),
            Phase::Startup | Phase::Up | Phase::ProbeRtt => {}
        }
    }

    pub(super) fn leave_startup(&mut self, ack: &Acknowledgement) {
        // The round that filled the path has not ended, but the acknowledgements of a quarter of it give a rate.
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
            // While there is no congestion, the growth doubles every eight cycles: 1/64, 1/32, … 1/4.
            let step = self.ceiling >> 6_u8.saturating_sub(self.clean / 8).max(2);
            self.ceiling = self.ceiling.saturating_add(step.max(self.segment()));
        }
        self.clean = self.clean.saturating_add(1);
        // The bandwidth is 0 if the application limited all rounds of the cycle. The older estimate then stays.
        if self.bandwidth[0] > 0 {
            self.bandwidth = [0, self.bandwidth[0]];
        }
        self.meter.end_cycle(self.segment.into());
    }
}
