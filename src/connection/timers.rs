//! The deadlines of a connection, and what happens when they pass.

use super::idle::IdleTimer;
use super::stage::Stage;
use super::{Connection, Reason};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::timing::{Earliest, Timer, expiry};
use crate::{Duration, Instant};

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
        if self.next_output().is_some() { Some(self.now) } else { self.earliest(|_| true) }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, whatever may leave before.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.earliest(Timer::is_handled)
    }

    fn earliest(&self, counts: impl Fn(Timer) -> bool) -> Option<Instant> {
        let mut earliest = Earliest::default();
        self.for_each_deadline(|timer, at| {
            if counts(timer) {
                earliest.see(at);
            }
        });
        earliest.get()
    }

    /// Shows `visit` each timer that runs, with its deadline, in no order: everything that this connection waits for, apart
    /// from what is to be sent already. A deadline that has passed waits for [`handle_timeout`](Self::handle_timeout).
    pub fn for_each_deadline(&self, mut visit: impl FnMut(Timer, Instant)) {
        match &self.stage {
            Stage::Opening(handshake) => handshake.for_each_deadline(&mut visit),
            Stage::Established { close, probe } => {
                let end = self.storage.send.end();
                for timer in Timer::OF_ARQ {
                    if let Some(at) = self.storage.arq.deadline(timer, end) {
                        visit(timer, at);
                    }
                }
                if let Some(at) = close.fin_deadline() {
                    visit(Timer::RetransmitFin, at);
                }
                if let Some((timer, at)) = probe.deadline() {
                    visit(timer, at);
                }
                // The application may have written while the window is closed: `handle_timeout` starts the timer.
                if self.is_stopped() && !probe.is_persisting() {
                    visit(Timer::Persist, self.now);
                }
            }
            Stage::Ended { ended, .. } => {
                if let Some(at) = ended.linger {
                    visit(Timer::Linger, at);
                }
                return;
            }
        }
        if let Some(at) = self.sack_at() {
            visit(Timer::AckDelay, at);
        }
        if let Some((timer, at)) = self.silence() {
            visit(timer, at);
        }
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
        self.limits.linger(&self.rtt)
    }

    /// The limit on the peer's silence that runs, and when it passes.
    fn silence(&self) -> Option<(Timer, Instant)> {
        let is_last_fin = self.is_only_fin_unanswered();
        let (timer, start, limit) = match self.idle {
            IdleTimer::Waiting { since, .. } if is_last_fin => (Timer::Idle, since, self.limits.last_fin(&self.rtt)),
            IdleTimer::Waiting { since, .. } => (Timer::Idle, since, self.limits.idle.get()),
            IdleTimer::Answered { heard } if self.stage.is_established() && !self.dialect.is_extended() => {
                (Timer::Quiet, heard, self.limits.quiet.get())
            }
            IdleTimer::Answered { .. } => return None,
        };
        Some((timer, expiry(start, limit)?))
    }

    /// Everything was acknowledged both ways, and the peer has closed: if it did not stay to answer our FIN, that is a normal
    /// close.
    fn is_only_fin_unanswered(&self) -> bool {
        self.stage.close().is_some_and(|close| close.is_outstanding() && close.is_incoming_closed())
    }

    /// Why the connection ends now, if a limit has passed.
    fn overdue(&self) -> Option<Reason> {
        let silence = self.silence().filter(|&(_, end)| end <= self.now);
        if let Stage::Opening(handshake) = &self.stage {
            return (silence.is_some() || handshake.is_over(self.now)).then_some(Reason::HandshakeTimedOut);
        }
        let (timer, _) = silence?;
        Some(if timer == Timer::Quiet {
            Reason::Quiet
        } else if self.is_only_fin_unanswered() {
            Reason::Finished
        } else {
            Reason::TimedOut
        })
    }
}
