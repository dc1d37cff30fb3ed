//! Files that exist only in memory, for measurements: `.rdt-bench-N` has N bytes, and takes any content.
//!
//! They use the file session as it is. A server without `--bench` refuses their names, so no measurement reaches a
//! disk.

use crate::settings::{AnyStorage, LEAST_SWAPPED};
use rdt_proto::connection::{Connection, SendError};
use rdt_proto::ftp::NameBuf;
use rdt_proto::store::PooledSlot;
use std::io::{self, ErrorKind};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const PREFIX: &str = ".rdt-bench-";

/// The number of calls for each reading of the clock.
const CALLS: u32 = 32;

/// The content, again and again. It is not one byte repeated, which something on the path might compress.
static BLOCK: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..1 << 16).map(next).collect()
});

/// What one request for such a file may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BenchLimits {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

/// The name of a file of `bytes`.
pub(crate) fn name(bytes: u64) -> io::Result<NameBuf> {
    NameBuf::new(&format!("{PREFIX}{bytes}")).map_err(io::Error::other)
}

/// Whether a name is reserved for such files. Some file systems ignore the case of letters.
pub(crate) fn is_memory_file(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Copies the next content into `buf`, and returns its length.
pub(crate) fn fill(buf: &mut [u8]) -> usize {
    for part in buf.chunks_mut(BLOCK.len()) {
        part.copy_from_slice(&BLOCK[..part.len()]);
    }
    buf.len()
}

/// Writes content into a connection, without a copy if bodies are large.
#[derive(Default)]
pub(crate) struct Generator {
    /// A body for the next packet.
    slot: Option<PooledSlot>,
}

impl Generator {
    /// Writes as many bytes as one packet takes, at most `len`. Returns their number; 0 while the connection is full.
    pub(crate) fn send(&mut self, connection: &mut Connection<AnyStorage>, len: usize) -> Result<usize, SendError> {
        if len >= LEAST_SWAPPED {
            let slot = self.slot.get_or_insert_with(|| connection.new_send_slot());
            let bytes = slot.bytes_mut();
            let len = len.min(bytes.len());
            // Mostly its memory was filled for an earlier body.
            if !bytes.ends_with(BLOCK.get(bytes.len().saturating_sub(MARK)..bytes.len()).unwrap_or_default()) {
                fill(bytes);
            }
            match connection.send_swap(slot, len) {
                Err(SendError::TooLarge { .. }) => {}
                Err(SendError::Full) => return Ok(0),
                sent => return sent.map(|()| len),
            }
        }
        let slot = connection.send_slot()?;
        let len = len.min(slot.len());
        fill(&mut slot[..len]);
        connection.commit(len).map(|()| len)
    }
}

/// The bytes at the end of a body that tell whether it was filled.
const MARK: usize = 32;

/// A file that a server sends or receives.
pub(crate) struct MemoryFile {
    left: u64,
    until: Instant,
    calls: u32,
    generator: Generator,
}

impl MemoryFile {
    /// Opens the file `name` for a request with these limits. `None`: the server does not offer such files.
    pub(crate) fn open(name: &str, limits: Option<BenchLimits>) -> io::Result<Self> {
        let limits = limits.ok_or_else(|| io::Error::new(ErrorKind::PermissionDenied, "no --bench"))?;
        let bytes = name.get(PREFIX.len()..).and_then(|digits| digits.parse().ok());
        let bytes: u64 = bytes.ok_or(ErrorKind::NotFound)?;
        Ok(Self {
            left: bytes.min(limits.bytes),
            until: Instant::now() + limits.time,
            calls: 0,
            generator: Generator::default(),
        })
    }

    /// The number of bytes to send.
    pub(crate) fn length(&self) -> u64 {
        self.left
    }

    /// Reads the next bytes. At the end there are none.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.take(buf.len())?;
        Ok(fill(buf.get_mut(..len).unwrap_or_default()))
    }

    /// Writes the next bytes into a connection, at most `len`. `None`: it has no room. At the end there are none.
    pub(crate) fn send(&mut self, connection: &mut Connection<AnyStorage>, len: usize) -> Option<io::Result<usize>> {
        let offered = match self.offer(len) {
            Ok(offered) => offered,
            Err(error) => return Some(Err(error)),
        };
        match self.generator.send(connection, offered) {
            Ok(0) if offered > 0 => None,
            Ok(sent) => {
                self.left -= sent as u64;
                Some(Ok(sent))
            }
            Err(error) => Some(Err(io::Error::other(error))),
        }
    }

    /// Drops bytes, and returns their number.
    pub(crate) fn write(&mut self, len: usize) -> io::Result<usize> {
        match self.take(len)? {
            0 if len > 0 => Err(io::Error::new(ErrorKind::FileTooLarge, "--bench-bytes")),
            len => Ok(len),
        }
    }

    fn take(&mut self, len: usize) -> io::Result<usize> {
        let taken = self.offer(len)?;
        self.left -= taken as u64;
        Ok(taken)
    }

    /// The number of bytes that may be taken now, at most `len`.
    fn offer(&mut self, len: usize) -> io::Result<usize> {
        // The clock is read now and then, since a reading costs as much as a body.
        if self.calls.is_multiple_of(CALLS) && self.until <= Instant::now() {
            return Err(io::Error::new(ErrorKind::TimedOut, "--bench-seconds"));
        }
        self.calls = self.calls.wrapping_add(1);
        Ok(usize::try_from(self.left).unwrap_or(len).min(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BenchLimits = BenchLimits { bytes: 1_000, time: Duration::from_secs(600) };

    #[test]
    fn a_request_gets_no_more_than_its_limits() {
        let open = |bytes, limits| MemoryFile::open(name(bytes).unwrap().as_name().as_str(), limits);
        let mut file = open(5_000, Some(LIMITS)).unwrap();
        assert_eq!(file.length(), 1_000);
        assert_eq!(file.read(&mut [0; 600]).unwrap(), 600);
        assert_eq!(file.write(600).unwrap(), 400);
        assert_eq!(file.read(&mut [0; 600]).unwrap(), 0);
        assert_eq!(file.write(1).unwrap_err().kind(), ErrorKind::FileTooLarge);
        let mut late = open(5, Some(BenchLimits { time: Duration::ZERO, ..LIMITS })).unwrap();
        assert_eq!(late.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(open(5, None).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied));
        assert!(MemoryFile::open(".rdt-bench-x", Some(LIMITS)).is_err());
    }

    #[test]
    fn only_names_with_the_prefix_are_memory_files() {
        assert!(is_memory_file(".rdt-bench-1") && is_memory_file(".RDT-Bench-x"));
        assert!(!is_memory_file("rdt-bench-1") && !is_memory_file(".rdt-bench") && !is_memory_file("ä.rdt-bench-"));
    }

    #[test]
    fn content_fills_every_part_of_a_buffer() {
        let mut buf = vec![0; 200_000];
        assert_eq!(fill(&mut buf), 200_000);
        assert!(buf.chunks(64).all(|part| part.iter().any(|byte| *byte != 0)));
    }
}
