//! The state of a connection and its path, and what an [`Observer`] is shown.

use super::event::Handled;
use super::observer::{ConnectionState, Observer, TraceEvent};
use super::state::State;
use super::{Connection, ConnectionTypes};
use crate::Duration;
use crate::arq::Arq;
use crate::timing::Timer;
use heapless::Vec;

/// What is known of the path, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathSnapshot {
    /// Where the connection stands.
    pub state: ConnectionState,
    /// The smoothed round-trip time (RFC 6298 §2); `None` before the first sample.
    pub srtt: Option<Duration>,
    /// The least round-trip time that was measured.
    pub min_rtt: Option<Duration>,
    /// The retransmission timeout, without backing off.
    pub rto: Duration,
    /// Bytes of datagrams in flight: sent, and neither acknowledged nor judged lost.
    pub in_flight: u64,
    /// Bytes of datagrams that may be in flight; `None` for stop-and-wait: one datagram.
    pub window: Option<u64>,
    /// Bytes per second that may leave; `None` where nothing limits them.
    pub pacing_rate: Option<u64>,
    /// Bytes of datagrams that were acknowledged, each counted once.
    pub delivered: u64,
    /// How often an INFO was judged lost.
    pub lost: u64,
    /// How often an INFO was sent again.
    pub retransmitted: u64,
    /// How often an INFO that had been judged lost was only late.
    pub spurious: u64,
    /// What the congestion controller is doing.
    pub phase: &'static str,
}

/// What an observer is shown the changes of.
pub(super) struct Before {
    state: ConnectionState,
    lost: u64,
    phase: &'static str,
}

/// More timers than a connection has.
const MAX_TIMERS: usize = 16;

impl<T: ConnectionTypes> Connection<T> {
    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        match &self.state {
            State::Opening(_) => ConnectionState::Opening,
            State::Established { close, .. } if close.is_open() => ConnectionState::Established,
            State::Established { .. } => ConnectionState::Closing,
            State::Ended { ended, .. } => ConnectionState::Ended(ended.reason),
        }
    }

    /// What is known of the path now: round-trip times, flight, window, losses. A [`Listener`](crate::listener::Listener) gives
    /// the connection of a peer by [`peer`](crate::listener::Listener::peer).
    #[must_use]
    pub fn path(&self) -> PathSnapshot {
        let arq = self.arq.snapshot();
        PathSnapshot {
            state: self.state(),
            srtt: self.rtt.srtt(),
            min_rtt: self.rtt.min(),
            rto: self.rtt.rto(),
            in_flight: arq.in_flight,
            window: arq.window,
            pacing_rate: arq.pacing_rate,
            delivered: arq.delivered,
            lost: arq.lost,
            retransmitted: arq.retransmitted,
            spurious: arq.spurious,
            phase: arq.phase,
        }
    }

    /// The store of what was written.
    #[must_use]
    pub fn send_store(&self) -> &T::Send {
        &self.send
    }

    /// The store of what was written, to add memory to it or to hand it a body that it [fetches](crate::store::SendStore::FETCHES).
    ///
    /// Call [`poll_transmit`](Self::poll_transmit) afterwards. Bodies that were sent must stay as they are.
    pub fn send_store_mut(&mut self) -> &mut T::Send {
        &mut self.send
    }

    /// The store of what was received.
    #[must_use]
    pub fn recv_store(&self) -> &T::Recv {
        &self.recv
    }

    /// The store of what was received, to add memory to it: an acknowledgement announces the larger window.
    ///
    /// Call [`poll_transmit`](Self::poll_transmit) afterwards. The [limit](crate::store::RecvStore::limit) must not move
    /// back.
    pub fn recv_store_mut(&mut self) -> &mut T::Recv {
        &mut self.recv
    }

    /// The observer that came with the storage.
    #[must_use]
    pub fn observer(&self) -> &T::Observer {
        &self.observer
    }

    /// The same, to be read out or switched.
    pub fn observer_mut(&mut self) -> &mut T::Observer {
        &mut self.observer
    }

    /// What to compare with after a call; `None` where nothing observes.
    #[inline]
    pub(super) fn before(&self) -> Option<Before> {
        self.observer.is_enabled().then(|| {
            let arq = self.arq.snapshot();
            Before { state: self.state(), lost: arq.lost, phase: arq.phase }
        })
    }

    /// Shows what has changed since.
    #[inline]
    pub(super) fn trace_changes(&mut self, before: Option<Before>) {
        if let Some(before) = before {
            self.show_changes(&before);
        }
    }

    #[cold]
    fn show_changes(&mut self, before: &Before) {
        let (arq, state) = (self.arq.snapshot(), self.state());
        if arq.lost != before.lost {
            self.show(&TraceEvent::Lost(arq.lost.wrapping_sub(before.lost)));
        }
        if arq.phase != before.phase {
            self.show(&TraceEvent::Phase(arq.phase));
        }
        if state != before.state {
            self.show(&TraceEvent::State(state));
        }
    }

    fn show(&mut self, event: &TraceEvent<'_>) {
        self.observer.observe(self.now, event);
    }

    /// A datagram has come and is not handled yet.
    #[inline]
    pub(super) fn trace_received(&mut self, datagram: &[u8]) {
        if self.observer.is_enabled()
            && let Ok((packet, _)) = self.negotiation.decode(datagram)
        {
            self.show(&TraceEvent::Received { packet, len: datagram.len() });
        }
    }

    /// It is handled.
    #[inline]
    pub(super) fn trace_handled(&mut self, handled: Handled) {
        if let (true, Handled::Ignored(reason)) = (self.observer.is_enabled(), handled) {
            self.show(&TraceEvent::Ignored(reason));
        }
    }

    /// `datagrams` of `size` bytes each were written; the last may be shorter.
    #[inline]
    pub(super) fn trace_sent(&mut self, datagrams: &[u8], size: usize) {
        if self.observer.is_enabled() {
            self.show_sent(datagrams, size);
        }
    }

    #[cold]
    fn show_sent(&mut self, datagrams: &[u8], size: usize) {
        let framing = self.negotiation.outgoing();
        for datagram in datagrams.chunks(size.max(1)) {
            if let Ok(packet) = framing.decode(datagram) {
                self.show(&TraceEvent::Sent { packet, len: datagram.len() });
            }
        }
    }

    /// Timers that have expired are about to be handled.
    #[inline]
    pub(super) fn trace_expired(&mut self) {
        if self.observer.is_enabled() {
            self.show_expired();
        }
    }

    #[cold]
    fn show_expired(&mut self) {
        let (now, mut expired) = (self.now, Vec::<Timer, MAX_TIMERS>::new());
        self.for_each_deadline(|timer, at| {
            if timer.is_handled() && at <= now {
                expired.push(timer).ok();
            }
        });
        for timer in expired {
            self.show(&TraceEvent::Expired(timer));
        }
    }
}
