//! Writes a file behind its arrival.

use super::{Call, Disk, Work, chunk};
use crate::files::{CommitError, Sink};
use std::ffi::OsString;
use std::io;

/// A file that is written in order. One chunk fills while another is written.
///
/// ```text
/// Idle ⇄ Writing         Idle ── commit ──→ Committing ──→ Ended
///   └──────┴── failed ──────────────────────────────────────↑
/// ```
pub(crate) struct Writer {
    disk: Disk,
    state: State,
    filling: Vec<u8>,
    /// The memory for the next chunk.
    spare: Vec<u8>,
    /// The number of bytes taken.
    taken: u64,
}

enum State {
    Idle(Sink),
    Writing(Call<(Sink, Vec<u8>, io::Result<()>)>),
    Committing(Call<Result<Option<OsString>, CommitError>>),
    /// The file is committed, or a call has failed. The file waits to be removed.
    Ended(Option<Sink>, Option<io::Error>),
}

impl Writer {
    pub(crate) fn new(disk: Disk, target: Sink) -> Self {
        Self { disk, state: State::Idle(target), filling: Vec::new(), spare: Vec::new(), taken: 0 }
    }

    /// Takes the next bytes of the file. `None` while there is no room. An error may belong to earlier bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        if let Err(error) = self.advance() {
            return Some(Err(error));
        }
        let limit = chunk(self.taken);
        if self.filling.len() >= limit {
            self.write_chunk();
        }
        let room = limit.saturating_sub(self.filling.len());
        if room == 0 {
            return None;
        }
        let len = bytes.len().min(room);
        self.filling.extend_from_slice(&bytes[..len]);
        self.taken += len as u64;
        if self.filling.len() >= limit {
            self.write_chunk();
        }
        Some(Ok(len))
    }

    /// Writes what was taken, makes it durable, and gives the file its name. `None` until that is done. Returns
    /// the name if it is another than the one asked for.
    pub(crate) fn commit(&mut self) -> Option<Result<Option<OsString>, CommitError>> {
        if let Err(error) = self.advance() {
            return Some(Err(error.into()));
        }
        self.state = match std::mem::replace(&mut self.state, State::Ended(None, None)) {
            State::Idle(mut target) => {
                let rest = std::mem::take(&mut self.filling);
                State::Committing(self.disk.call(Work::Flush, move || {
                    target.write(&rest)?;
                    target.commit()
                }))
            }
            state @ (State::Writing(_) | State::Committing(_) | State::Ended(..)) => state,
        };
        let State::Committing(call) = &mut self.state else { return None };
        let result = call.take()?;
        self.state = State::Ended(None, None);
        Some(result.unwrap_or_else(|error| Err(error.into())))
    }

    /// Takes the result of a write. Fails if a write has failed.
    fn advance(&mut self) -> io::Result<()> {
        if let State::Writing(call) = &mut self.state
            && let Some(result) = call.take()
        {
            self.state = match result {
                Ok((target, spare, Ok(()))) => {
                    self.spare = spare;
                    State::Idle(target)
                }
                Ok((target, _, Err(error))) => State::Ended(Some(target), Some(error)),
                Err(error) => State::Ended(None, Some(error)),
            };
        }
        match &mut self.state {
            State::Idle(_) | State::Writing(_) | State::Committing(_) => Ok(()),
            State::Ended(_, error) => Err(error.take().unwrap_or_else(|| io::Error::other("the file is closed"))),
        }
    }

    /// Starts to write the chunk, unless another is being written.
    fn write_chunk(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended(None, None)) {
            State::Idle(mut target) => {
                let mut bytes = std::mem::replace(&mut self.filling, std::mem::take(&mut self.spare));
                let work = if target.will_flush(bytes.len()) { Work::Flush } else { Work::Write };
                State::Writing(self.disk.call(work, move || {
                    let result = target.write(&bytes);
                    bytes.clear();
                    (target, bytes, result)
                }))
            }
            state @ (State::Writing(_) | State::Committing(_) | State::Ended(..)) => state,
        };
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended(None, None)) {
            State::Idle(target) | State::Ended(Some(target), _) => self.disk.dispose(Work::Write, target),
            // The thread completes the commit.
            State::Committing(_) | State::Ended(None, _) => {}
            // The result, with the file, may have arrived already.
            State::Writing(call) => self.disk.dispose(Work::Write, call),
        }
    }
}
