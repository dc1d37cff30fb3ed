//! What a listener, which knows addresses, has to know of a connection, which does not.

use super::stage::Stage;
use super::{Config, Connection, Dialect, ENTROPY_BYTES, Hello, Reason, tag_of};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, Tag};
use crate::{Duration, Instant};

/// The tag that a connection accepted with these would ask its peer to use; `None` in base mode.
pub(crate) fn accepted_tag(config: &Config, entropy: &[u8; ENTROPY_BYTES], hello: &Hello) -> Option<Tag> {
    Dialect::server(config.framing, config.mode, tag_of(entropy), hello).tag()
}

impl<S: SendStore, R: RecvStore, A: Arq> Connection<S, R, A> {
    /// The tag that the peer chose; `None` in base mode.
    pub(crate) fn peer_tag(&self) -> Option<Tag> {
        self.dialect.peer_tag()
    }

    /// How what is sent to the peer is framed.
    pub(crate) fn outgoing(&self) -> Framing {
        self.dialect.outgoing()
    }

    /// Whether the handshake was completed, whatever has happened since.
    pub(crate) fn is_confirmed(&self) -> bool {
        match &self.stage {
            Stage::Opening(_) => false,
            Stage::Established { .. } => true,
            Stage::Ended { ended, .. } => ended.was_established,
        }
    }

    /// The retransmission timeout.
    pub(crate) fn rto(&self) -> Duration {
        self.rtt.rto()
    }

    /// Whether [`poll_event`](Self::poll_event) has something to tell.
    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The peer has answered, in a datagram of `len` bytes, what the listener asked it: a sign of life like any other.
    pub(crate) fn on_answer(&mut self, now: Instant, len: usize) {
        self.advance(now);
        self.count_received(len);
        self.on_heard();
        self.settle();
    }

    /// It was not confirmed in time: others have its place. It ends, and the peer, which takes itself for connected, is told by
    /// RESET.
    pub(crate) fn lose_place(&mut self, now: Instant) {
        self.advance(now);
        if self.stage.ended().is_some() {
            return;
        }
        self.give_up(Reason::Superseded);
        if let Stage::Ended { ended, .. } = &mut self.stage {
            ended.reset = self.dialect.is_extended().then_some(0);
        }
    }
}
