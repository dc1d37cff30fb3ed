//! A part of content in memory, as one call of the disk reads it.
//!
//! It lies in one piece, or in bodies for packets that the connection takes with their memory. Those are large, so only
//! connections within a machine have them.

use super::content::Content;
use crate::disk::ChunkSize;
use crate::settings::{AnyStorage, LEAST_SWAPPED};
use rdt_proto::connection::{Connection, SendError};
use rdt_proto::files::{Digest, MESSAGE_HEADER, Peaks, data_header};
use rdt_proto::store::{PooledSlot, SendStore};
use std::io;

/// What a call has read.
pub(crate) struct Chunk {
    pub(super) content: Content,
    pub(super) memory: ChunkMemory,
    /// The digest, if the content has ended, or why it could not be read. Then there are no bytes.
    pub(super) end: Option<io::Result<Digest>>,
}

impl Chunk {
    /// Reads the first chunk of `content`. It may block.
    pub(crate) fn first(content: Content) -> Self {
        Self::read(content, ChunkSize::SMALLEST, ChunkMemory::default())
    }

    /// Reads the next chunk, of about `len` bytes, into `memory`. It may block.
    pub(super) fn read(mut content: Content, len: usize, mut memory: ChunkMemory) -> Self {
        let read = memory.read(&mut content, len).and_then(|()| {
            let is_end = memory.unread().is_empty() || content.is_at_end();
            if is_end { content.digest().map(Some) } else { Ok(None) }
        });
        if read.is_err() {
            memory.clear();
        }
        Self { content, memory, end: read.transpose() }
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Goes on at the last border that the content shares with what the receiver has. Returns its position. It may
    /// block.
    pub(crate) fn go_on_from(self, have: Peaks<'_>) -> io::Result<(Self, u64)> {
        match self.content {
            Content::File(mut file) => {
                let offset = file.go_on_from(have)?;
                Ok((Self::first(Content::File(file)), offset))
            }
            content @ (Content::Folder(_) | Content::StandardInput(..) | Content::Memory { .. }) => {
                Ok((Self { content, ..self }, 0))
            }
        }
    }
}

/// The memory of a chunk. What was read leaves it from the front.
#[derive(Default)]
pub(super) struct ChunkMemory {
    piece: Vec<u8>,
    /// They hold content instead of the piece if the first of them does.
    bodies: Vec<Body>,
    /// The number of bodies that were taken.
    taken: usize,
    /// The number of bytes taken of the piece, or of the first body that was not taken.
    used: usize,
}

/// A body of a packet: room for the header of DATA, and `len` bytes of content.
struct Body {
    slot: PooledSlot,
    len: usize,
}

/// The most content of a body is a multiple of this, so that reads begin and end at pages of the file.
const PAGE: usize = 4 << 10;
/// A chunk that is shorter lies in one piece.
const LEAST: usize = 64 << 10;

impl Body {
    /// The room for content.
    fn room(&mut self) -> &mut [u8] {
        let room = self.slot.bytes_mut().get_mut(MESSAGE_HEADER..).unwrap_or_default();
        let len = room.len() / PAGE * PAGE;
        room.get_mut(..len).unwrap_or_default()
    }

