//! What the listener talks to: four clients, half of them with selective repeat.

use super::Peer;
use crate::{Check, NODES, SEGMENT, fill};
use rdt_proto::arq::{AnyArq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{FixedWindow, Pacer};
use rdt_proto::connection::{Config, Connection, Storage};
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};
use rdt_proto::{Duration, Instant};

const SLOTS: usize = 4;
type Memory = [u8; SLOTS * slot_bytes(SEGMENT)];
type Arq = AnyArq<[Block; 1], FixedWindow>;

struct Client {
    connection: Connection<SendSlots<Memory>, RecvSlots<Memory>, Arq>,
    sent: u32,
}

impl Client {
    fn new(now: Instant, node: u8) -> Option<Self> {
        let memory = || [0; SLOTS * slot_bytes(SEGMENT)];
        let (send, recv) = (SendSlots::new(memory(), SEGMENT).ok()?, RecvSlots::new(memory(), SEGMENT).ok()?);
        let arq = if node % 2 == 0 {
            AnyArq::StopAndWait(StopAndWait::new())
        } else {
            let pacer = Pacer::new(Duration::ZERO, SEGMENT.into());
            AnyArq::SelectiveRepeat(SelectiveRepeat::new([Block::EMPTY], FixedWindow::new(1_000), pacer)?)
        };
        let config = Config { idle_limit: Duration::from_secs(120), ..Config::default() };
        let connection = Connection::connect(now, config, [node; 32], Storage { send, recv, arq });
        Some(Self { connection, sent: 0 })
    }

    /// Sends, and checks what comes back.
    fn talk(&mut self, received: &mut Check) {
        while let Ok(slot) = self.connection.send_slot() {
            let count = fill(slot, self.sent);
            if count == 0 || self.connection.commit(count).is_err() {
                break;
            }
            self.sent += count as u32;
        }
        while !self.connection.recv_chunk().is_empty() {
            received.take(self.connection.recv_chunk());
            self.connection.consume(usize::MAX);
        }
        if received.is_whole() {
            self.connection.close();
        }
    }
}

/// All of them, each at a node of its own.
pub struct Clients {
    /// Each connects when it is polled for the first time.
    clients: [Option<Client>; NODES as usize],
    received: [Check; NODES as usize],
}

impl Peer for Clients {
    const NEW: Self = Self { clients: [const { None }; NODES as usize], received: [Check::NOTHING; NODES as usize] };

    fn handle_datagram(&mut self, now: Instant, node: u8, datagram: &[u8]) {
        if let Some(Some(client)) = self.clients.get_mut(usize::from(node)) {
            client.connection.handle_datagram(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        for client in self.clients.iter_mut().flatten() {
            client.connection.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(u8, usize)> {
        for ((node, client), received) in (0..).zip(&mut self.clients).zip(&mut self.received) {
            if client.is_none() {
                *client = Client::new(now, node);
            }
            let client = client.as_mut()?;
            client.talk(received);
            if let Ok(Some(transmit)) = client.connection.poll_transmit(now, buf) {
                return Some((node, transmit.len));
            }
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.clients.iter().flatten().filter_map(|client| client.connection.poll_timeout()).min()
    }

    fn received(&self) -> &[Check] {
        &self.received
    }
}
