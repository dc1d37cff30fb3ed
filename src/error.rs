//! The error that every machine shares: the caller's buffer was too small.

use thiserror::Error;

/// The memory lent for an output cannot hold it. Nothing was written and no state has changed: call again with at least
/// `needed` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("the buffer is too small: {needed} bytes are needed")]
pub struct BufferTooSmall {
    /// How many bytes the output takes.
    pub needed: usize,
}
