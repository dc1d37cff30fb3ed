//! An observer on the path: it copies the datagrams of the client, and sends the copies from an address of its own.

use super::outbox::Outbox;
use super::{CLIENT, Copying, SERVER};
use harness::packets::datagram;
use rdt_proto::Instant;
use rdt_proto::sim::{Node, Outgoing, SimAddress};
use rdt_proto::wire::{Framing, Packet, Tag};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// The datagrams of the client that the observer has not copied yet.
pub(super) type Tap = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// What the observer does with the datagrams that the server sends to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// It discards them.
    Nothing,
    /// It answers each challenge by itself, since it knows both tags.
    Itself,
    /// It forwards them to the client, whose answers it copies.
    Forwards,
}

/// What the server has sent to the observer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) challenges: usize,
    /// The bytes of all other datagrams, without those of its own handshake.
    pub(crate) other_bytes: usize,
}

pub(super) struct Observer {
    copying: Copying,
    tap: Tap,
    /// The tag of datagrams to the server.
    tag: Option<Tag>,
    seen: Rc<RefCell<Seen>>,
    /// The number of datagrams seen.
    count: u64,
    outbox: Outbox,
}

impl Observer {
    pub(super) fn new(copying: Copying, tap: Tap, seen: Rc<RefCell<Seen>>) -> Self {
        Self { copying, tap, tag: None, seen, count: 0, outbox: Outbox::default() }
    }

    fn send(&mut self, datagram: Vec<u8>) {
        self.outbox.push(super::OBSERVER.port(0), SERVER.port(0), datagram);
    }

    fn handle_server(&mut self, received: &[u8]) {
        let Some(tag) = received.first_chunk().map(|tag| Tag::new(*tag)) else { return };
        let packet = Framing::tagged(tag).decode(received);
        let challenge = match packet {
            Ok(Packet::Probe { nonce, .. }) => Some(nonce),
            _ => None,
        };
        match packet {
            Ok(Packet::Probe { .. }) => self.seen.borrow_mut().challenges += 1,
            // The answer to a copied CONNECT.
            Ok(Packet::ConnAck(_)) => {}
            _ => self.seen.borrow_mut().other_bytes += received.len(),
        }
        if self.outbox.now >= self.copying.until {
            return;
        }
        match self.copying.answers {
            Answers::Nothing => {}
            Answers::Itself => {
                if let (Some(nonce), Some(tag)) = (challenge, self.tag) {
                    self.send(datagram(&Framing::tagged(tag), Packet::Echo { nonce, counter: 0 }));
                }
            }
            Answers::Forwards => self.outbox.push(SERVER.port(0), CLIENT.port(0), received.to_vec()),
        }
    }
}

impl Node for Observer {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        self.outbox.now = now;
        if from.node == SERVER {
            self.handle_server(datagram);
            return;
        }
        let copies: Vec<_> = self.tap.borrow_mut().drain(..).collect();
        for copy in copies {
            let connects = copy.starts_with(Framing::NOTE.prefix());
            if !connects {
                self.tag = copy.first_chunk().map(|tag| Tag::new(*tag));
            }
            // An observer that forwards a whole handshake is the path of the connection.
            let is_path = connects && self.copying.answers == Answers::Forwards;
            self.count += 1;
            let copies = (self.copying.from..self.copying.until).contains(&now);
            if copies && !is_path && self.count.is_multiple_of(self.copying.one_of) {
                self.send(copy);
            }
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
