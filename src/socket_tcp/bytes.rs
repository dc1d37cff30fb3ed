//! A byte queue of fixed capacity.

use core::hash::{Hash, Hasher};
use heapless::Deque;

/// A FIFO queue of at most `N` bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Bytes<const N: usize>(Deque<u8, N>);

impl<const N: usize> Bytes<N> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn room(&self) -> usize {
        N - self.0.len()
    }

    /// Appends as many bytes as fit; returns the count.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.room());
        self.0.extend(bytes.iter().take(len));
        len
    }

    /// Copies bytes from the front into `buf`; returns the count.
    pub(super) fn peek(&self, buf: &mut [u8]) -> usize {
        buf.iter_mut().zip(&self.0).map(|(to, &byte)| *to = byte).count()
    }

    /// Removes the first `len` bytes.
    pub(super) fn consume(&mut self, len: usize) {
        for _ in 0..len {
            self.0.pop_front();
        }
    }
}

/// Hashes the content, whatever its position in the ring.
impl<const N: usize> Hash for Bytes<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        for byte in &self.0 {
            byte.hash(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_keeps_order_and_rejects_the_excess() {
        let mut bytes = Bytes::<4>::default();
        assert_eq!((bytes.push(b"abc"), bytes.push(b"def")), (3, 1));
        bytes.consume(3);
        assert_eq!((bytes.push(b"gh"), bytes.room()), (2, 1));
        let mut buf = [0; 8];
        assert_eq!((bytes.peek(&mut buf[..2]), bytes.peek(&mut buf)), (2, 3));
        assert_eq!(&buf[..3], b"dgh");
        bytes.consume(9);
        assert_eq!(bytes.len(), 0);
    }
}
