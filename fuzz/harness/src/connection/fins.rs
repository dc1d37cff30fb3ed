//! The FINs of one side, and whether they are answered.

use rdt_proto::connection::Peer;
use rdt_proto::wire::Packet;

/// The number of FINs to a rostov peer after which FIN counts as answered.
const ROSTOV_FINS: u32 = 5;

/// Whether the FINs of one side are answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fins {
    peer: Peer,
    sent: u32,
    answered: bool,
}

impl Fins {
    pub(super) const fn new(peer: Peer) -> Self {
        Self { peer, sent: 0, answered: false }
    }

    /// Records a packet that was sent.
    pub(super) fn on_sent(&mut self, packet: &Packet<'_>) {
        self.sent += u32::from(*packet == Packet::Fin);
    }

    /// Records a packet that was accepted. With selective repeat, the FIN of a rostov peer closes both directions.
    pub(super) fn on_accepted(&mut self, packet: &Packet<'_>) {
        let closes_both = self.peer == Peer::RostovSelectiveRepeat && *packet == Packet::Fin;
        self.answered |= closes_both || self.sent > 0 && *packet == Packet::FinAck;
    }

    /// Whether the FIN of this side is answered, or counts as answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answered || self.peer != Peer::RdtProto && self.sent >= ROSTOV_FINS
    }
}
