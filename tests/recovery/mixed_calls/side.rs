//! One application: each turn makes a few calls at random, and checks what it reads and what its windows take.

use super::{Peer, STREAM};
use crate::pair::Application;
use rdt_proto::connection::{Config, Connection, GrowingStorage, Handled, HeapBudget, HeapWindow, SendError};
use rdt_proto::sim::Rng;
use rdt_proto::store::{PooledSlot, PooledStore, RecvStore, SendStore};
use rdt_proto::{Duration, Instant, ReplaceMemory};

/// One side. Its windows begin with `least` packets, and its budget with `bytes`.
pub(super) struct Side {
    rng: Rng,
    pub(super) config: Config,
    least: u32,
    window: HeapWindow,
    budget: HeapBudget,
    bytes: usize,
    slots: [Option<PooledSlot>; 2],
    pub(super) to_write: usize,
    written: usize,
    pub(super) read: usize,
    next_turn: Option<Instant>,
}

impl Side {
    pub(super) fn new(mut rng: Rng) -> Self {
        let mut segment = || [64 + rng.index(500), 1_200, 9_000, 62_000, 64 + rng.index(61_937)][rng.index(5)];
        let [segment, recv_segment] = [segment(), segment()].map(|bytes| u16::try_from(bytes).unwrap());
        let (idle_limit, handshake_limit) = (Duration::from_secs(3_600), Duration::MAX);
        let config = Config { segment, recv_segment, idle_limit, handshake_limit, ..Config::new() };
        let least = [1, 2, 8, 64][rng.index(4)];
        let bytes = [0, 4, 40, 400, 10_000][rng.index(5)] * usize::from(segment.max(recv_segment));
        let (window, budget) = (HeapWindow::new(least, least << rng.index(9)), HeapBudget::new(bytes));
        let ([to_write, written, read], next_turn) = ([0; 3], None);
        Self { rng, config, least, window, budget, bytes, slots: [None, None], to_write, written, read, next_turn }
    }

    pub(super) fn storage(&self) -> GrowingStorage {
        GrowingStorage::pooled(&self.config, self.least).unwrap()
    }

    fn write(&mut self, peer: &mut Peer) {
        let (segment, rest) = (peer.send_store().segment(), &STREAM[self.written..self.to_write]);
        let most = [9, segment / 2, segment, segment + 1, 3 * segment][self.rng.index(5)].min(rest.len());
        let data = &rest[..if self.rng.chance(0.5) { most } else { self.rng.index(most + 1) }];
        let written = match self.rng.index(4) {
            0 => peer.send(data),
            1 => peer.send_segment(data).map(|()| data.len()),
            2 => self.fill(peer, data),
            _ => self.swap(peer, data),
        };
        match written {
            Ok(count) => self.written += count,
            Err(SendError::Full | SendError::TooLarge { .. } | SendError::NotLent) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Writes into lent memory, and sometimes leaves it, or lets the windows change meanwhile.
    fn fill(&mut self, peer: &mut Peer, data: &[u8]) -> Result<usize, SendError> {
        let place = peer.send_slot()?;
        let len = place.len().min(data.len());
        place[..len].copy_from_slice(&data[..len]);
        match self.rng.index(9) {
            0 => return self.swap(peer, data),
            1 => return Ok(0),
            2 => drop(self.window.update(peer, &mut self.budget)),
            _ => {}
        }
        peer.commit(len).map(|()| len)
    }

    fn swap(&mut self, peer: &mut Peer, data: &[u8]) -> Result<usize, SendError> {
        let slot = self.slots[0].get_or_insert_with(|| peer.new_send_slot());
        let room = data.len().min(slot.bytes().len());
        slot.bytes_mut()[..room].copy_from_slice(&data[..room]);
        let swapped = peer.send_swap(slot, data.len()).map(|()| data.len());
        assert_eq!(slot.bytes().len(), peer.send_store().segment());
        match swapped {
            Ok(1..) => assert_eq!(peer.commit(1), Err(SendError::NotLent)),
            Ok(0) => {}
            Err(_) => assert!(slot.bytes()[..room] == data[..room], "a refused slot stays as it was"),
        }
        swapped
    }

    fn read(&mut self, peer: &mut Peer) {
        let most = self.rng.index(2 * peer.recv_store().segment());
        match self.rng.index(3) {
            0 => {
                let mut buf = vec![0; most];
                let len = peer.recv(&mut buf);
                self.take(&buf[..len]);
            }
            1 => {
                let chunk = peer.recv_chunk();
                self.take(&chunk[..chunk.len().min(most)]);
                peer.consume(most);
            }
            _ => {
                let unread = peer.recv_chunk().len();
                let mut slot = self.slots[1].take().unwrap_or_else(|| peer.new_recv_slot());
                let content = peer.recv_swap(&mut slot).unwrap_or_default();
                assert_eq!(content.len(), unread);
                self.take(&slot.bytes()[content]);
                self.slots[1] = Some(slot);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        assert!(STREAM[self.read..].starts_with(bytes), "{} bytes at {}", bytes.len(), self.read);
        self.read += bytes.len();
    }

    /// The budget pays for all that is kept, but for the first memory and the oldest body of each store.
    fn update(&mut self, peer: &mut Peer) {
        self.window.update(peer, &mut self.budget);
        assert_eq!(self.window.taken() + self.budget.left(), self.bytes);
        let pools = [peer.send_store().pool(), peer.recv_store().pool()];
        let beyond = pools.map(|pool| pool.kept().saturating_sub(self.least + 1) as usize * pool.slot_bytes());
        assert!(beyond.iter().sum::<usize>() <= self.window.taken(), "{beyond:?} of {}", self.window.taken());
        let used = peer.recv_store().used();
        assert!((pools[1].kept()..=peer.recv_store().room()).contains(&used), "{used} places");
    }
}

impl Application<GrowingStorage> for Side {
    fn handle_datagram(&mut self, now: Instant, peer: &mut Peer, datagram: &[u8]) -> Handled {
        let most = if self.rng.chance(0.5) { self.rng.index(2 * datagram.len()) } else { 0 };
        peer.handle_datagram_into(now, datagram, |bytes| {
            self.take(&bytes[..most.min(bytes.len())]);
            most
        })
    }

    fn turn(&mut self, now: Instant, peer: &mut Peer) -> bool {
        let is_open = peer.ended().is_none();
        let is_due = is_open && self.next_turn.is_none_or(|at| at <= now);
        if is_due {
            self.next_turn = Some(now + Duration::from_micros(1 + self.rng.below(20_000)));
        }
        if self.rng.chance(0.002) {
            // A wrong report: the path carries what it did.
            peer.handle_datagram_too_large(now, 513 + self.rng.index(64_000));
        }
        for _ in 0..self.rng.index(30) {
            match self.rng.index(8) {
                0..4 => self.read(peer),
                4..7 if is_open && self.written < self.to_write => self.write(peer),
                _ => self.update(peer),
            }
        }
        if self.written == self.to_write {
            peer.close();
        }
        if peer.ended().is_some() {
            self.next_turn = None;
            while !peer.recv_chunk().is_empty() {
                self.read(peer);
            }
        }
        is_due
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next_turn
    }

    fn is_done(&self, peer: Option<&Peer>) -> bool {
        peer.is_some_and(Connection::is_drained)
    }
}
