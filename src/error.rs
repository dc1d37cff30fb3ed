//! The error that all machines share: a buffer that is too small.

use thiserror::Error;

/// The caller's buffer cannot hold the next output.
///
/// Nothing was written and no state has changed. Call again with a buffer of at least `needed` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the buffer is too small: {needed} bytes are needed")]
pub struct BufferTooSmall {
    /// The size of the next output in bytes.
    pub needed: usize,
}
