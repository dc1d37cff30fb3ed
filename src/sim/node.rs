//! What takes part in a simulation.

use core::fmt;
use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;

use crate::Instant;

/// A node of a simulation. Numbers are given in the order of adding, from 0, so a node can be told its peer's before
/// the peer exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The address of this node's `port`.
    #[must_use]
    pub const fn port(self, port: u32) -> SimAddress {
        SimAddress { node: self, port }
    }
}

/// Where a datagram comes from or goes to. The network routes by `node` and carries `port` unread, so one node can
/// stand for as many peers as there are ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SimAddress {
    /// The node.
    pub node: NodeId,
    /// A number that only the nodes give a meaning.
    pub port: u32,
}

impl SimAddress {
    /// The address of `port` of the node with number `node`.
    #[must_use]
    pub const fn new(node: u32, port: u32) -> Self {
        NodeId(node).port(port)
    }
}

/// The host is the node.
impl crate::Address for SimAddress {
    type Host = NodeId;

    fn host(&self) -> NodeId {
        self.node
    }
}

impl From<NodeId> for SimAddress {
    /// Port 0.
    fn from(node: NodeId) -> Self {
        node.port(0)
    }
}

impl fmt::Display for SimAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node.0, self.port)
    }
}

/// What [`Node::poll_transmit`] wrote: one datagram, or several of equal size one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// The source that the receiver sees. `None` is port 0 of the sending node. Another node's address is a forgery:
    /// the datagram still takes the link of the node that sent it.
    pub from: Option<SimAddress>,
    /// The destination.
    pub to: SimAddress,
    /// Bytes written to the buffer.
    pub len: usize,
    /// The size of each datagram; the last may be shorter. At least `len` (or 0) means one datagram.
    pub segment_size: usize,
}

impl Outgoing {
    /// One datagram of `len` bytes.
    #[must_use]
    pub const fn new(to: SimAddress, len: usize) -> Self {
        Self { from: None, to, len, segment_size: len }
    }

    /// Datagrams of `size` bytes each.
    #[must_use]
    pub const fn with_segment_size(mut self, size: usize) -> Self {
        self.segment_size = size;
        self
    }

    /// Sent from this source.
    #[must_use]
    pub const fn with_source(mut self, from: SimAddress) -> Self {
        self.from = Some(from);
        self
    }
}

/// A machine with its application, as a simulation drives it. After every input (a datagram, a timeout, a change
/// through [`Simulation::node_mut`](super::Simulation::node_mut)) the node has its turn: `poll_app`, then
/// `poll_transmit` until it returns `None`, and both again until neither does anything.
///
/// Implemented for `&mut N`, `Box<N>` and `Rc<RefCell<N>>` too, so nodes of several types share a simulation as
/// `&mut dyn Node` or `Box<dyn Node>`, and a test keeps a hand on them through `Rc`.
pub trait Node {
    /// A datagram from `from` has arrived at `to`, an address of this node.
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]);

    /// The instant given by [`poll_timeout`](Self::poll_timeout) has come. An application with deadlines of its own
    /// serves them here.
    fn handle_timeout(&mut self, now: Instant);

    /// Writes what is to be sent now to `buf`; `None` if there is nothing.
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing>;

    /// When to call [`handle_timeout`](Self::handle_timeout): already due while `poll_transmit` would return something.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The application's turn: read, write, take events. True if it did something.
    fn poll_app(&mut self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// Whether the node has nothing more to do and may sleep for ever.
    fn is_done(&self) -> bool;
}

macro_rules! forward_to_the_inner_node {
    ($self:ident, $read:expr, $write:expr) => {
        fn handle_datagram(&mut $self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
            $write.handle_datagram(now, from, to, datagram);
        }

        fn handle_timeout(&mut $self, now: Instant) {
            $write.handle_timeout(now);
        }

        fn poll_transmit(&mut $self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
            $write.poll_transmit(now, buf)
        }

        fn poll_timeout(&$self) -> Option<Instant> {
            $read.poll_timeout()
        }

        fn poll_app(&mut $self, now: Instant) -> bool {
            $write.poll_app(now)
        }

        fn is_done(&$self) -> bool {
            $read.is_done()
        }
    };
}

impl<N: Node + ?Sized> Node for &mut N {
    forward_to_the_inner_node!(self, (**self), (**self));
}

impl<N: Node + ?Sized> Node for Box<N> {
    forward_to_the_inner_node!(self, (**self), (**self));
}

impl<N: Node + ?Sized> Node for Rc<RefCell<N>> {
    forward_to_the_inner_node!(self, self.borrow(), self.borrow_mut());
}
