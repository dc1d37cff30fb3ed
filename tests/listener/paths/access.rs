//! Where the client reaches the network.

use super::observer::Tap;
use super::outbox::Outbox;
use super::{CLIENT, SERVER};
use rdt_proto::Instant;
use rdt_proto::sim::{Node, Outgoing, SimAddress};
use std::cell::Cell;
use std::rc::Rc;

/// The address that the server sees now.
pub(super) type Outside = Rc<Cell<SimAddress>>;

/// Forwards datagrams of the client under its outside address, and datagrams to this address back to the client.
///
/// Datagrams to an address that the client has left are lost.
pub(super) struct Access {
    outside: Outside,
    /// Gets a copy of each datagram of the client.
    tap: Option<Tap>,
    outbox: Outbox,
}

impl Access {
    pub(super) fn new(outside: Outside, tap: Option<Tap>) -> Self {
        Self { outside, tap, outbox: Outbox::default() }
    }
}

impl Node for Access {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        self.outbox.now = now;
        if from.node == CLIENT {
            if let Some(tap) = &self.tap {
                tap.borrow_mut().push_back(datagram.to_vec());
                // Wakes the observer, which takes the copy at once.
                self.outbox.push(to, super::OBSERVER.port(0), Vec::new());
            }
            self.outbox.push(to, SERVER.port(0), datagram.to_vec());
        } else if to == self.outside.get() {
            self.outbox.push(from, CLIENT.port(0), datagram.to_vec());
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.outbox.now = now;
    }

    fn poll_transmit(&mut self, _now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        self.outbox.poll_transmit(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.outbox.poll_timeout()
    }

    fn is_done(&self) -> bool {
        true
    }
}
