//! A server that accepts everybody at once, reads, and closes after the client. It keeps an account of what goes to
//! whom.

use super::account::Accounts;
use super::{Mechanism, Recv, Send, VICTIM, storage};
use rdt_proto::Instant;
use rdt_proto::connection::Event;
use rdt_proto::listener::{Growable, Listener, ListenerConfig, ListenerStats, Routed};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};

const PACKETS: usize = 1_024;

pub struct Server {
    listener: Listener<SimAddress, Send, Recv, Growable, Mechanism>,
    rng: Rng,
    accounts: Accounts<SimAddress>,
    /// What became of forged datagrams.
    pub queued: u64,
    pub retried: u64,
    pub ignored: u64,
    /// The most connections, and the most who waited.
    pub most: (usize, usize),
    pub received: u64,
}

impl Server {
    pub fn new(config: ListenerConfig) -> Self {
        let listener = Listener::new(Instant::ZERO, config, [5; 48]);
        let (rng, accounts) = (Rng::new(55), Accounts::new());
        Self { listener, rng, accounts, queued: 0, retried: 0, ignored: 0, most: (0, 0), received: 0 }
    }

    pub fn stats(&self) -> &ListenerStats {
        self.listener.stats()
    }

    pub fn is_empty(&self) -> bool {
        self.listener.is_empty()
    }
}

impl Node for Server {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        let routed = self.accounts.receive(&mut self.listener, now, from, datagram);
        if from.node == VICTIM {
            match routed {
                Routed::Queued => self.queued += 1,
                Routed::Retried => self.retried += 1,
                Routed::Ignored(_) => self.ignored += 1,
                Routed::Peer(..) => panic!("{from} has a connection, which nobody confirmed"),
            }
        }
        let (peers, waiting) = self.most;
        self.most = (peers.max(self.listener.len()), waiting.max(self.listener.backlog_len()));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.listener.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, sent) = self.accounts.transmit(&mut self.listener, now, buf)?;
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
