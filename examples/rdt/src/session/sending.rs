//! Reads content ahead of its use.
//!
//! ```text
//! Idle ⇄ Reading ── end of the content, with its digest, or failure ──→ Ended
//! ```
//!
//! The call that opens a file reads its first chunk as well, and a call that reaches the end computes the digest. So a
//! small file takes one call. The last chunk of a file that has changed is not given: its receiver may know the length
//! only, and not the digest.

use super::chunk::{Chunk, ChunkMemory};
use super::content::Content;
use crate::disk::{Call, ChunkSize, Disk, Work};
use crate::settings::AnyStorage;
use rdt_proto::connection::{Connection, SendError};
use rdt_proto::files::{Digest, MESSAGE_HEADER, data_header};
use rdt_proto::store::SendStore;
use std::io;
use std::time::Instant;

/// Content that is read in order. One chunk is used while the next is read.
pub(crate) struct SendFile {
    disk: Disk,
    state: State,
    ready: ChunkMemory,
    /// The memory for the next chunk.
    spare: ChunkMemory,
    chunk_size: ChunkSize,
    /// Other content is read in one piece.
    is_file: bool,
}

enum State {
    Idle(Content),
    Reading(Call<Chunk>),
    Ended { content: Option<Content>, end: io::Result<Digest> },
}

impl SendFile {
    /// Goes on behind the first chunk.
    pub(crate) fn new(disk: Disk, first: Chunk) -> Self {
        let state = State::Ended { content: None, end: Err(closed()) };
        let chunk_size = ChunkSize::new(Instant::now());
        let is_file = matches!(first.content, Content::File(_));
        let mut file =
            Self { disk, state, ready: ChunkMemory::default(), spare: ChunkMemory::default(), chunk_size, is_file };
        file.take(first);
        file
    }

    /// Whether the next bytes, or the end, are there.
    pub(crate) fn is_ready(&mut self) -> bool {
        if self.ready.unread().is_empty() {
            self.take_chunk();
        }
        self.read_ahead();
        let is_ready = !self.ready.unread().is_empty() || matches!(self.state, State::Ended { .. });
        if !is_ready {
            self.chunk_size.wait();
        }
        is_ready
    }

