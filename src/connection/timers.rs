//! Deadlines of a connection: retransmission, and the limits on silence.

use super::stage::Stage;
use super::{Config, Connection, Reason, close};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::time::ShortDuration;
use crate::{ClockShift, Duration, Instant};

/// Whoever lifts the idle limit must not repeat its last FIN for ever: the peer may have ended its linger and be gone. By
/// default this is the idle limit.
const LINGERS_OF_A_LAST_FIN: u64 = 30;

/// A limit of 0 would be over at the instant at which it begins, and no deadline could ever lie in the future.
const SHORTEST_LIMIT: Duration = Duration::from_millis(1);

/// When a limit that begins `now` is over; `None` if it is lifted.
pub(crate) fn after(now: Instant, limit: Duration) -> Option<Instant> {
    (limit != Duration::MAX).then(|| now + limit.max(SHORTEST_LIMIT))
}

/// The limits that hold as long as a connection lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Limits {
    pub(super) idle: Limit,
    quiet: Limit,
    keep_alive: Limit,
    linger: ShortDuration,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            idle: Limit::new(config.idle_limit),
            quiet: Limit::new(config.quiet_limit),
            keep_alive: Limit::new(config.keep_alive),
            linger: ShortDuration::new(config.least_linger()),
        }
    }

    pub(super) fn quiet(&self) -> Duration {
        self.quiet.get().max(SHORTEST_LIMIT)
    }

    pub(super) fn keep_alive(&self) -> Duration {
        self.keep_alive.get().max(SHORTEST_LIMIT)
    }
}

/// A limit in 32 bits: whole milliseconds, rounded up, of 49 days at most. What is longer is as good as lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Limit {
    millis: u32,
}

impl Limit {
    pub(super) fn new(limit: Duration) -> Self {
        Self { millis: u32::try_from(limit.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX) }
    }

    pub(super) const fn get(self) -> Duration {
        if self.millis == u32::MAX { Duration::MAX } else { Duration::from_millis(self.millis as u64) }
    }
}

/// Since when the peer has been silent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Silence {
    heard: Instant,
    /// Since when the peer owes us an answer, or since it was last heard if that is later.
    waiting: Option<Instant>,
}

