//! An application that writes some bytes, and counts what it reads.

use super::Application;
use rdt_proto::Instant;
use rdt_proto::connection::{Connection, ConnectionTypes, Handled};

/// The most bytes of one write.
const PIECE: usize = 60_000;

/// Bytes to write, and what has been read.
#[derive(Default)]
pub(crate) struct Bytes {
    /// The bytes that are left to write. `u64::MAX` is more than any simulation transfers.
    pub(crate) to_write: u64,
    /// The bytes read.
    pub(crate) read: u64,
    /// Whether it writes only while the connection is established, and not during the handshake.
    pub(crate) waits: bool,
    /// Whether it reads bytes in order while the connection handles their datagram.
    pub(crate) is_direct: bool,
    /// When the handshake was complete.
    pub(crate) opened: Option<Instant>,
}

impl<S: ConnectionTypes> Application<S> for Bytes {
    fn handle_datagram(&mut self, now: Instant, connection: &mut Connection<S>, datagram: &[u8]) -> Handled {
        if !self.is_direct {
            return connection.handle_datagram(now, datagram);
        }
        connection.handle_datagram_into(now, datagram, |bytes| {
            self.read += bytes.len() as u64;
            bytes.len()
        })
    }

    fn turn(&mut self, now: Instant, connection: &mut Connection<S>) -> bool {
        while !connection.recv_chunk().is_empty() {
            let len = connection.recv_chunk().len();
            self.read += len as u64;
            connection.consume(len);
        }
        let is_open = connection.is_established();
        if is_open {
            self.opened.get_or_insert(now);
        }
        if self.to_write == 0 || (self.waits && !is_open) {
            return false;
        }
        let most = usize::try_from(self.to_write.min(PIECE as u64)).unwrap();
        let count = connection.send(&[7; PIECE][..most]).unwrap_or(0);
        self.to_write -= count as u64;
        count > 0
    }

    fn is_done(&self, _connection: Option<&Connection<S>>) -> bool {
        self.to_write == 0
    }
}
