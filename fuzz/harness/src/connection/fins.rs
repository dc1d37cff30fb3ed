//! The FINs of one side, and whether they are answered.

use rdt_proto::connection::Peer;
use rdt_proto::wire::Packet;

/// How often FIN is sent to a rostov peer, before it counts as answered.
const ROSTOV_FINS: u32 = 5;

/// What is known of the FINs of one side.
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

    /// This packet was sent.
    pub(super) fn on_sent(&mut self, packet: Option<Packet<'_>>) {
        self.sent += u32::from(packet == Some(Packet::Fin));
    }

    /// The connection accepted this packet. With selective repeat, the FIN of a rostov peer closes both directions.
    pub(super) fn on_accepted(&mut self, packet: &Packet<'_>) {
        let closes_both = self.peer == Peer::RostovSelectiveRepeat && *packet == Packet::Fin;
        self.answered |= closes_both || self.sent > 0 && *packet == Packet::FinAck;
    }

    /// Whether nothing is awaited for the FIN of this side.
    pub(super) fn is_answered(&self) -> bool {
        self.answered || self.peer != Peer::RdtProto && self.sent >= ROSTOV_FINS
    }
}
