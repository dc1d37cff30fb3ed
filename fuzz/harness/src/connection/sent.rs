//! What one side has sent.

use super::answers::Answers;
use super::fins::Fins;
use rdt_proto::connection::Peer;
use rdt_proto::wire::{Datagram, Packet};

/// The packets that one side has sent, as far as the promises of a connection concern them.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) answers: Answers,
    pub(super) fins: Fins,
    /// The nonces of the probes.
    pub(super) nonces: Vec<u64>,
    /// The counter of the last datagram.
    pub(super) counter: u32,
}

impl Sent {
    pub(super) const fn new(peer: Peer) -> Self {
        Self { answers: Answers::new(peer), fins: Fins::new(peer), nonces: Vec::new(), counter: 0 }
    }

    pub(super) fn on_sent(&mut self, datagram: &Datagram<'_>) {
        let Datagram { counter, packet } = datagram;
        self.counter = counter.unwrap_or(self.counter);
        self.answers.on_sent(packet);
        self.fins.on_sent(packet);
        if let Packet::Probe { nonce, .. } = packet {
            self.nonces.push(*nonce);
        }
    }
}
