//! Writes content behind its arrival.
//!
//! ```text
//! New ── first chunk is full ──→ Creating ──→ Idle ⇄ Writing       New, Idle ── complete ──→ Ending
//!                                    └── failed ──→ Failed ←─┘
//! ```
//!
//! The call that writes the first chunk creates the file as well. A small file is created when it is complete, together
//! with others. A file that is not needed any more before it was created leaves the queue of the disk.

use super::committer::{Committer, Ending};
use super::content::{NotStored, Stored, Taker};
use super::filling::Filling;
use crate::disk::{Call, ChunkSize, Disk, Work};
use crate::settings::AnyStorage;
use rdt_proto::connection::Connection;
use rdt_proto::files::{Cause, Digest};
use std::io;
use std::time::Instant;

/// Creates what takes the content. It may block.
pub(crate) type Create = Box<dyn FnOnce() -> io::Result<Taker> + Send>;

/// Content that is written in order. One chunk fills while another is written.
pub(crate) struct RecvFile {
    disk: Disk,
    state: State,
    filling: Filling,
    /// The memory for the next chunk.
    spare: Filling,
    /// The number of bytes taken.
    taken: u64,
    /// Whether the content begins behind what is there, perhaps in a file that has no name yet.
    goes_on: bool,
    chunk_size: ChunkSize,
}

enum State {
    New(Create),
    /// The call creates the file, and writes the first chunk.
    Creating(Call<Written>),
    Idle(Taker),
    Writing(Call<Written>),
    /// A call has failed, or the file is given away.
    Failed(Option<Taker>, Option<io::Error>),
}

/// The result of a write.
struct Written {
    taker: Option<Taker>,
    spare: Filling,
    result: io::Result<()>,
}

impl RecvFile {
    /// Begins with content of this length, if it is known. A file that needs more than a chunk is created at once, so
    /// that a refusal comes early.
    pub(crate) fn new(disk: Disk, create: Create, length: Option<u64>) -> Self {
        let (state, chunk_size) = (State::New(create), ChunkSize::new(Instant::now()));
        let mut file = Self {
            disk,
            state,
            filling: Filling::default(),
            spare: Filling::default(),
            taken: 0,
            goes_on: false,
            chunk_size,
        };
        if length.is_none_or(|length| length > ChunkSize::SMALLEST as u64) {
            file.write_chunk();
        }
        file
    }

    /// The same, of content that begins at `offset`.
    pub(crate) fn behind(mut self, offset: u64) -> Self {
        self.goes_on = offset > 0;
        self
    }

    /// Whether the file could be created, if that has begun. `None` while it is open.
    pub(crate) fn created(&mut self) -> Option<io::Result<()>> {
        match self.advance() {
            Ok(()) if matches!(self.state, State::Creating(_)) => None,
            created => Some(created),
        }
    }

    /// The number of bytes taken. 0 if there is no file.
    pub(crate) fn taken(&self) -> u64 {
        match self.state {
            State::Failed(None, _) => 0,
            State::New(_) | State::Creating(_) | State::Idle(_) | State::Writing(_) | State::Failed(Some(_), _) => {
                self.taken
            }
        }
    }

