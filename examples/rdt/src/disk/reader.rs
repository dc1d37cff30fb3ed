//! Reads a file ahead of its use.

use super::{Call, Disk, Work, chunk};
use crate::files::Source;
use std::io;

/// A file that is read in order. One chunk is used while the next is read.
pub(crate) struct Reader {
    disk: Disk,
    state: State,
    /// The bytes read, from `used` on.
    ready: Vec<u8>,
    /// The memory for the next chunk.
    spare: Vec<u8>,
    used: usize,
    /// The position after `ready` and the chunk that is being read.
    read: u64,
}

enum State {
    Idle(Source),
    Reading(Call<(Source, io::Result<Vec<u8>>)>),
    /// The last read has failed, or has reached the end of the file. The file waits to be closed.
    Ended(Option<Source>, Option<io::Error>),
}

impl Reader {
    pub(crate) fn new(disk: Disk, source: Source) -> Self {
        Self { disk, state: State::Idle(source), ready: Vec::new(), spare: Vec::new(), used: 0, read: 0 }
    }

    /// Reads the next bytes of the file. `None` until they are there. 0 bytes are the end of the file.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        if self.used == self.ready.len() {
            self.take_chunk();
        }
        self.read_ahead();
        let unused = self.ready.get(self.used..).unwrap_or_default();
        if !unused.is_empty() {
            let len = unused.len().min(buf.len());
            buf[..len].copy_from_slice(&unused[..len]);
            self.used += len;
            return Some(Ok(len));
        }
        match &mut self.state {
            State::Idle(_) | State::Reading(_) => None,
            State::Ended(_, error) => Some(error.take().map_or(Ok(0), Err)),
        }
    }

    /// Takes the chunk that was read, if there is one.
    fn take_chunk(&mut self) {
        let State::Reading(call) = &mut self.state else { return };
        let Some(result) = call.take() else { return };
        self.state = match result {
            Ok((source, Ok(chunk))) if chunk.is_empty() => State::Ended(Some(source), None),
            Ok((source, Ok(chunk))) => {
                self.read += chunk.len() as u64;
                (self.ready, self.spare, self.used) = (chunk, std::mem::take(&mut self.ready), 0);
                State::Idle(source)
            }
            Ok((source, Err(error))) => State::Ended(Some(source), Some(error)),
            Err(error) => State::Ended(None, Some(error)),
        };
    }

    fn read_ahead(&mut self) {
        let ended = State::Ended(None, None);
        let len = chunk(self.read);
        self.state = match std::mem::replace(&mut self.state, ended) {
            State::Idle(mut source) => {
                let mut buf = std::mem::take(&mut self.spare);
                State::Reading(self.disk.call(Work::Read, move || {
                    let result = source.read(len, &mut buf).map(|()| buf);
                    (source, result)
                }))
            }
            state @ (State::Reading(_) | State::Ended(..)) => state,
        };
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended(None, None)) {
            State::Idle(source) | State::Ended(Some(source), _) => self.disk.dispose(Work::Read, source),
            State::Ended(None, _) => {}
            // The result, with the file, may have arrived already.
            State::Reading(call) => self.disk.dispose(Work::Read, call),
        }
    }
}
