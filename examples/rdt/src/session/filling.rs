//! Content on its way to the disk.
//!
//! What arrives while the disk keeps up is copied from its datagrams into one piece. What had to wait in the connection
//! was copied there, and leaves it with its memory if bodies are large, as they are within a machine.

use super::content::Taker;
use crate::settings::{AnyStorage, LEAST_SWAPPED};
use rdt_proto::connection::Connection;
use rdt_proto::store::PooledSlot;
use std::io;
use std::ops::Range;

/// Content in the order in which it arrived, and memory for more.
#[derive(Default)]
pub(super) struct Filling {
    pieces: Vec<Piece>,
    len: usize,
    /// Memory for a piece that is copied.
    bytes: Vec<u8>,
    /// Memory to be exchanged for bodies.
    slots: Vec<PooledSlot>,
}

enum Piece {
    Copied(Vec<u8>),
    Body(PooledSlot, Range<usize>),
}

impl Piece {
    fn content(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Body(slot, content) => slot.bytes().get(content.clone()).unwrap_or_default(),
        }
    }
}

impl Filling {
    /// The number of bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn copy(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(Piece::Copied(piece)) = self.pieces.last_mut() {
            piece.extend_from_slice(bytes);
            return;
        }
        let mut piece = std::mem::take(&mut self.bytes);
        piece.extend_from_slice(bytes);
        self.pieces.push(Piece::Copied(piece));
    }

    /// Takes all bytes that the connection lends, with their memory. Returns their number; `None` if they are to be copied.
    pub(super) fn swap(&mut self, connection: &mut Connection<AnyStorage>) -> Option<usize> {
        if connection.recv_chunk().len() < LEAST_SWAPPED {
            return None;
        }
        let mut slot = self.slots.pop().unwrap_or_else(|| connection.new_recv_slot());
        let content = connection.recv_swap(&mut slot)?;
        let len = content.len();
        self.len += len;
        self.pieces.push(Piece::Body(slot, content));
        Some(len)
    }

    /// The newest piece.
    pub(super) fn newest(&self) -> &[u8] {
        self.pieces.last().map(Piece::content).unwrap_or_default()
    }

    pub(super) fn write_to(&self, taker: &mut Taker) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| taker.write(piece.content()))
    }

    /// Drops the content, and keeps its memory for more: only that which the content has needed, since a transfer may
    /// stall in any state.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        (self.bytes, self.slots) = (Vec::new(), Vec::new());
        for piece in self.pieces.drain(..) {
            match piece {
                Piece::Copied(mut bytes) => {
                    bytes.clear();
                    self.bytes = bytes;
                }
                Piece::Body(slot, _) => self.slots.push(slot),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::BlockTree;
    use crate::memory_file::{BenchLimits, MemoryFile, name};
    use crate::qlog::VantagePoint;
    use crate::session::chunk::tests::connection;
    use crate::settings::{Settings, storage};
    use rdt_proto::Instant;
    use rdt_proto::connection::HandshakeParameters;
    use rdt_proto::files::Digest;
    use rdt_proto::wire::Packet;
    use std::time::Duration;

    /// A body that begins with `bytes`.
    fn slot(bytes: &[u8]) -> PooledSlot {
        let mut slot = connection("127.0.0.1:7").new_recv_slot();
        slot.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        slot
    }

    /// What was written to a taker, which counts and hashes.
    fn written(filling: &Filling) -> (u64, Digest) {
        let limits = BenchLimits { bytes: 1_000, time: Duration::from_secs(600) };
        let file = MemoryFile::open(name(1_000).unwrap().as_name().as_str(), Some(limits)).unwrap();
        let mut taker = Taker::Memory(file, BlockTree::new());
        filling.write_to(&mut taker).unwrap();
        let Taker::Memory(file, tree) = taker else { panic!("it stays what it was") };
        (1_000 - file.length(), tree.digest())
    }

    #[test]
    fn content_is_written_in_the_order_of_its_arrival() {
        let (mut filling, slot) = (Filling::default(), slot(b"..third"));
        filling.copy(b"first ");
        filling.copy(b"second ");
        filling.pieces.push(Piece::Body(slot, 2..7));
        filling.copy(b" fourth");
        assert_eq!((filling.pieces.len(), filling.newest()), (3, &b" fourth"[..]));
        let content = b"first second third fourth";
        assert_eq!(written(&filling), (25, Digest(*blake3::hash(content).as_bytes())));
    }

    /// Moves all datagrams that are due from one side to the other. The receiver reads nothing.
    fn deliver(now: Instant, from: &mut Connection<AnyStorage>, to: &mut Connection<AnyStorage>) {
        let mut buf = vec![0; 65_507];
        while let Some(transmit) = from.poll_transmit(now, &mut buf).unwrap() {
            to.handle_datagram(now, &buf[..transmit.len]);
        }
    }

    /// A client and a server within this machine, before the first data.
    fn pair() -> [Connection<AnyStorage>; 2] {
        let mut client = connection("127.0.0.1:7");
        let peer = "127.0.0.1:8".parse().unwrap();
        let settings = Settings::default().towards(peer, u16::MAX);
        let mut buf = [0; 2_048];
        let connect = client.poll_transmit(Instant::ZERO, &mut buf).unwrap().unwrap();
        let Ok(Packet::Connect(options)) = settings.config.framing.decode(&buf[..connect.len]) else {
            panic!("a client begins with CONNECT");
        };
        let parameters = HandshakeParameters::from_options(&options);
        let storage = storage(&settings, peer, VantagePoint::Server).unwrap();
        let server = Connection::accept(Instant::ZERO, settings.config, [8; 32], parameters, storage).unwrap();
        [client, server]
    }

    /// Each body leaves the connection in its order, large ones with their memory.
    #[test]
    fn content_that_waited_in_the_connection_is_complete() {
        let content: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
        let ([mut client, mut server], mut filling) = (pair(), Filling::default());
        let (mut now, mut sent, mut swapped, mut received) = (Instant::ZERO, 0, 0, Vec::<u8>::new());
        while received.len() < content.len() {
            now = now + rdt_proto::Duration::from_millis(1);
            assert!(now < Instant::ZERO + rdt_proto::Duration::from_secs(60), "{} bytes arrived", received.len());
            sent += client.send(&content[sent..]).unwrap();
            client.handle_timeout(now);
            server.handle_timeout(now);
            deliver(now, &mut client, &mut server);
            while !server.recv_chunk().is_empty() {
                swapped += usize::from(filling.swap(&mut server).is_some());
                filling.copy(server.recv_chunk());
                server.consume(usize::MAX);
            }
            deliver(now, &mut server, &mut client);
            received.extend(filling.pieces.iter().flat_map(Piece::content));
            filling.clear();
        }
        assert!(received == content);
        assert!(swapped > 10, "{swapped} bodies were large");
    }

    #[test]
    fn cleared_memory_serves_the_next_chunk() {
        let mut filling = Filling::default();
        filling.copy(&[7; 1_000]);
        filling.pieces.push(Piece::Body(slot(b"body"), 0..4));
        filling.clear();
        assert_eq!((filling.len(), filling.newest(), filling.slots.len()), (0, &b""[..], 1));
        assert!(filling.bytes.capacity() >= 1_000 && filling.bytes.is_empty());
        filling.copy(&[7; 1_000]);
        filling.clear();
        assert_eq!(filling.slots.len(), 0, "what a chunk has not needed is given back");
    }
}
