//! The answers of one side: each datagram that arrives brings one at most.

use rdt_proto::wire::{Packet, Sack};
use rdt_proto::{Seq, connection::Peer};

/// The answers that may still leave, and the receive window that they have announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answers {
    peer: Peer,
    /// Datagrams that have arrived, and calls that may have opened the window, less the answers to them.
    due: u64,
    /// The right edge of the window in the last SACK.
    edge: Option<Seq>,
}

impl Answers {
    /// A server may owe an answer to the CONNECT that it was made from.
    pub(super) const fn new(peer: Peer) -> Self {
        Self { peer, due: 1, edge: None }
    }

    /// Records a datagram that has arrived, or a call that may have opened the window.
    pub(super) fn on_cause(&mut self) {
        self.due += 1;
    }

    /// Records a packet that was sent.
    pub(super) fn on_sent(&mut self, packet: &Packet<'_>) {
        let is_answer = match packet {
            Packet::Sack(sack) => {
                self.check_edge(sack);
                true
            }
            Packet::Ack { .. } | Packet::Echo { .. } => true,
            // A FINACK that a rostov peer did not ask for ends its wait.
            Packet::FinAck => self.peer == Peer::RdtProto,
            // A timer repeats these, or the application asks for them.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Info { .. }
            | Packet::Fin
            | Packet::Retry { .. }
            | Packet::Reset { .. }
            | Packet::Probe { .. } => false,
        };
        if is_answer {
            assert!(self.due > 0, "each datagram brings one answer at most, and {packet:?} is another");
            self.due -= 1;
        }
    }

    /// Records that nothing is due now. A SACK may be delayed.
    pub(super) fn on_drained(&mut self) {
        self.due = self.due.min(1);
    }

    /// Checks that the right edge of the window does not move back.
    fn check_edge(&mut self, sack: &Sack<'_>) {
        let new = sack.next.add(sack.window);
        let edge = self.edge.replace(new);
        assert!(edge.is_none_or(|edge| !new.precedes(edge)), "the right edge must not move back: {edge:?}, {sack:?}");
    }
}
