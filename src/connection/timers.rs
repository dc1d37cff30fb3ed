//! Deadlines of a connection: retransmission, and the limits on silence.

use super::stage::Stage;
use super::{Connection, Reason, close};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::timing::expiry;
use crate::{Duration, Instant};

/// Whoever lifts the idle limit must not repeat its last FIN for ever: the peer may have ended its linger and be gone. By
/// default this is the idle limit.
const LINGERS_OF_A_LAST_FIN: u64 = 30;

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
        [repeat, self.sack_at(), self.silence_end()].into_iter().flatten().min()
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
            match self.limits.keep_alive.expiry(self.idle.heard()) {
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

    /// When the silence of the peer has lasted too long.
    fn silence_end(&self) -> Option<Instant> {
        match self.idle.waiting_since() {
            Some(since) if self.is_only_fin_unanswered() => {
                let longest = self.linger().saturating_mul(LINGERS_OF_A_LAST_FIN);
                expiry(since, self.limits.idle.get().min(longest))
            }
            Some(since) => self.limits.idle.expiry(since),
            None if self.stage.is_established() && !self.dialect.is_extended() => {
                self.limits.quiet.expiry(self.idle.heard())
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
            if self.idle.waiting_since().is_none() {
                Reason::Quiet
            } else if self.is_only_fin_unanswered() {
                Reason::Finished
            } else {
                Reason::TimedOut
            }
        })
    }
}
