//! Honest clients. Each connects at a given time, sends its bytes, and closes.

use super::{CONFIG, SERVER, storage};
use rdt_proto::connection::{CloseReason, Connection, HeapStorage};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use rdt_proto::{Duration, Instant};

/// The number of slots of a client's send store.
const PACKETS: u32 = 1_024;

/// All honest clients, as one node.
pub(crate) struct Clients {
    clients: Vec<Client>,
    rng: Rng,
    /// The index of the client that may send next.
    turn: usize,
}

struct Client {
    /// When the client connects.
    connects_at: Instant,
    stream: Option<Connection<HeapStorage>>,
    unsent: u64,
    /// The duration of the transfer, once it has ended.
    took: Option<Duration>,
}

impl Clients {
    /// Creates clients with `bytes` bytes each. They connect one after another at intervals of `apart`.
    pub(crate) fn new(clients: usize, apart: Duration, bytes: u64) -> Self {
        let client = |index: u64| {
            let connects_at = Instant::ZERO + apart.saturating_mul(index);
            Client { connects_at, stream: None, unsent: bytes, took: None }
        };
        Self { clients: (0..clients as u64).map(client).collect(), rng: Rng::new(77), turn: 0 }
    }

    /// The duration of each transfer, in the order in which the clients connect.
    pub(crate) fn times(&self) -> Vec<Duration> {
        self.clients.iter().map(|client| client.took.unwrap()).collect()
    }
}

impl Client {
    /// Writes as much as the connection takes, and closes it after the last byte. Returns whether a byte was written.
    fn turn(&mut self, now: Instant) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let before = self.unsent;
        while self.unsent > 0 {
            let piece = [7; 1_200];
            let len = self.unsent.min(1_200) as usize;
            match stream.send(&piece[..len]) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.unsent -= count as u64,
            }
        }
        if self.unsent == 0 {
            stream.close();
        }
        if let (None, Some(reason)) = (self.took, stream.ended()) {
            assert_eq!(reason, CloseReason::Finished);
            self.took = Some(now.saturating_since(self.connects_at));
        }
        before != self.unsent
    }
}

impl Node for Clients {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, to: SimAddress, datagram: &[u8]) {
        if let Some(stream) = &mut self.clients[to.port as usize].stream {
            stream.handle_datagram(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        for client in &mut self.clients {
            if client.stream.is_none() && client.connects_at <= now {
                let mut entropy = [0; 32];
                self.rng.fill(&mut entropy);
                let storage = storage(PACKETS, 1).unwrap();
                client.stream = Some(Connection::connect(now, CONFIG, entropy, storage).unwrap());
            }
            if let Some(stream) = &mut client.stream {
                stream.handle_timeout(now);
            }
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        for step in 0..self.clients.len() {
            let index = (self.turn + step) % self.clients.len();
            let Some(stream) = &mut self.clients[index].stream else { continue };
            if let Some(sent) = stream.poll_transmit(now, buf).unwrap() {
                self.turn = index + 1;
                let from = SimAddress::new(super::CLIENTS.0, u32::try_from(index).unwrap());
                return Some(Outgoing::new(SERVER.into(), sent.len).with_source(from));
            }
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = |client: &Client| match &client.stream {
            Some(stream) => stream.poll_timeout(),
            None => Some(client.connects_at),
        };
        self.clients.iter().filter_map(due).min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        let mut acted = false;
        for client in &mut self.clients {
            acted |= client.turn(now);
        }
        acted
    }

    fn is_done(&self) -> bool {
        self.clients.iter().all(|client| client.stream.as_ref().is_some_and(Connection::is_drained))
    }
}
