//! The configuration of a token bucket.

/// A token bucket, as `tc-tbf` on Linux: a datagram leaves the queue once the bucket has tokens for all its bytes.
///
/// The overhead of each datagram counts. The bucket is full at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenBucket {
    /// The rate at which tokens arrive, in bits per second.
    pub rate: u64,
    /// The capacity of the bucket in bytes. A longer datagram is dropped as oversized.
    pub bucket: usize,
    /// The capacity of the queue in bytes. A datagram that does not fit is dropped, even if the queue is empty.
    pub queue: usize,
}
