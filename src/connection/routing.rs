//! What a listener, which knows addresses, needs of a connection, which does not.
//!
//! Each call here does what the public call of the same kind does, and returns the [`Changes`] by which the listener
//! schedules the connection.

use super::stage::Stage;
use super::{Config, Connection, Dialect, Entropy, Handled, Hello, Reason, Transmit};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, Tag};
use crate::{BufferTooSmall, Duration, Instant};
use bitflags::bitflags;

/// The tag that a connection accepted with these would ask its peer to use; `None` in base mode.
pub(crate) fn accepted_tag(config: &Config, entropy: &Entropy, hello: &Hello) -> Option<Tag> {
    Dialect::server(config.framing, config.mode, entropy.tag(), hello).tag()
}

bitflags! {
    /// What a call changed, as far as a listener acts on it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Changes: u8 {
        /// This call completed the handshake.
        const CONFIRMED = 1;
        /// The connection is established, and has not ended.
        const ESTABLISHED = 1 << 1;
        /// The connection has ended.
        const ENDED = 1 << 2;
        /// It has ended, and nothing is left to be sent.
        const DRAINED = 1 << 3;
        /// An event is pending.
        const EVENT = 1 << 4;
    }
}

/// What came of a turn to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Datagrams were written.
    Sent(Transmit),
    /// Nothing is to be sent before `due`.
    Idle { changes: Changes, due: Option<Instant> },
}

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
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

    /// As [`handle_timeout`](Self::handle_timeout). Returns when the connection has something to do again, too, which
    /// does not depend on when it sends what is due now.
    pub(crate) fn route_timeout(&mut self, now: Instant) -> (Changes, Option<Instant>) {
        self.handle_timeout(now);
        (self.changes(), self.next_timer())
    }

    /// A turn to send: calls `transmit`, which is [`poll_transmit`](Self::poll_transmit) or its batch.
    #[inline]
    pub(crate) fn route_transmit(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        transmit: &mut impl FnMut(&mut Self, Instant, &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall>,
    ) -> Result<Turn, BufferTooSmall> {
        Ok(match transmit(self, now, buf)? {
            Some(transmit) => Turn::Sent(transmit),
            None => Turn::Idle { changes: self.changes(), due: self.poll_timeout() },
        })
    }

    /// The application needs the connection no more: as [`abort`](Self::abort), after what `now` makes due.
    pub(crate) fn route_release(&mut self, now: Instant) -> Changes {
        self.handle_timeout(now);
        self.abort(0);
        self.changes()
    }

    /// The peer has answered a challenge of the listener in a datagram of `len` bytes: a sign of life like any other.
    pub(crate) fn on_path_response(&mut self, now: Instant, len: usize) {
        self.advance(now);
        self.count_received(len);
        self.on_heard();
        self.settle();
    }

    /// Another connection takes its place. It ends without a packet to its peer.
    pub(crate) fn evict(&mut self, now: Instant) {
        self.advance(now);
        if self.stage.ended().is_none() {
            self.give_up(Reason::Evicted);
        }
    }

    /// Other connections have its place, since it was confirmed too late. It ends, and RESET informs the peer, for
    /// which the handshake was complete.
    pub(crate) fn evict_with_reset(&mut self, now: Instant) {
        self.advance(now);
        if self.stage.ended().is_some() {
            return;
        }
        self.give_up(Reason::Evicted);
        if let Stage::Ended { ended, .. } = &mut self.stage {
            ended.reset = self.dialect.is_extended().then_some(0);
        }
    }

    /// The tag that the peer chose; `None` in base mode.
    pub(crate) fn peer_tag(&self) -> Option<Tag> {
        self.dialect.peer_tag()
    }

    /// How what is sent to the peer is framed.
    pub(crate) fn outgoing(&self) -> Framing {
        self.dialect.outgoing()
    }

    /// The retransmission timeout.
    pub(crate) fn rto(&self) -> Duration {
        self.rtt.rto()
    }

    #[inline]
    fn changes(&self) -> Changes {
        let mut changes = Changes::empty();
        changes.set(Changes::EVENT, !self.events.is_empty());
        match &self.stage {
            Stage::Opening(_) => {}
            Stage::Established { .. } => changes.insert(Changes::ESTABLISHED),
            Stage::Ended { .. } => {
                changes.insert(Changes::ENDED);
                changes.set(Changes::DRAINED, self.is_drained());
            }
        }
        changes
    }

    /// Whether the handshake was completed, whatever has happened since.
    fn is_confirmed(&self) -> bool {
        match &self.stage {
            Stage::Opening(_) => false,
            Stage::Established { .. } => true,
            Stage::Ended { ended, .. } => ended.was_established,
        }
    }
}