    /// Reads the next bytes. `None` until they are there. 0 bytes are the end of the content.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        self.is_ready();
        let unread = self.ready.unread();
        if !unread.is_empty() {
            let len = unread.len().min(buf.len());
            buf[..len].copy_from_slice(&unread[..len]);
            self.ready.take(len);
            return Some(Ok(len));
        }
        match &mut self.state {
            State::Idle(_) | State::Reading(_) => None,
            State::Ended { end: Ok(_), .. } => Some(Ok(0)),
            State::Ended { end, .. } => Some(Err(take_error(end))),
        }
    }

    /// The room for a message with the next bytes, in bytes.
    pub(super) fn room(&self, connection: &mut Connection<AnyStorage>) -> usize {
        let room = connection.send_slot().map_or(0, |slot| slot.len());
        let body = self.ready.next_body();
        if body > 0 && connection.send_store().has_free_slot() { room.max(MESSAGE_HEADER + body) } else { room }
    }

    /// Writes a message with the next bytes, at most `len`. Returns their number. `None` until they are there, and while the
    /// connection has no room. 0 bytes are the end of the content.
    pub(super) fn send(&mut self, connection: &mut Connection<AnyStorage>, len: usize) -> Option<io::Result<usize>> {
        self.is_ready();
        if self.is_file && !matches!(self.state, State::Ended { .. }) {
            self.ready.reserve(connection, self.chunk_size.bytes());
        }
        match self.ready.swap(connection, len) {
            Some(Ok(count)) => return Some(Ok(count)),
            Some(Err(SendError::Full)) => return None,
            Some(Err(_)) | None => {}
        }
        let slot = connection.send_slot().unwrap_or_default();
        let (header, body) = slot.split_at_mut_checked(MESSAGE_HEADER).filter(|(_, body)| !body.is_empty())?;
        let len = len.min(body.len());
        let read = self.read(&mut body[..len])?;
        let Ok(count @ 1..) = read else { return Some(read) };
        header.copy_from_slice(&data_header(u32::try_from(count).unwrap_or(u32::MAX)));
        Some(connection.commit(MESSAGE_HEADER + count).map(|()| count).map_err(io::Error::other))
    }

    /// The digest of everything. `None` until it is there.
    pub(crate) fn digest(&mut self) -> Option<io::Result<Digest>> {
        self.take_chunk();
        self.read_ahead();
        match &mut self.state {
            State::Idle(_) | State::Reading(_) => None,
            State::Ended { end: Ok(digest), .. } => Some(Ok(*digest)),
            State::Ended { end, .. } => Some(Err(take_error(end))),
        }
    }

    /// Whether the file has grown since it was opened, once its [`digest`](Self::digest) is there.
    pub(crate) fn has_grown(&self) -> bool {
        match &self.state {
            State::Ended { content: Some(content), .. } => content.has_grown(),
            State::Ended { content: None, .. } | State::Idle(_) | State::Reading(_) => false,
        }
    }

    /// Takes the chunk that was read, if there is one.
    fn take_chunk(&mut self) {
        let State::Reading(call) = &mut self.state else { return };
        match call.take() {
            None => {}
            Some(Ok(chunk)) => self.take(chunk),
            Some(Err(error)) => self.state = State::Ended { content: None, end: Err(error) },
        }
    }

    fn take(&mut self, chunk: Chunk) {
        let Chunk { content, memory, end } = chunk;
        self.chunk_size.next(Instant::now());
        self.spare = std::mem::replace(&mut self.ready, memory);
        self.state = match end {
            None => State::Idle(content),
            Some(end) => State::Ended { content: Some(content), end },
        };
    }

    fn read_ahead(&mut self) {
        let ended = State::Ended { content: None, end: Err(closed()) };
        let len = self.chunk_size.bytes();
        self.state = match std::mem::replace(&mut self.state, ended) {
            State::Idle(content) => {
                let memory = std::mem::take(&mut self.spare);
                State::Reading(self.disk.call(Work::Read, move || Chunk::read(content, len, memory)))
            }
            state @ (State::Reading(_) | State::Ended { .. }) => state,
        };
    }
}

fn closed() -> io::Error {
    io::Error::other("the file is closed")
}

fn take_error(end: &mut io::Result<Digest>) -> io::Error {
    std::mem::replace(end, Err(closed())).err().unwrap_or_else(closed)
}

