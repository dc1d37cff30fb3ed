//! The peers of the listener: four clients, half of them with selective repeat.

use super::Peer;
use crate::{CONFIG, Check, NODES, fill};
use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::FixedWindow;
use rdt_proto::connection::{Config, Connection, Memory, Storage, blocks_for};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::{Duration, Instant};

const WINDOW: u32 = 4;
type Bodies = [u8; CONFIG.send_bytes(WINDOW)];
type Arq = AnyArq<[Block; blocks_for(WINDOW)], FixedWindow>;

struct Client {
    connection: Connection<Storage<SendSlots<Bodies>, RecvSlots<Bodies>, Arq>>,
    sent: u32,
}

impl Client {
    fn new(now: Instant, node: u8) -> Option<Self> {
        let (send, recv) = ([0; CONFIG.send_bytes(WINDOW)], [0; CONFIG.recv_bytes(WINDOW)]);
        let storage = if node.is_multiple_of(2) {
            Storage::stop_and_wait(&CONFIG, send, recv).ok()?.map_arq(AnyArq::StopAndWait)
        } else {
            let memory = Memory { send, recv, blocks: [Block::EMPTY; blocks_for(WINDOW)] };
            Storage::selective_repeat(&CONFIG, memory, |_| FixedWindow::new(1_000))
                .ok()?
                .map_arq(AnyArq::SelectiveRepeat)
        };
        let config = Config { idle_limit: Duration::from_secs(120), ..CONFIG };
        let connection = Connection::connect(now, config, [node; 32], storage).ok()?;
        Some(Self { connection, sent: 0 })
    }

    /// Sends data, and checks the echo.
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

/// All clients, each at its own node.
pub struct Clients {
    /// Each client connects when it is polled for the first time.
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
