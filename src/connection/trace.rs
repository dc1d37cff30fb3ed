//! What a program sees of a connection, and the events for an [`Observer`].

use super::event::Handled;
use super::observer::{Observer, TraceEvent};
use super::path_snapshot::{ConnectionState, PathSnapshot};
use super::probe::Probe;
use super::state::State;
use super::{Connection, ConnectionTypes};
use crate::arq::Arq;
use crate::timing::Timer;
use heapless::Vec;

/// The observed part of a connection before a call.
pub(super) struct Before(PathSnapshot);

/// An upper limit of the number of timers of a connection.
const MAX_TIMERS: usize = 16;

impl<T: ConnectionTypes> Connection<T> {
    /// The state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        match &self.state {
            State::Opening(_) => ConnectionState::Opening,
            State::Established { close, .. } if close.is_open() => ConnectionState::Established,
            State::Established { .. } => ConnectionState::Closing,
            State::Ended { ended, .. } => ConnectionState::Ended(ended.reason),
        }
    }

    /// The current estimates of the path: round-trip times, bytes in flight, window, losses.
    ///
    /// For a peer of a listener, [`Listener::peer`](crate::listener::Listener::peer) returns the connection.
    #[must_use]
    pub fn path(&self) -> PathSnapshot {
        let arq = self.arq.snapshot();
        PathSnapshot {
            state: self.state(),
            srtt: self.rtt.srtt(),
            min_rtt: self.rtt.min(),
            rto: self.rtt.rto(),
            segment: self.segment(),
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

    /// The send store.
    #[must_use]
    pub fn send_store(&self) -> &T::Send {
        &self.send
    }

    /// The send store, mutably: to add memory, or to supply a body.
    ///
    /// A program supplies bodies here if the store [fetches](crate::store::SendStore::FETCHES) them.
    ///
    /// Call [`poll_transmit`](Self::poll_transmit) afterwards. Bodies that were sent must not change.
    pub fn send_store_mut(&mut self) -> &mut T::Send {
        &mut self.send
    }

    /// The receive store.
    #[must_use]
    pub fn recv_store(&self) -> &T::Recv {
        &self.recv
    }

    /// The receive store, mutably: to add memory.
    ///
    /// A SACK announces the larger window: at once if the window was 0, and otherwise with the next acknowledgement.
    /// Call [`poll_transmit`](Self::poll_transmit) afterwards. The [limit](crate::store::RecvStore::limit) must not
    /// decrease.
    pub fn recv_store_mut(&mut self) -> &mut T::Recv {
        &mut self.recv
    }

    /// The observer.
    #[must_use]
    pub fn observer(&self) -> &T::Observer {
        &self.observer
    }

    /// The observer, mutably.
    pub fn observer_mut(&mut self) -> &mut T::Observer {
        &mut self.observer
    }

    /// The state to compare with after a call; `None` without an enabled observer.
    ///
    /// At opt-level z the compiler would keep the memory of the snapshot in programs without an observer: 100 to 420
    /// bytes of flash, and 120 bytes of stack.
    #[inline(always)]
    pub(super) fn before(&self) -> Option<Before> {
        if self.observer.is_enabled() { Some(Before(self.path())) } else { None }
    }

    /// Reports the changes since `before`.
    #[inline(always)]
    pub(super) fn trace_changes(&mut self, before: Option<Before>) {
        if let Some(before) = before {
            self.show_changes(&before);
        }
    }

    #[cold]
    fn show_changes(&mut self, Before(before): &Before) {
        let path = self.path();
        let (mut later, mut left) = (None, path.lost.wrapping_sub(before.lost));
        while left > 0
            && let Some(number) = self.arq.lost_before(later)
        {
            self.show(&TraceEvent::Lost(number));
            (later, left) = (Some(number), left - 1);
        }
        if path.phase != before.phase {
            self.show(&TraceEvent::Phase(path.phase));
        }
        if path.state != before.state {
            self.show(&TraceEvent::State(path.state));
        }
        if path != *before {
            self.show(&TraceEvent::Path(path));
        }
    }

    /// Reports that the peer has moved to another address.
    #[inline]
    pub(super) fn trace_moved(&mut self) {
        if self.observer.is_enabled() {
            self.show(&TraceEvent::Moved);
        }
    }

    fn show(&mut self, event: &TraceEvent<'_>) {
        self.observer.observe(self.now, event);
    }

    /// Reports the packet in a datagram that is about to be handled.
    #[inline]
    pub(super) fn trace_received(&mut self, datagram: &[u8]) {
        if self.observer.is_enabled()
            && let (framing, tagged) = self.negotiation.incoming(datagram)
            && let Ok(decoded) = framing.decode_datagram(datagram)
            && self.negotiation.has(decoded.packet.packet_type(), tagged)
        {
            self.show(&TraceEvent::Received { datagram: decoded, len: datagram.len() });
        }
    }

    /// Reports why a datagram was ignored.
    #[inline]
    pub(super) fn trace_handled(&mut self, handled: Handled) {
        if let (true, Handled::Ignored(reason)) = (self.observer.is_enabled(), handled) {
            self.show(&TraceEvent::Ignored(reason));
        }
    }

    /// Whether an observer is enabled.
    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_enabled()
    }

    /// Reports datagrams of `size` bytes each that were written; the last may be shorter.
    #[inline]
    pub(super) fn trace_sent(&mut self, datagrams: &[u8], size: usize) {
        if self.observer.is_enabled() {
            self.show_sent(datagrams, size);
        }
    }

    #[cold]
    fn show_sent(&mut self, datagrams: &[u8], size: usize) {
        let framing = self.negotiation.outgoing();
        for bytes in datagrams.chunks(size.max(1)) {
            if let Ok(datagram) = framing.decode_datagram(bytes) {
                self.show(&TraceEvent::Sent { datagram, len: bytes.len() });
            }
        }
    }

    /// Reports the timers that have expired and are about to be handled.
    #[inline]
    pub(super) fn trace_expired(&mut self) {
        if self.observer.is_enabled() {
            self.show_expired();
        }
    }

    #[cold]
    fn show_expired(&mut self) {
        let (now, mut expired) = (self.now, Vec::<Timer, MAX_TIMERS>::new());
        // A persist timer that is due but not running has not expired. `handle_timeout` is about to start it.
        let is_persisting = self.state.probe().is_some_and(Probe::is_persisting);
        self.for_each_deadline(|timer, at| {
            if timer.is_handled() && at <= now && (timer != Timer::Persist || is_persisting) {
                expired.push(timer).ok();
            }
        });
        for timer in expired {
            self.show(&TraceEvent::Expired(timer));
        }
    }
}
