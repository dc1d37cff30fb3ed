//! The deadlines of the sender.

use crate::arq::{Rtt, Timer};
use crate::{ClockShift, Duration, Instant};

/// The granularity of the probe timer.
const SHORTEST_PROBE: Duration = Duration::from_millis(1);

/// A table of what the sender waits for, in time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Timers {
    reordering: Option<Instant>,
    tail_loss_probe: Option<Instant>,
    retransmission: Option<Instant>,
    probe: Probe,
    /// How often the retransmission timer expired since something new was acknowledged.
    backoff: u8,
}

/// The tail loss probe (RFC 8985 §7): one, and no further one before something new is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum Probe {
    /// Its timer may run.
    #[default]
    Idle,
    /// Its timer has expired: it is to be sent.
    Due,
    /// It was sent.
    Sent,
}

impl Timers {
    /// When `timer` expires, if it runs. Pacing is no timer of this table.
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
            | Timer::Linger
            | Timer::AckDelay => None,
        }
    }

    pub(super) fn has_expired(&self, timer: Timer, now: Instant) -> bool {
        self.deadline(timer).is_some_and(|at| at <= now)
    }

    /// Something has left, or something new was acknowledged. `outstanding`: numbers in flight.
    pub(super) fn arm(&mut self, now: Instant, outstanding: u32, rtt: &mut Rtt) {
        if outstanding == 0 {
            self.retransmission = None;
            self.tail_loss_probe = None;
            return;
        }
        let retransmission = match self.retransmission {
            Some(at) => at,
            None => *self.retransmission.insert(rtt.deadline(now, self.backoff, Duration::MAX)),
        };
        // RFC 8985 §7.2: PTO = 2 SRTT, and the peer's delay where nothing else in flight makes it answer at once.
        self.tail_loss_probe = match rtt.srtt() {
            Some(srtt) if self.probe != Probe::Sent => {
                let delay = if outstanding == 1 { rtt.ack_delay() } else { Duration::ZERO };
                // A round trip that a coarse clock cannot see would have the tail probed at once, with nothing late.
                let at = now + srtt.saturating_mul(2).max(SHORTEST_PROBE).saturating_add(delay);
                (at < retransmission).then_some(at)
            }
            Some(_) | None => None,
        };
    }

    /// RFC 6298 §5.3: something new was acknowledged.
    pub(super) fn restart(&mut self, now: Instant, outstanding: u32, rtt: &mut Rtt) {
        *self = Self { reordering: self.reordering, ..Self::default() };
        self.arm(now, outstanding, rtt);
    }

    /// RFC 6298 §5.5: the retransmission timer has expired. No timer runs until something is sent again.
    pub(super) fn back_off(&mut self) {
        *self = Self { backoff: self.backoff.saturating_add(1), ..Self::default() };
    }

    /// The timer of the tail loss probe has expired.
    pub(super) fn on_probe_timeout(&mut self) {
        self.tail_loss_probe = None;
        self.probe = Probe::Due;
    }

    /// Whether a tail loss probe is to be sent.
    pub(super) fn is_probe_due(&self) -> bool {
        self.probe == Probe::Due
    }

    /// Something has left: if a probe was due, this was it, and the retransmission timer starts anew (RFC 8985 §7.3).
    pub(super) fn on_sent(&mut self, now: Instant, outstanding: u32, rtt: &mut Rtt) {
        if self.probe == Probe::Due {
            self.probe = Probe::Sent;
            self.retransmission = None;
        }
        self.arm(now, outstanding, rtt);
    }

    /// Neither a probe nor a timeout waits for its answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.backoff == 0 && self.probe == Probe::Idle
    }

    /// Nothing in flight waits to be judged.
    pub(super) fn stop_reordering(&mut self) {
        self.reordering = None;
    }

    /// Something in flight is to be judged `at` then, if not something else before.
    pub(super) fn judge_at(&mut self, at: Instant) {
        self.reordering = Some(self.reordering.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn rebase(&mut self, shift: ClockShift) {
        for timer in [&mut self.reordering, &mut self.tail_loss_probe, &mut self.retransmission] {
            *timer = shift.deadline(*timer);
        }
    }
}
