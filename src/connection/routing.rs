//! The interface of a connection for its listener.
//!
//! Each `route_*` method does the same as the public method that its documentation names. It also returns the
//! [`Changes`] from which the listener schedules the connection.

use super::state::State;
use super::{
    CloseReason, Config, Connection, ConnectionTypes, Entropy, Gather, Handled, HandshakeParameters, Negotiation,
};
use crate::counts::increase;
use crate::wire::{Framing, Tag};
use crate::{BufferTooSmall, Duration, Instant};
use bitflags::bitflags;

/// The tag that a connection accepted with these arguments would announce; `None` in base mode.
pub(crate) fn accepted_tag(config: &Config, entropy: &Entropy, parameters: &HandshakeParameters) -> Option<Tag> {
    Negotiation::server(config.framing, config.mode, entropy.tag(), parameters).tag()
}

bitflags! {
    /// The effects of a call that a listener acts on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Changes: u8 {
        /// This call completed the handshake.
        const CONFIRMED = 1;
        /// The connection is established and has not ended.
        const ESTABLISHED = 1 << 1;
        /// The connection has ended.
        const ENDED = 1 << 2;
        /// The connection has ended and has nothing left to send.
        const DRAINED = 1 << 3;
        /// An event is pending.
        const EVENT = 1 << 4;
    }
}

/// The result of a connection's turn to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Datagrams were written.
    Sent(Gather),
    /// Nothing is due before `due`.
    Idle { changes: Changes, due: Option<Instant> },
}

