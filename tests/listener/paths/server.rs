//! The server: a listener with one connection, which reads all, or sends some bytes and closes.

use super::{CONFIG, Direction, storage};
use harness::byte_account::AccountedListener;
use rdt_proto::Instant;
use rdt_proto::connection::Event;
use rdt_proto::listener::{HeapPeers, ListenerConfig, ListenerStats, PeerId};
use rdt_proto::sim::{Node, Outgoing, SimAddress};

pub(super) struct Server {
    listener: AccountedListener<HeapPeers<SimAddress>>,
    direction: Direction,
    id: Option<PeerId>,
    unsent: u64,
}

impl Server {
    pub(super) fn new(direction: Direction, bytes: u64) -> Self {
        let config = ListenerConfig { connection: CONFIG, ..ListenerConfig::default() };
        let listener = AccountedListener::new(Instant::ZERO, config, [5; 48]);
        let unsent = if direction == Direction::Download { bytes } else { 0 };
        Self { listener, direction, id: None, unsent }
    }

    pub(super) fn stats(&self) -> &ListenerStats {
        self.listener.stats()
    }

    /// The address to which the server sends.
    pub(super) fn address(&self) -> Option<SimAddress> {
        self.listener.address(self.id?)
    }

    /// Writes as much as the connection takes.
    fn write(&mut self) -> bool {
        let Some(peer) = self.id.and_then(|id| self.listener.peer_mut(id)) else { return false };
        let before = self.unsent;
        while self.unsent > 0 {
            let len = usize::try_from(self.unsent.min(1_200)).unwrap();
            match peer.send(&[7; 1_200][..len]) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.unsent -= count as u64,
            }
        }
        if self.unsent == 0 && (self.direction == Direction::Download || peer.is_finished_reading()) {
            peer.close();
        }
        before != self.unsent
    }
}

impl Node for Server {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        self.listener.handle_datagram(now, from, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.listener.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, sent) = self.listener.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(to, sent.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.listener.poll_timeout()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        while let Some(incoming) = self.listener.poll_incoming() {
            self.listener.accept(now, incoming, [9; 32], storage).unwrap();
        }
        let mut acted = false;
        while let Some((id, event)) = self.listener.poll_event() {
            acted = true;
            if event == Event::Connected {
                self.id = Some(id);
            }
            let peer = self.listener.peer_mut(id).unwrap();
            while !peer.recv_chunk().is_empty() {
                let len = peer.recv_chunk().len();
                peer.consume(len);
            }
            if let Event::Closed(_) = event {
                self.id = None;
                self.listener.release(now, id);
            }
        }
        self.write() || acted
    }

    fn is_done(&self) -> bool {
        true
    }
}
