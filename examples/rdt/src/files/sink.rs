//! What takes the content of a transfer: a file, or the standard output.

use super::target::{CommitError, Target};
use std::ffi::OsString;
use std::io::{self, Write};

/// What takes content in order.
pub(crate) enum Sink {
    /// A file, which has its name only once it is complete.
    File(Target),
    /// The standard output, which keeps what it has got. Its reader may stall.
    StandardOutput,
}

impl Sink {
    /// Whether a write of `len` bytes waits for the disk.
    pub(crate) fn will_flush(&self, len: usize) -> bool {
        match self {
            Self::File(target) => target.will_flush(len),
            Self::StandardOutput => false,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(target) => target.write(bytes),
            Self::StandardOutput => io::stdout().lock().write_all(bytes),
        }
    }

    /// Makes the content durable, as far as that is possible.
    ///
    /// Returns the name of a file if it is another than the one asked for.
    pub(crate) fn commit(self) -> Result<Option<OsString>, CommitError> {
        match self {
            Self::File(target) => target.commit(),
            Self::StandardOutput => {
                io::stdout().lock().flush()?;
                Ok(None)
            }
        }
    }
}
