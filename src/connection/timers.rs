//! Deadlines of a connection: retransmission, and the limits on silence.

use super::{Connection, Reason, close};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::{Duration, Instant};

/// Whoever lifts the idle limit must not repeat its last FIN for ever: the peer may have ended its linger and be gone. By
/// default this is the idle limit.
const LINGERS_OF_A_LAST_FIN: u64 = 30;

/// A limit of 0 would be over at the instant at which it begins, and no deadline could ever lie in the future.
const SHORTEST_LIMIT: Duration = Duration::from_millis(1);

/// When a limit that begins `now` is over; `None` if it is lifted.
pub(crate) fn after(now: Instant, limit: Duration) -> Option<Instant> {
    (limit != Duration::MAX).then(|| now + limit.max(SHORTEST_LIMIT))
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
}

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// Time has passed. To be called when [`poll_timeout`](Self::poll_timeout) is due; calling it earlier or more often does
    /// no harm. Afterwards [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) may have something.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        if let Some(ended) = &mut self.ended {
            ended.linger = ended.linger.filter(|&end| end > now);
            return;
        }
        if let Some(reason) = self.overdue() {
            self.close.stop();
            self.end(reason, None);
            return;
        }
        let expired = if self.handshake.is_established() {
            let probe = self.probe.handle_timeout(now);
            self.storage.arq.handle_timeout(now, &self.rtt) | self.close.handle_timeout(now) | probe
        } else {
            if self.handshake.falls_back(now) {
                self.dialect.agree_base();
                self.confirm();
            }
            self.handshake.handle_timeout(now)
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
        if let Some(ended) = self.ended {
            return ended.linger;
        }
        // The application may have written while the window is closed: `handle_timeout` starts the persist timer.
        if self.is_stopped() && !self.probe.is_persisting() {
            return Some(self.now);
        }
        let repeat = if self.handshake.is_established() {
            let info = self.storage.arq.poll_timeout(self.storage.send.end());
            [info, self.close.poll_timeout(), self.probe.poll_timeout()].into_iter().flatten().min()
        } else {
            self.handshake.poll_timeout()
        };
        [repeat, self.sack_at(), self.silence_end()].into_iter().flatten().min()
    }

    /// When to ask whether the peer is there: while its window is closed, backing off, and after a silence where keep-alive
    /// is on and nothing else waits for an answer.
    pub(super) fn settle_probe(&mut self) {
        if !self.dialect.is_extended() {
            return;
        }
        if self.is_stopped() {
            if !self.probe.is_persisting() {
                let at = self.rtt.deadline(self.now, 0, Duration::MAX);
                self.probe.persist(at);
            }
        } else if self.has_unacknowledged() || self.close.is_outstanding() {
            self.probe.stop();
        } else if !self.probe.is_outstanding() && !self.probe.is_due() {
            match after(self.silence.heard, self.config.keep_alive) {
                Some(at) => self.probe.keep_alive(at.max(self.now)),
                None => self.probe.stop(),
            }
        }
    }

    /// Whether the peer's window is all that holds back what there is to send.
    fn is_stopped(&self) -> bool {
        self.dialect.is_extended()
            && self.handshake.is_established()
            && self.storage.arq.is_stopped(self.storage.send.end())
    }

    /// When the silence of the peer has lasted too long.
    fn silence_end(&self) -> Option<Instant> {
        match self.silence.waiting {
            Some(since) if self.is_only_fin_unanswered() => {
                let longest = close::linger(&self.config, &self.rtt).saturating_mul(LINGERS_OF_A_LAST_FIN);
                after(since, self.config.idle_limit.min(longest))
            }
            Some(since) => after(since, self.config.idle_limit),
            None if self.handshake.is_established() && !self.dialect.is_extended() => {
                after(self.silence.heard, self.config.quiet_limit)
            }
            None if self.handshake.is_established() => None,
            None => None,
        }
    }

    /// Everything was acknowledged both ways, and the peer has closed: if it did not stay to answer our FIN, that is a normal
    /// close.
    fn is_only_fin_unanswered(&self) -> bool {
        self.close.is_outstanding() && self.close.is_incoming_closed()
    }

    /// The limit that has passed.
    fn overdue(&self) -> Option<Reason> {
        let silent = self.silence_end().is_some_and(|end| end <= self.now);
        if !self.handshake.is_established() {
            return (silent || self.handshake.is_over(self.now)).then_some(Reason::HandshakeTimedOut);
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