impl<T: ConnectionTypes> Connection<T> {
    /// As [`handle_datagram_into`](Self::handle_datagram_into).
    #[inline]
    pub(crate) fn route_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
        take: impl FnMut(&[u8]) -> usize,
    ) -> (Handled, Changes) {
        let was_confirmed = self.is_confirmed();
        let handled = self.handle_datagram_into(now, datagram, take);
        let mut changes = self.changes();
        changes.set(Changes::CONFIRMED, !was_confirmed && self.is_confirmed());
        (handled, changes)
    }

    /// As [`handle_timeout`](Self::handle_timeout). Also returns the next deadline that `handle_timeout` acts on.
    ///
    /// Datagrams that are due now do not affect this deadline.
    pub(crate) fn route_timeout(&mut self, now: Instant) -> (Changes, Option<Instant>) {
        self.handle_timeout(now);
        (self.changes(), self.next_timer())
    }

    /// Whether the connection [is drained](Self::is_drained) at `now`, even if no timeout has ended its linger yet.
    pub(crate) fn route_is_drained(&self, now: Instant) -> bool {
        let has_lingered = |linger: Option<Instant>| linger.is_none_or(|end| end <= now);
        self.state.ended().is_some_and(|ended| has_lingered(ended.linger)) && self.next_output().is_none()
    }

    /// Takes a turn to send. `transmit` is [`poll_transmit`](Self::poll_transmit) or another form of it.
    #[inline]
    pub(crate) fn route_transmit(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        transmit: &mut impl FnMut(&mut Self, Instant, &mut [u8]) -> Result<Option<Gather>, BufferTooSmall>,
    ) -> Result<Turn, BufferTooSmall> {
        Ok(match transmit(self, now, buf)? {
            Some(gather) => Turn::Sent(gather),
            // Nothing is due to be sent, so the timers alone give the next deadline.
            None => Turn::Idle { changes: self.changes(), due: self.earliest(false) },
        })
    }

    /// Releases the connection: as [`handle_timeout`](Self::handle_timeout) and then [`abort`](Self::abort).
    pub(crate) fn route_release(&mut self, now: Instant) -> Changes {
        self.handle_timeout(now);
        self.abort(0);
        self.changes()
    }

    /// Lets CONNACK carry the token of a stateless reset.
    pub(crate) fn set_reset_token(&mut self, token: Tag) {
        if let Some(handshake) = self.state.handshake_mut() {
            handshake.set_reset_token(token);
        }
    }

    /// Records that the peer has answered a path challenge of the listener, in a datagram of `len` bytes.
    ///
    /// The answer restarts the limits on silence, as any valid packet does.
    pub(crate) fn on_path_response(&mut self, now: Instant, len: usize) {
        self.advance(now);
        self.count_received(len);
        self.on_heard();
        self.settle();
    }

    /// As [`evict`](Self::evict), but in extended mode RESET with `code` informs the peer.
    ///
    /// This is for a connection whose quota is used up when INFO 0 confirms it. At the client the handshake is already
    /// complete.
    pub(crate) fn evict_with_reset(&mut self, now: Instant, code: u8) {
        self.advance(now);
        if self.state.ended().is_some() {
            return;
        }
        let before = self.before();
        self.reset(CloseReason::Evicted, code);
        self.trace_changes(before);
    }

    /// The tag that the peer chose; `None` in base mode.
    pub(crate) fn peer_tag(&self) -> Option<Tag> {
        self.negotiation.peer_tag()
    }

    /// The framing of datagrams to the peer.
    pub(crate) fn outgoing(&self) -> Framing {
        self.negotiation.outgoing()
    }

    /// The counter of the next datagram.
    pub(crate) const fn next_counter(&self) -> u32 {
        low_bits(self.counter)
    }

    /// Counts datagrams with counters from [`next_counter`](Self::next_counter) on. Base mode has no counter.
    pub(crate) fn count_datagrams(&mut self, count: u32) {
        if self.negotiation.is_extended() {
            increase(&mut self.counter, count.into());
        }
    }

    /// The retransmission timeout.
    pub(crate) fn rto(&self) -> Duration {
        self.rtt.rto()
    }

    #[inline]
    fn changes(&self) -> Changes {
        let mut changes = Changes::empty();
        changes.set(Changes::EVENT, self.events.is_any_pending());
        match &self.state {
            State::Opening(_) => {}
            State::Established { .. } => changes.insert(Changes::ESTABLISHED),
            State::Ended { .. } => {
                changes.insert(Changes::ENDED);
                changes.set(Changes::DRAINED, self.is_drained());
            }
        }
        changes
    }

    /// Whether the handshake was completed, even if the connection has ended since.
    fn is_confirmed(&self) -> bool {
        match &self.state {
            State::Opening(_) => false,
            State::Established { .. } => true,
            State::Ended { ended, .. } => ended.was_established,
        }
    }
}

/// The bits of a counter that travel.
#[allow(clippy::cast_possible_truncation, reason = "only the low bits travel")]
const fn low_bits(counter: u64) -> u32 {
    counter as u32
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use crate::Instant;
    use crate::connection::{CloseReason, Config, Connection, ConnectionState, Observer, Storage, TraceEvent};
    use alloc::vec::Vec;

    /// The states that a connection has entered.
    #[derive(Default)]
    struct States(Vec<ConnectionState>);

    impl Observer for States {
        fn observe(&mut self, _now: Instant, event: &TraceEvent<'_>) {
            if let TraceEvent::State(state) = event {
                self.0.push(*state);
            }
        }
    }

    /// Regression: an eviction with RESET was not reported.
    #[test]
    fn an_eviction_is_reported_to_the_observer() {
        let with_reset = |connection: &mut Connection<_>, now| connection.evict_with_reset(now, 0);
        for evict in [Connection::evict, with_reset] {
            let config = Config::default();
            let storage = Storage::on_heap(&config, 1).expect("the storage is valid").observed(States::default());
            let mut connection =
                Connection::connect(Instant::ZERO, config, [7; 32], storage).expect("the storage fits");
            evict(&mut connection, Instant::ZERO);
            evict(&mut connection, Instant::ZERO);
            assert_eq!(connection.observer().0, [ConnectionState::Ended(CloseReason::Evicted)]);
        }
    }
}