    fn content(&self) -> &[u8] {
        self.slot.bytes().get(MESSAGE_HEADER..).and_then(|room| room.get(..self.len)).unwrap_or_default()
    }
}

impl ChunkMemory {
    /// Replaces the content by the next bytes, about `len`. At the end there are none.
    fn read(&mut self, content: &mut Content, len: usize) -> io::Result<()> {
        self.clear();
        let Content::File(file) = content else { return content.read(len, &mut self.piece) };
        if len < LEAST || self.bodies.is_empty() {
            return file.read(len, &mut self.piece);
        }
        // It holds the content instead.
        self.piece = Vec::new();
        let mut read = 0;
        for body in &mut self.bodies {
            body.len = file.fill(body.room())?;
            read += body.len;
            if read >= len || file.is_at_end() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.piece.clear();
        self.bodies.iter_mut().for_each(|body| body.len = 0);
        (self.taken, self.used) = (0, 0);
    }

    /// The next bytes, as far as they lie together.
    pub(super) fn unread(&self) -> &[u8] {
        let bytes = if self.piece.is_empty() {
            self.bodies.get(self.taken).map(Body::content).unwrap_or_default()
        } else {
            &self.piece
        };
        bytes.get(self.used..).unwrap_or_default()
    }

    /// Takes `count` bytes of [`unread`](Self::unread).
    pub(super) fn take(&mut self, count: usize) {
        let is_last = count == self.unread().len();
        self.used += count;
        if is_last && self.piece.is_empty() && self.taken < self.bodies.len() {
            (self.taken, self.used) = (self.taken + 1, 0);
        }
    }

    /// The length of the body that comes next; 0 if a part of it was taken, or the content lies in one piece.
    pub(super) fn next_body(&self) -> usize {
        if self.used == 0 && self.piece.is_empty() { self.unread().len() } else { 0 }
    }

    /// Makes `connection` take the next body, of at most `len` bytes, with its memory. Returns its length; `None` if it has
    /// to be copied.
    pub(super) fn swap(
        &mut self,
        connection: &mut Connection<AnyStorage>,
        len: usize,
    ) -> Option<Result<usize, SendError>> {
        let count = self.next_body();
        let body = self.bodies.get_mut(self.taken).filter(|_| (1..=len).contains(&count))?;
        let header = data_header(u32::try_from(count).unwrap_or(u32::MAX));
        body.slot.bytes_mut().get_mut(..MESSAGE_HEADER)?.copy_from_slice(&header);
        match connection.send_swap(&mut body.slot, MESSAGE_HEADER + count) {
            Ok(()) => {
                self.take(count);
                Some(Ok(count))
            }
            // The path may not carry it, or not yet.
            Err(SendError::TooLarge { .. } | SendError::ForeignSlot) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Adds bodies for `len` bytes of later content, if the connection has large ones.
    pub(super) fn reserve(&mut self, connection: &Connection<AnyStorage>, len: usize) {
        let segment = connection.send_store().segment();
        let wanted = if segment < LEAST_SWAPPED || len < LEAST { 0 } else { len.div_ceil(segment) };
        while self.bodies.len() < wanted {
            self.bodies.push(Body { slot: connection.new_send_slot(), len: 0 });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::files::Outgoing;
    use crate::qlog::VantagePoint;
    use crate::settings::{Settings, storage};
    use rdt_proto::Instant;

    const BODY: usize = 61_440;

    /// A connection to this address. One within this machine has large bodies.
    pub(in crate::session) fn connection(peer: &str) -> Connection<AnyStorage> {
        let peer = peer.parse().unwrap();
        let settings = Settings::default().towards(peer, u16::MAX);
        let storage = storage(&settings, peer, VantagePoint::Client).unwrap();
        Connection::connect(Instant::ZERO, settings.config, [7; 32], storage).unwrap()
    }

    /// What the chunks of a file have in memory with bodies, in pieces of at most `most` bytes, and how many bodies were
    /// whole.
    fn read(bytes: &[u8], most: usize) -> (Vec<u8>, usize) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        let (mut memory, connection) = (ChunkMemory::default(), connection("127.0.0.1:7"));
        let mut content = Content::File(Outgoing::file(file.path()).unwrap());
        let (mut all, mut whole) = (Vec::new(), 0);
        loop {
            memory.reserve(&connection, 256 << 10);
            let chunk = Chunk::read(content, 256 << 10, memory);
            (content, memory) = (chunk.content, chunk.memory);
            while !memory.unread().is_empty() {
                whole += usize::from(memory.next_body() > 0);
                let count = memory.unread().len().min(most);
                all.extend_from_slice(&memory.unread()[..count]);
                memory.take(count);
            }
            if let Some(digest) = chunk.end {
                assert_eq!(digest.unwrap().0, *blake3::hash(bytes).as_bytes());
                return (all, whole);
            }
        }
    }

    #[test]
    fn content_comes_in_order_from_bodies() {
        let content: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
        for len in [0, 1, BODY, BODY + 1, 5 * BODY, 1_000_000] {
            let bodies = len.div_ceil(BODY);
            assert!(read(&content[..len], usize::MAX) == (content[..len].to_vec(), bodies), "{len}");
            assert!(read(&content[..len], 50_000) == (content[..len].to_vec(), bodies), "{len} in pieces");
        }
    }

    /// A path may carry less than a body, and copies do not stop there.
    #[test]
    fn a_body_that_the_connection_does_not_take_is_copied() {
        let mut memory = ChunkMemory::default();
        memory.reserve(&connection("127.0.0.1:7"), LEAST);
        let body = memory.bodies.first_mut().unwrap();
        body.room()[..3].copy_from_slice(b"abc");
        body.len = BODY;
        assert!(memory.swap(&mut connection("192.0.2.1:7"), BODY).is_none());
        assert_eq!((memory.next_body(), &memory.unread()[..3]), (BODY, &b"abc"[..]));
        memory.take(1);
        assert_eq!((memory.next_body(), &memory.unread()[..2]), (0, &b"bc"[..]), "the rest is copied as well");
    }

    #[test]
    fn a_whole_body_enters_the_connection_behind_its_header() {
        let (mut memory, mut connection) = (ChunkMemory::default(), connection("127.0.0.1:7"));
        memory.reserve(&connection, 2 * LEAST);
        for body in memory.bodies.iter_mut().take(2) {
            body.room().fill(7);
            body.len = BODY;
        }
        assert!(memory.swap(&mut connection, BODY - 1).is_none(), "more than was asked for");
        let first = connection.send_store().end();
        assert!(matches!(memory.swap(&mut connection, BODY), Some(Ok(BODY))));
        let header = data_header(u32::try_from(BODY).unwrap());
        assert!(connection.body(first) == [&header[..], &[7; BODY]].concat());
        memory.take(1);
        assert!(memory.swap(&mut connection, BODY).is_none(), "a part of it was copied");
    }

    #[test]
    fn connections_with_small_bodies_reserve_none() {
        let mut memory = ChunkMemory::default();
        memory.reserve(&connection("192.0.2.1:7"), 1 << 20);
        memory.reserve(&connection("127.0.0.1:7"), LEAST - 1);
        assert!(memory.bodies.is_empty());
    }
}
