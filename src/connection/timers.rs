//! The deadlines of a connection, and their expiry.

use super::idle::IdleTimer;
use super::progress::Stall;
use super::state::State;
use super::{CloseReason, Connection, ConnectionTypes};
use crate::arq::Arq;
use crate::store::SendStore;
use crate::timing::{Earliest, Timer, expiry};
use crate::{Duration, Instant};

impl<T: ConnectionTypes> Connection<T> {
    /// Handles every deadline that has expired at `now`.
    ///
    /// Call it when [`poll_timeout`](Self::poll_timeout) is due. An earlier call is harmless. Afterwards call
    /// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event). Before this call, pass in all
    /// datagrams that have arrived. Otherwise, after a stall of the process, a limit may end a connection whose peer
    /// has answered.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.trace_expired();
        let before = self.before();
        self.expire();
        self.trace_changes(before);
    }

    fn expire(&mut self) {
        let now = self.now;
        if let State::Ended { ended, .. } = &mut self.state {
            ended.linger = ended.linger.filter(|&end| end > now);
            return;
        }
        if let Some(reason) = self.overdue() {
            self.give_up(reason);
            return;
        }
        if self.is_stalled() {
            let is_finished = self.is_only_fin_unanswered();
            self.reset(if is_finished { CloseReason::Finished } else { CloseReason::Stalled }, 0);
            return;
        }
        let losses = self.losses();
        let expired = match &mut self.state {
            State::Established { close, probe, progress, path, .. } => {
                let data = self.arq.handle_timeout(now, &self.rtt);
                let stall = if data { progress.on_timeout() } else { Stall::Losses };
                if stall == Stall::Over && self.negotiation.is_extended() && self.limits.idle.is_on() {
                    self.give_up(CloseReason::NoProgress);
                    return;
                }
                let shrinks = T::Send::CUTS && stall == Stall::BlackHole && path.on_black_hole();
                let fin = close.handle_timeout(now, losses);
                if fin {
                    // The peer sends its FIN once its data is acknowledged.
                    self.arq.repeat_ack();
                }
                let expired = data | fin | probe.handle_timeout(now);
                if shrinks {
                    self.fit_to_path();
                }
                expired
            }
            State::Opening(handshake) if handshake.falls_back(now) => {
                self.negotiation.agree_base();
                self.rtt.repeat_early(false);
                self.confirm();
                false
            }
            State::Opening(handshake) => handshake.handle_timeout(now),
            State::Ended { .. } => false,
        };
        if expired {
            self.stats.timeouts = self.stats.timeouts.saturating_add(1);
        }
        self.settle();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and then [`poll_transmit`](Self::poll_transmit).
    ///
    /// While `poll_transmit` would return a datagram, the instant does not lie in the future. It lies in the future
    /// after `handle_timeout` and a drained `poll_transmit`. `None` means that nothing happens without a datagram or a
    /// call of the application. Any call may change the instant.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.next_output().is_some() { Some(self.now) } else { self.earliest(false) }
    }

    /// The earliest deadline that [`handle_timeout`](Self::handle_timeout) acts on. A datagram may be due earlier.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.earliest(true)
    }

    /// The earliest deadline of all timers, or of those that `handle_timeout` handles.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn earliest(&self, handled_only: bool) -> Option<Instant> {
        let mut earliest = Earliest::default();
        self.for_each_deadline(|timer, at| {
            if !handled_only || timer.is_handled() {
                earliest.see(at);
            }
        });
        earliest.get()
    }

    /// Calls `visit` with each timer that runs and its deadline, in no particular order.
    ///
    /// The connection waits for nothing else, apart from datagrams that are already due. An expired deadline is
    /// included until [`handle_timeout`](Self::handle_timeout) handles it.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn for_each_deadline(&self, mut visit: impl FnMut(Timer, Instant)) {
        match &self.state {
            State::Opening(handshake) => handshake.for_each_deadline(&mut visit),
            State::Established { close, probe, span, .. } => {
                let end = self.sendable_end();
                for &timer in T::Arq::TIMERS {
                    if let Some(at) = self.arq.deadline(timer, end, self.readiness()) {
                        visit(timer, at);
                    }
                }
                if let Some(at) = close.fin_deadline() {
                    visit(Timer::RetransmitFin, at);
                }
                if let Some(at) = span.deadline(&self.limits.progress) {
                    visit(Timer::Progress, at);
                }
                if let Some((timer, at)) = probe.deadline() {
                    visit(timer, at);
                }
                // If the application has just written data and the window is closed, `handle_timeout` starts the
                // persist timer.
                if self.is_stopped() && !probe.is_persisting() {
                    visit(Timer::Persist, self.now);
                }
            }
            State::Ended { ended, .. } => {
                if let Some(at) = ended.linger {
                    visit(Timer::Linger, at);
                }
                return;
            }
        }
        if let Some(at) = self.ack_at() {
            visit(Timer::AckDelay, at);
        }
        if let Some((timer, at)) = self.idle_deadline() {
            visit(timer, at);
        }
    }

    /// Whether the peer has made too little progress.
    fn is_stalled(&mut self) -> bool {
        let delivered = || self.arq.delivered();
        self.state.span_mut().is_some_and(|span| span.is_stalled(self.now, delivered, &self.limits.progress))
    }

    /// Schedules or cancels the probe.
    ///
    /// The persist timer runs while the peer's closed window holds back data. The keep-alive timer runs if keep-alive
    /// is on and no answer is awaited.
    pub(super) fn settle_probe(&mut self) {
        let (stopped, unacknowledged) = (self.is_stopped(), self.has_unacknowledged());
        let State::Established { close, probe, .. } = &mut self.state else { return };
        if !self.negotiation.is_extended() {
            return;
        }
        if stopped {
            if !probe.is_persisting() {
                probe.persist(self.rtt.deadline_after(0, self.now));
            }
        } else if unacknowledged || close.is_outstanding() {
            probe.stop();
        } else if !probe.is_outstanding() && !probe.is_due() {
            let heard = self.idle.heard();
            match self.limits.keep_alive.expiry(heard) {
                Some(_) if !close.is_incoming_closed() => {
                    probe.keep_alive(heard + probe.idle_time(self.limits.keep_alive.get(), &self.rtt));
                }
                Some(at) => probe.keep_alive(at),
                None => probe.stop(),
            }
        }
    }

    /// Whether only the peer's closed window holds back data.
    fn is_stopped(&self) -> bool {
        self.negotiation.is_extended() && self.state.is_established() && self.arq.is_stopped(self.send.end())
    }

    /// The linger: how long a repeated FIN is answered after the end.
    pub(super) fn linger(&self) -> Duration {
        self.limits.linger(&self.rtt)
    }

    /// The current limit on silence, and its deadline.
    fn idle_deadline(&self) -> Option<(Timer, Instant)> {
        let is_last_fin = self.is_only_fin_unanswered();
        let (timer, start, limit) = match self.idle {
            IdleTimer::Waiting { since, .. } if is_last_fin => {
                (Timer::Idle, since, self.limits.last_fin(self.negotiation.is_extended(), &self.rtt))
            }
            IdleTimer::Waiting { since, .. } => (Timer::Idle, since, self.limits.idle.get()),
            IdleTimer::Answered { heard } if self.state.is_established() && !self.negotiation.is_extended() => {
                (Timer::Quiet, heard, self.limits.quiet.get())
            }
            IdleTimer::Answered { .. } => return None,
        };
        Some((timer, expiry(start, limit)?))
    }

    /// Whether the peer has closed and only our FIN is unanswered.
    ///
    /// All data is then acknowledged. If no answer arrives, the peer's linger has expired, and the close counts as
    /// normal.
    pub(super) fn is_only_fin_unanswered(&self) -> bool {
        self.state.close().is_some_and(|close| close.is_outstanding() && close.is_incoming_closed())
    }

    /// Why the connection ends now, if a limit has expired.
    fn overdue(&self) -> Option<CloseReason> {
        let idle_deadline = self.idle_deadline().filter(|&(_, end)| end <= self.now);
        if let State::Opening(handshake) = &self.state {
            return (idle_deadline.is_some() || handshake.is_over(self.now)).then_some(CloseReason::HandshakeTimedOut);
        }
        let (timer, _) = idle_deadline?;
        Some(if timer == Timer::Quiet {
            CloseReason::Quiet
        } else if self.is_only_fin_unanswered() {
            CloseReason::Finished
        } else {
            CloseReason::TimedOut
        })
    }
}
