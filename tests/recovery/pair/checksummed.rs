//! A checksum behind each datagram, for links that damage datagrams.
//!
//! The protocol has no checksum: the link must discard damaged datagrams, as UDP does.

use rdt_proto::Instant;
use rdt_proto::sim::{Node, Outgoing, SimAddress};
use std::hash::{DefaultHasher, Hasher};

/// The length of a checksum.
const CHECKSUM_BYTES: usize = 8;

/// A node that appends a checksum to each datagram, and discards damaged datagrams.
pub(crate) struct Checksummed<N> {
    pub(crate) node: N,
    /// Whether damaged datagrams are discarded before they reach the node.
    pub(crate) is_checked: bool,
}

impl<N> Checksummed<N> {
    /// A node that receives no damaged datagram.
    pub(crate) fn new(node: N) -> Self {
        Self { node, is_checked: true }
    }
}

fn checksum(datagram: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = DefaultHasher::new();
    hasher.write(datagram);
    hasher.finish().to_be_bytes()
}

/// Returns the datagram of a frame, or `None` if the checksum is wrong.
fn undamaged(frame: &[u8]) -> Option<&[u8]> {
    let (datagram, sum) = frame.split_last_chunk()?;
    (*sum == checksum(datagram)).then_some(datagram)
}

impl<N: Node> Node for Checksummed<N> {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, frame: &[u8]) {
        let any = || frame.get(..frame.len().saturating_sub(CHECKSUM_BYTES));
        let datagram = if self.is_checked { undamaged(frame) } else { any() };
        if let Some(datagram) = datagram {
            self.node.handle_datagram(now, from, to, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let sent = self.node.poll_transmit(now, buf)?;
        assert!(sent.segment_size >= sent.len, "one datagram at a time");
        let sum = checksum(&buf[..sent.len]);
        buf[sent.len..][..CHECKSUM_BYTES].copy_from_slice(&sum);
        let len = sent.len + CHECKSUM_BYTES;
        Some(Outgoing { len, segment_size: len, ..sent })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        self.node.poll_app(now)
    }

    fn is_done(&self) -> bool {
        self.node.is_done()
    }
}