impl Silence {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, waiting: None }
    }

    /// The peer has given a sign of life.
    pub(super) fn on_heard(&mut self, now: Instant) {
        self.heard = now;
        if self.waiting.is_some() {
            self.waiting = Some(now);
        }
    }

    /// Since when the peer owes us an answer.
    pub(super) const fn since(&self) -> Option<Instant> {
        self.waiting
    }

    /// Something that the peer has to answer has left.
    pub(super) fn on_asked(&mut self, now: Instant) {
        self.waiting.get_or_insert(now);
    }

    /// The peer owes us nothing.
    pub(super) fn on_answered(&mut self) {
        self.waiting = None;
    }

    /// `longest`: for how long it matters when the peer was last heard.
    pub(super) fn rebase(&mut self, shift: ClockShift, longest: Duration) {
        self.heard = shift.aged(self.heard, longest);
        self.waiting = self.waiting.map(|since| shift.apply(since));
    }
}

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Time has passed. To be called when [`poll_timeout`](Self::poll_timeout) is due; calling it earlier or more often does
    /// no harm. Afterwards [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) may have something.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        if let Stage::Ended { ended, .. } = &mut self.stage {
            ended.linger = ended.linger.filter(|&end| end > now);
            return;
        }
        if let Some(reason) = self.overdue() {
            self.give_up(reason);
            return;
        }
        let expired = match &mut self.stage {
            Stage::Established { close, probe } => {
                let probe = probe.handle_timeout(now);
                self.storage.arq.handle_timeout(now, &self.rtt) | close.handle_timeout(now) | probe
            }
            Stage::Opening(handshake) if handshake.falls_back(now) => {
                self.dialect.agree_base();
                self.confirm();
                false
            }
            Stage::Opening(handshake) => handshake.handle_timeout(now),
            Stage::Ended { .. } => false,
        };
        if expired {
            self.stats.timeouts = self.stats.timeouts.saturating_add(1);
        }
        self.settle();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, and then
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// It lies in the past while `poll_transmit` would return something, and in the future once that is drained and
    /// `handle_timeout` was called. `None` says that nothing will happen any more without a datagram or a call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.next_output().is_some() {
            return Some(self.now);
        }
        let repeat = match &self.stage {
            Stage::Ended { ended, .. } => return ended.linger,
            // The application may have written while the window is closed: `handle_timeout` starts the persist timer.
            Stage::Established { probe, .. } if self.is_stopped() && !probe.is_persisting() => return Some(self.now),
            Stage::Established { close, probe } => {
                let info = self.storage.arq.poll_timeout(self.storage.send.end());
                [info, close.poll_timeout(), probe.poll_timeout()].into_iter().flatten().min()
            }
            Stage::Opening(handshake) => handshake.poll_timeout(),
        };
        [repeat, self.ack_at(), self.silence_end()].into_iter().flatten().min()
    }

    /// When [`handle_timeout`](Self::handle_timeout), which has just been called, has something to do again: that does not
    /// depend on when what is to be sent leaves.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let repeat = match &self.stage {
            Stage::Ended { ended, .. } => return ended.linger,
            Stage::Established { close, probe } => {
                let info = self.storage.arq.next_timer();
                [info, close.poll_timeout(), probe.poll_timeout()].into_iter().flatten().min()
            }
            Stage::Opening(handshake) => handshake.poll_timeout(),
        };
        [repeat, self.silence_end()].into_iter().flatten().min()
    }

    /// When to ask whether the peer is there: while its window is closed, backing off, and after a silence where keep-alive
    /// is on and nothing else waits for an answer.
    pub(super) fn settle_probe(&mut self) {
        let (stopped, unacknowledged) = (self.is_stopped(), self.has_unacknowledged());
        let Stage::Established { close, probe } = &mut self.stage else { return };
        if !self.dialect.is_extended() {
            return;
        }
        if stopped {
            if !probe.is_persisting() {
                probe.persist(self.rtt.deadline(self.now, 0, Duration::MAX));
            }
        } else if unacknowledged || close.is_outstanding() {
            probe.stop();
        } else if !probe.is_outstanding() && !probe.is_due() {
            match after(self.silence.heard, self.limits.keep_alive.get()) {
                Some(at) => probe.keep_alive(at.max(self.now)),
                None => probe.stop(),
            }
        }
    }

    /// Whether the peer's window is all that holds back what there is to send.
    fn is_stopped(&self) -> bool {
        self.dialect.is_extended()
            && self.stage.is_established()
            && self.storage.arq.is_stopped(self.storage.send.end())
    }

    /// How long to answer a repeated FIN after the end.
    pub(super) fn linger(&self) -> Duration {
        close::linger(self.limits.linger.get(), &self.rtt)
    }

    /// The same, whatever will be measured yet.
    pub(super) fn longest_linger(&self) -> Duration {
        close::longest_linger(self.limits.linger.get(), &self.rtt)
    }

    /// When the silence of the peer has lasted too long.
    fn silence_end(&self) -> Option<Instant> {
        match self.silence.waiting {
            Some(since) if self.is_only_fin_unanswered() => {
                let longest = self.linger().saturating_mul(LINGERS_OF_A_LAST_FIN);
                after(since, self.limits.idle.get().min(longest))
            }
            Some(since) => after(since, self.limits.idle.get()),
            None if self.stage.is_established() && !self.dialect.is_extended() => {
                after(self.silence.heard, self.limits.quiet.get())
            }
            None => None,
        }
    }

    /// Everything was acknowledged both ways, and the peer has closed: if it did not stay to answer our FIN, that is a normal
    /// close.
    fn is_only_fin_unanswered(&self) -> bool {
        self.stage.close().is_some_and(|close| close.is_outstanding() && close.is_incoming_closed())
    }

    /// The limit that has passed.
    fn overdue(&self) -> Option<Reason> {
        let silent = self.silence_end().is_some_and(|end| end <= self.now);
        if let Stage::Opening(handshake) = &self.stage {
            return (silent || handshake.is_over(self.now)).then_some(Reason::HandshakeTimedOut);
        }
        silent.then(|| {
            if self.silence.waiting.is_none() {
                Reason::Quiet
            } else if self.is_only_fin_unanswered() {
                Reason::Finished
            } else {
                Reason::TimedOut
            }
        })
    }
}
