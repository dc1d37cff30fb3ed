//! A server that accepts each client at once, reads its data, and closes once the client has closed.

use super::{VICTIM, storage};
use harness::byte_account::AccountedListener;
use rdt_proto::Instant;
use rdt_proto::connection::Event;
use rdt_proto::listener::{Dispatch, HeapPeers, ListenerConfig, ListenerStats};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};

/// The number of slots of a receive store.
const PACKETS: u32 = 1_024;

/// The server, and what its listener did with forged datagrams.
pub(crate) struct Server {
    listener: AccountedListener<HeapPeers<SimAddress>>,
    rng: Rng,
    /// The number of forged datagrams that entered the backlog.
    pub(crate) queued: u64,
    /// The number of forged datagrams that were answered with RETRY.
    pub(crate) retried: u64,
    /// The number of forged datagrams that were dropped.
    pub(crate) dropped: u64,
    /// The largest number of connections, and the largest number of clients in the backlog.
    pub(crate) most: (usize, usize),
    /// The number of bytes read from all clients.
    pub(crate) received: u64,
}

impl Server {
    pub(crate) fn new(config: ListenerConfig) -> Self {
        let listener = AccountedListener::new(Instant::ZERO, config, [5; 48]);
        let rng = Rng::new(55);
        Self { listener, rng, queued: 0, retried: 0, dropped: 0, most: (0, 0), received: 0 }
    }

    pub(crate) fn stats(&self) -> &ListenerStats {
        self.listener.stats()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listener.is_empty()
    }
}

impl Node for Server {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        let dispatch = self.listener.handle_datagram(now, from, datagram);
        if from.node == VICTIM {
            match dispatch {
                Dispatch::Queued => self.queued += 1,
                Dispatch::Retried => self.retried += 1,
                Dispatch::Dropped(_) => self.dropped += 1,
                Dispatch::Peer(..) => panic!("a forged datagram of {from} reached a connection"),
            }
        }
        let (peers, waiting) = self.most;
        self.most = (peers.max(self.listener.len()), waiting.max(self.listener.backlog_len()));
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
            let mut entropy = [0; 32];
            self.rng.fill(&mut entropy);
            self.listener.accept(now, incoming, entropy, || storage(1, PACKETS)).unwrap();
        }
        let mut acted = false;
        while let Some((id, event)) = self.listener.poll_event() {
            acted = true;
            let peer = self.listener.peer_mut(id).unwrap();
            while !peer.recv_chunk().is_empty() {
                let len = peer.recv_chunk().len();
                assert!(peer.recv_chunk().iter().all(|&byte| byte == 7));
                self.received += len as u64;
                peer.consume(len);
            }
            if peer.is_finished_reading() {
                peer.close();
            }
            if let Event::Closed(_) = event {
                self.listener.release(now, id);
            }
        }
        acted
    }

    fn is_done(&self) -> bool {
        true
    }
}