impl Drop for SendFile {
    fn drop(&mut self) {
        let ended = State::Ended { content: None, end: Err(closed()) };
        match std::mem::replace(&mut self.state, ended) {
            State::Idle(content) | State::Ended { content: Some(content), .. } => {
                self.disk.dispose(Work::Read, content);
            }
            State::Ended { content: None, .. } => {}
            // The result, with the file, may have arrived already.
            State::Reading(call) => self.disk.dispose(Work::Read, call),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Finished;
    use crate::files::Outgoing;
    use mio::{Poll, Token, Waker};
    use std::io::{Seek, SeekFrom, Write};
    use std::sync::Arc;
    use std::time::Duration;

    /// A disk, and what it needs to live.
    fn disk() -> (Disk, Poll, Finished) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (disk, finished) = Disk::new(waker, 1);
        (disk, poll, finished)
    }

    /// Content whose pieces differ.
    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).unwrap()).collect()
    }

    fn stored(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn first(file: &tempfile::NamedTempFile) -> Chunk {
        Chunk::first(Content::File(Outgoing::file(file.path()).unwrap()))
    }

    fn digest(content: &[u8]) -> Digest {
        Digest(*blake3::hash(content).as_bytes())
    }

    fn wait<T>(mut poll: impl FnMut() -> Option<T>) -> T {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(result) = poll() {
                return result;
            }
            assert!(Instant::now() < limit, "no result comes");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Everything that a file gives, in pieces of at most `len` bytes.
    fn read_all(file: &mut SendFile, len: usize) -> io::Result<Vec<u8>> {
        let (mut all, mut piece) = (Vec::new(), vec![0; len]);
        loop {
            match wait(|| file.read(&mut piece))? {
                0 => return Ok(all),
                count => all.extend_from_slice(&piece[..count]),
            }
        }
    }

    #[test]
    fn a_small_file_ends_with_its_first_chunk_without_a_call() {
        let (disk, _poll, finished) = disk();
        for len in [0, 1, ChunkSize::SMALLEST] {
            let bytes = content(len);
            let mut file = SendFile::new(disk.clone(), first(&stored(&bytes)));
            let mut buf = vec![0; len + 1];
            assert_eq!(file.read(&mut buf).unwrap().unwrap(), len);
            assert!(buf[..len] == bytes && file.read(&mut buf).unwrap().unwrap() == 0, "{len}");
            assert_eq!(file.digest().unwrap().unwrap(), digest(&bytes));
            assert!(finished.next().is_none(), "{len}: no thread was asked");
        }
    }

    #[test]
    fn a_large_file_comes_in_order_with_its_digest() {
        let (disk, _poll, _finished) = disk();
        for len in [ChunkSize::SMALLEST + 1, 5 * ChunkSize::SMALLEST, 300_001] {
            let bytes = content(len);
            let file = stored(&bytes);
            for piece in [1_000, 1 << 20] {
                let mut sent = SendFile::new(disk.clone(), first(&file));
                assert!(read_all(&mut sent, piece).unwrap() == bytes, "{len} in pieces of {piece}");
                assert_eq!(wait(|| sent.digest()).unwrap(), digest(&bytes));
            }
        }
    }

    #[test]
    fn a_file_that_changes_behind_its_first_chunk_has_no_digest() {
        let (disk, _poll, _finished) = disk();
        for len in [100_000, 1_000_000] {
            let bytes = content(len);
            let mut file = stored(&bytes);
            let mut sent = SendFile::new(disk.clone(), first(&file));
            std::thread::sleep(Duration::from_millis(20));
            file.seek(SeekFrom::Start(len as u64 - 5)).unwrap();
            file.write_all(b"other").unwrap();
            let (mut given, mut piece) = (0, [0; 10_000]);
            let error = loop {
                match wait(|| sent.read(&mut piece)) {
                    Ok(count) => given += count,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), "the file changed while it was read", "{len}");
            assert!(given < len && wait(|| sent.digest()).is_err(), "{given} of {len} bytes are given");
        }
    }

    #[test]
    fn a_file_that_shrinks_gives_what_was_read_and_then_its_error() {
        let (disk, _poll, _finished) = disk();
        let bytes = content(400_000);
        let file = stored(&bytes);
        let mut sent = SendFile::new(disk, first(&file));
        file.as_file().set_len(200_000).unwrap();
        let mut buf = vec![0; 1_000];
        assert_eq!(wait(|| sent.read(&mut buf)).unwrap(), 1_000);
        assert!(buf == bytes[..1_000]);
        let error = read_all(&mut sent, 10_000).unwrap_err();
        assert_eq!(error.to_string(), "the file became shorter while it was read");
        assert!(wait(|| sent.digest()).is_err());
    }

    #[test]
    fn content_without_bytes_has_the_digest_of_none() {
        let (disk, _poll, _finished) = disk();
        let folder = Content::Folder(rdt_proto::files::Metadata::default());
        let mut sent = SendFile::new(disk, Chunk::first(folder));
        assert!(read_all(&mut sent, 10).unwrap().is_empty());
        assert!(wait(|| sent.digest()).is_ok());
    }

    #[test]
    fn a_file_goes_on_behind_what_the_receiver_has() {
        let (disk, _poll, _finished) = disk();
        let bytes = content(3_500_000);
        let mut hashed = crate::files::BlockTree::new();
        hashed.update(&bytes[..2 << 20]);
        for (have, border) in [(hashed.peaks(), 2 << 20), (crate::files::PeaksBuf::default(), 0)] {
            let (chunk, offset) = first(&stored(&bytes)).go_on_from(have.as_peaks()).unwrap();
            assert_eq!((offset, chunk.content().opened().offset), (border, border));
            let mut sent = SendFile::new(disk.clone(), chunk);
            let rest = read_all(&mut sent, 100_000).unwrap();
            assert!(rest == bytes[usize::try_from(border).unwrap()..]);
            assert_eq!(wait(|| sent.digest()).unwrap(), digest(&bytes), "of the whole file");
        }
    }
}
