//! The application on one connection: it writes its data, closes, and keeps what it reads.

use super::plan::AnyStorage;
use rdt_proto::connection::{CloseReason, Connection, Event};
use rdt_proto::sim::Rng;

/// The application on the connection of one incarnation.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    /// The data to write. It begins with the identifier, which determines the rest.
    pub(crate) data: Vec<u8>,
    /// The number of bytes that the connection has accepted.
    pub(crate) sent: usize,
    pub(crate) received: Vec<u8>,
    pub(crate) extended: bool,
    /// The reported close reason.
    pub(crate) end: Option<CloseReason>,
}

impl Session {
    pub(crate) fn new(id: u64, size: usize) -> Self {
        let words = (0..size.div_ceil(8) as u64).map(|index| id ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut data: Vec<u8> = words.flat_map(u64::to_be_bytes).collect();
        data.truncate(size);
        Self { id, data, sent: 0, received: Vec::new(), extended: false, end: None }
    }

    /// The data that the connection has accepted.
    pub(crate) fn written(&self) -> &[u8] {
        &self.data[..self.sent]
    }

    pub(crate) fn on_event(&mut self, event: Event) {
        assert_eq!(self.end, None, "{event:?} after `Closed`, the last event");
        if let Event::Closed(reason) = event {
            self.end = Some(reason);
        }
    }

    /// Reads and writes what is possible. Returns whether anything was done.
    pub(crate) fn turn(&mut self, stream: &mut Connection<AnyStorage>, rng: &mut Rng) -> bool {
        self.extended |= stream.is_extended();
        let before = (self.received.len(), self.sent);
        while !stream.recv_chunk().is_empty() {
            let mut buf = vec![0; 1 + rng.index(5_000)];
            let len = stream.recv(&mut buf);
            self.received.extend_from_slice(&buf[..len]);
        }
        while stream.ended().is_none() && self.sent < self.data.len() {
            let end = self.data.len().min(self.sent + 1 + rng.index(5_000));
            let count = stream.send(&self.data[self.sent..end]).unwrap();
            self.sent += count;
            if count == 0 {
                break;
            }
        }
        if self.sent == self.data.len() {
            stream.close();
        }
        before != (self.received.len(), self.sent)
    }
}
