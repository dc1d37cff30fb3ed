//! The datagrams that a forwarding node sends next, each under the address that it names.

use rdt_proto::Instant;
use rdt_proto::sim::{Outgoing, SimAddress};
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<(SimAddress, SimAddress, Vec<u8>)>,
    pub(super) now: Instant,
}

impl Outbox {
    pub(super) fn push(&mut self, from: SimAddress, to: SimAddress, datagram: Vec<u8>) {
        self.queue.push_back((from, to, datagram));
    }

    pub(super) fn poll_transmit(&mut self, buf: &mut [u8]) -> Option<Outgoing> {
        let (from, to, datagram) = self.queue.pop_front()?;
        buf[..datagram.len()].copy_from_slice(&datagram);
        Some(Outgoing::new(to, datagram.len()).with_source(from))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.now)
    }
}