    /// Takes the next bytes. `None` while there is no room. An error may belong to earlier bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        let room = match self.room()? {
            Ok(room) => room,
            Err(error) => return Some(Err(error)),
        };
        let len = bytes.len().min(room);
        self.filling.copy(&bytes[..len]);
        self.taken += len as u64;
        self.write_full();
        Some(Ok(len))
    }

    /// Takes all bytes that the connection lends, without a copy if they are many. `None` if they are to be
    /// [written](Self::write). [`write_full`](Self::write_full) must follow; until then they are the
    /// [newest](Self::newest).
    pub(super) fn swap(&mut self, connection: &mut Connection<AnyStorage>) -> Option<io::Result<usize>> {
        if let Err(error) = self.room()? {
            return Some(Err(error));
        }
        let len = self.filling.swap(connection)?;
        self.taken += len as u64;
        Some(Ok(len))
    }

    pub(super) fn newest(&self) -> &[u8] {
        self.filling.newest()
    }

    /// The bytes that the chunk lacks. `None` while there is no room. An error belongs to earlier bytes.
    fn room(&mut self) -> Option<io::Result<usize>> {
        if let Err(error) = self.advance() {
            return Some(Err(error));
        }
        self.write_full();
        let room = self.chunk_size.bytes().saturating_sub(self.filling.len());
        if room == 0 {
            self.chunk_size.wait();
            return None;
        }
        Some(Ok(room))
    }

    /// Starts to write the chunk if it is full, unless another is being written.
    pub(super) fn write_full(&mut self) {
        if self.filling.len() >= self.chunk_size.bytes() {
            self.write_chunk();
        }
    }

    /// Completes the content, once the last write has ended. Returns the call that makes it durable.
    pub(crate) fn complete(
        &mut self,
        digest: Option<Digest>,
        committer: &Committer,
    ) -> Option<io::Result<Call<Stored>>> {
        if let Err(error) = self.advance() {
            return Some(Err(error));
        }
        let create: Create = match std::mem::replace(&mut self.state, State::Failed(None, None)) {
            State::New(create) => create,
            State::Idle(taker) => Box::new(move || Ok(taker)),
            state @ (State::Creating(_) | State::Writing(_) | State::Failed(..)) => {
                self.state = state;
                return None;
            }
        };
        let rest = std::mem::take(&mut self.filling);
        let finish = move || {
            let mut taker = create().map_err(NotStored::Failed)?;
            if let Err(error) = rest.write_to(&mut taker) {
                taker.discard(Cause::Storage);
                return Err(NotStored::Failed(error));
            }
            taker.seal(digest).map_err(NotStored::from)
        };
        let ending = Ending { finish: Box::new(finish), bytes: self.taken, may_wait: self.goes_on };
        Some(Ok(committer.submit(&self.disk, ending)))
    }

    /// Ends unfinished content: what is of use for another attempt may be kept.
    pub(crate) fn discard(&mut self, cause: Cause) {
        let rest = std::mem::take(&mut self.filling);
        let end = move |mut taker: Taker| {
            let keeps = cause == Cause::Interrupted && rest.write_to(&mut taker).is_ok();
            taker.discard(if keeps || cause == Cause::Invalid { cause } else { Cause::Storage });
        };
        let state = match std::mem::replace(&mut self.state, State::Failed(None, None)) {
            State::Creating(call) => match self.disk.withdraw(call) {
                None => return,
                Some(call) => State::Writing(call),
            },
            state => state,
        };
        match state {
            State::New(_) | State::Failed(None, _) => {}
            State::Idle(taker) => self.disk.run(Work::Write, move || end(taker)),
            State::Failed(Some(taker), _) => self.disk.run(Work::Write, move || taker.discard(Cause::Storage)),
            // The write has begun before, so that no thread waits for one behind it.
            State::Creating(call) | State::Writing(call) => self.disk.run(Work::Write, move || {
                if let Some(Written { taker: Some(taker), .. }) = call.wait() {
                    end(taker);
                }
            }),
        }
    }

    /// Takes the result of a write. Fails if a write has failed.
    fn advance(&mut self) -> io::Result<()> {
        if let State::Creating(call) | State::Writing(call) = &mut self.state
            && let Some(result) = call.take()
        {
            self.state = match result {
                Ok(Written { taker: Some(taker), spare, result: Ok(()) }) => {
                    self.spare = spare;
                    State::Idle(taker)
                }
                Ok(Written { taker, result, .. }) => State::Failed(taker, result.err()),
                Err(error) => State::Failed(None, Some(error)),
            };
        }
        match &mut self.state {
            State::New(_) | State::Creating(_) | State::Idle(_) | State::Writing(_) => Ok(()),
            State::Failed(_, error) => Err(error.take().unwrap_or_else(|| io::Error::other("the file is closed"))),
        }
    }

    /// Starts to write the chunk, unless another is being written.
    fn write_chunk(&mut self) {
        let create: Create = match std::mem::replace(&mut self.state, State::Failed(None, None)) {
            State::New(create) => create,
            State::Idle(taker) => {
                let (chunk, work) = self.next_chunk(taker.will_flush(self.filling.len()));
                self.state = State::Writing(self.disk.call(work, move || write(taker, chunk)));
                return;
            }
            state @ (State::Creating(_) | State::Writing(_) | State::Failed(..)) => {
                self.state = state;
                return;
            }
        };
        let (chunk, work) = self.next_chunk(false);
        self.state = State::Creating(self.disk.call(work, move || match create() {
            Ok(taker) => write(taker, chunk),
            Err(error) => Written { taker: None, spare: chunk, result: Err(error) },
        }));
    }

    fn next_chunk(&mut self, flushes: bool) -> (Filling, Work) {
        self.chunk_size.next(Instant::now());
        let chunk = std::mem::replace(&mut self.filling, std::mem::take(&mut self.spare));
        (chunk, if flushes { Work::Flush } else { Work::Write })
    }
}

fn write(mut taker: Taker, mut chunk: Filling) -> Written {
    let result = chunk.write_to(&mut taker);
    chunk.clear();
    Written { taker: Some(taker), spare: chunk, result }
}

/// An exchange that ends leaves what may be kept.
impl Drop for RecvFile {
    fn drop(&mut self) {
        self.discard(Cause::Interrupted);
    }
}

#[cfg(test)]
mod tests;
