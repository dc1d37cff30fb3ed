//! The timers of the sender.

use crate::arq::{Rtt, Timer};
use crate::time::ShortDuration;
use crate::timing::backed_off;
use crate::{ClockShift, Duration, Instant};

/// The shortest probe timeout in µs: the granularity of the timer.
const MIN_PROBE_TIMEOUT: u32 = 1_000;

/// The deadlines of the sender, one for each timer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Timers {
    reordering: Option<Instant>,
    tail_loss_probe: Option<Instant>,
    retransmission: Option<Instant>,
    probe: Probe,
    /// Expirations of the retransmission timer since the last round-trip sample (RFC 6298 §5.7).
    backoff: u8,
    /// Whether the retransmission timer has expired since a number was last acknowledged.
    is_silent: bool,
}

/// The state of the tail loss probe (RFC 8985 §7). Only one probe is sent until a new acknowledgement arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum Probe {
    /// No probe is due. The timer of the probe may run.
    #[default]
    Idle,
    /// The timer has expired, and the probe is due.
    Due,
    /// The probe was sent.
    Sent,
}

impl Timers {
    /// When `timer` expires; `None` while it does not run, and for every timer that is not kept here.
    #[inline]
    pub(super) const fn deadline(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::Reordering => self.reordering,
            Timer::TailLossProbe => self.tail_loss_probe,
            Timer::Retransmission => self.retransmission,
            Timer::Pacing
            | Timer::Handshake
            | Timer::RetransmitHandshake
            | Timer::FallBack
            | Timer::Persist
            | Timer::KeepAlive
            | Timer::RetransmitFin
            | Timer::Idle
            | Timer::Quiet
            | Timer::Progress
            | Timer::Linger
            | Timer::AckDelay => None,
        }
    }

    pub(super) fn has_expired(&self, timer: Timer, now: Instant) -> bool {
        self.deadline(timer).is_some_and(|at| at <= now)
    }

    /// Starts the timers after a transmission or a new acknowledgement. `outstanding` counts the numbers in flight.
    pub(super) fn arm(&mut self, now: Instant, outstanding: u32, rtt: &mut Rtt) {
        if outstanding == 0 {
            self.retransmission = None;
            self.tail_loss_probe = None;
            return;
        }
        let retransmission = match self.retransmission {
            Some(at) => at,
            None => *self.retransmission.insert(rtt.deadline_after(self.backoff, now)),
        };
        // RFC 8985 §7.2: PTO = 2 SRTT. The peer may delay the acknowledgement of a single packet. Its delay is added.
        // While the peer is silent, the probe backs off as the timeout does: a path that became slower makes both too
        // early.
        self.tail_loss_probe = match rtt.short_srtt() {
            Some(srtt) if self.probe != Probe::Sent => {
                let delay = if outstanding == 1 { rtt.short_ack_delay() } else { ShortDuration::ZERO };
                // A coarse clock may measure a round trip of 0. Without the minimum the probe would then leave at once.
                let timeout = srtt.as_micros().saturating_mul(2).max(MIN_PROBE_TIMEOUT);
                let timeout = timeout.saturating_add(delay.as_micros());
                let doublings = if self.is_silent { self.backoff } else { 0 };
                let at = now + Duration::from_micros(backed_off(timeout, doublings).into());
                (at < retransmission).then_some(at)
            }
            Some(_) | None => None,
        };
    }

    /// Restarts the timers after a new acknowledgement (RFC 6298 §5.3).
    ///
    /// The backoff is at most `most_backoff` from now on: 0 if the acknowledgement has given a sample.
    pub(super) fn restart(&mut self, now: Instant, outstanding: u32, most_backoff: u8, rtt: &mut Rtt) {
        let backoff = self.backoff.min(most_backoff);
        *self = Self { reordering: self.reordering, backoff, ..Self::default() };
        self.arm(now, outstanding, rtt);
    }

    /// Counts the timeout of the last packets from the transmission of the oldest one (RFC 7765 §4).
    ///
    /// Behind a long queue the acknowledgement comes a whole timeout later. At least `shortest` remains: without a
    /// queue the difference is small.
    pub(super) fn count_from(&mut self, now: Instant, oldest: Instant, shortest: Duration) {
        let elapsed = now.saturating_since(oldest);
        self.retransmission = self.retransmission.map(|at| at.min((at - elapsed).max(now + shortest)));
    }

    /// Backs off after the retransmission timer has expired (RFC 6298 §5.5). No timer runs until the next transmission.
    pub(super) fn back_off(&mut self) {
        *self = Self { backoff: self.backoff.saturating_add(1), is_silent: true, ..Self::default() };
    }

    /// Makes a probe due after its timer has expired.
    pub(super) fn on_probe_timeout(&mut self) {
        self.tail_loss_probe = None;
        self.probe = Probe::Due;
    }

    /// Whether a tail loss probe is due.
    pub(super) fn is_probe_due(&self) -> bool {
        self.probe == Probe::Due
    }

    /// Records a transmission.
    ///
    /// If a probe was due, the transmission is that probe, and the retransmission timer restarts (RFC 8985 §7.3).
    pub(super) fn on_sent(&mut self, now: Instant, outstanding: u32, rtt: &mut Rtt) {
        if self.probe == Probe::Due {
            self.probe = Probe::Sent;
            self.retransmission = None;
        }
        self.arm(now, outstanding, rtt);
    }

    /// Whether the retransmission timer has expired since a number was last acknowledged.
    pub(super) const fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Whether no probe is due or sent, and no timeout has expired, since the last new acknowledgement.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_silent && self.probe == Probe::Idle
    }

    /// Stops the reordering timer.
    pub(super) fn stop_reordering(&mut self) {
        self.reordering = None;
    }

    /// Sets the reordering timer to `at`, unless it expires earlier.
    pub(super) fn judge_at(&mut self, at: Instant) {
        self.reordering = Some(self.reordering.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        for timer in [&mut self.reordering, &mut self.tail_loss_probe, &mut self.retransmission] {
            *timer = shift.deadline(*timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Jitter;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Behind a queue of 30 s, the timeout of the last packet ended 30 s late.
    #[test]
    fn rfc7765_4_a_last_timeout_counts_from_the_transmission() {
        let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
        (0..90).for_each(|_| rtt.sample(Duration::from_secs(30)));
        let mut timers = Timers::default();
        timers.restart(at(60_000), 1, 0, &mut rtt);
        let usual = timers.retransmission.unwrap();
        assert!(usual >= at(90_000), "{usual:?}");
        timers.count_from(at(60_000), at(30_500), Duration::from_secs(2));
        assert_eq!(timers.retransmission, Some((usual - Duration::from_millis(29_500)).max(at(62_000))));
        timers.count_from(at(60_000), at(0), Duration::from_secs(1));
        assert_eq!(timers.retransmission, Some(at(61_000)), "the shortest rest");
        timers.count_from(at(60_000), at(0), Duration::from_secs(90));
        assert_eq!(timers.retransmission, Some(at(61_000)), "never later than without it");
    }
}
