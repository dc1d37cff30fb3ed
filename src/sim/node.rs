//! Nodes and addresses of a simulation.

use core::fmt;
use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;

use crate::Instant;

/// The identifier of a node.
///
/// Nodes are numbered from 0 in the order of their addition, so a node can refer to a peer that is added later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The address of a port of this node.
    #[must_use]
    pub const fn port(self, port: u32) -> SimAddress {
        SimAddress { node: self, port }
    }
}

/// The source or destination of a datagram.
///
/// The network routes by `node` and ignores `port`, so one node can act as many peers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SimAddress {
    /// The node.
    pub node: NodeId,
    /// The port. Only the nodes interpret it.
    pub port: u32,
}

impl SimAddress {
    /// The address of a port of the node with the number `node`.
    #[must_use]
    pub const fn new(node: u32, port: u32) -> Self {
        NodeId(node).port(port)
    }
}

/// All ports of a node share a host.
impl crate::Address for SimAddress {
    type Host = NodeId;

    fn host(&self) -> NodeId {
        self.node
    }
}

impl From<NodeId> for SimAddress {
    /// Port 0 of the node.
    fn from(node: NodeId) -> Self {
        node.port(0)
    }
}

impl fmt::Display for SimAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node.0, self.port)
    }
}

/// The output of [`Node::poll_transmit`]: one datagram, or several of equal size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// The source that the receiver sees; `None` for port 0 of the sending node.
    ///
    /// The address of another node is a forged source. The datagram still uses the link of the node that sends it.
    pub from: Option<SimAddress>,
    /// The destination.
    pub to: SimAddress,
    /// The number of bytes written to the buffer.
    pub len: usize,
    /// The size of each datagram; the last may be shorter. 0, or a value of at least `len`, means one datagram.
    pub segment_size: usize,
}

impl Outgoing {
    /// One datagram of `len` bytes.
    #[must_use]
    pub const fn new(to: SimAddress, len: usize) -> Self {
        Self { from: None, to, len, segment_size: len }
    }

    /// Splits the bytes into datagrams of `size` bytes each.
    #[must_use]
    pub const fn with_segment_size(mut self, size: usize) -> Self {
        self.segment_size = size;
        self
    }

    /// Sets the source address.
    #[must_use]
    pub const fn with_source(mut self, from: SimAddress) -> Self {
        self.from = Some(from);
        self
    }
}

/// A machine with its application, driven by a simulation.
///
/// An input is a datagram, a timeout, or a change through [`Simulation::node_mut`](super::Simulation::node_mut). After
/// every input the simulation calls `poll_app`, then `poll_transmit` until it returns `None`. It repeats both until
/// neither makes progress.
///
/// The trait is implemented for `&mut N`, `Box<N>` and `Rc<RefCell<N>>`. Nodes of several types can share a simulation
/// as `&mut dyn Node` or `Box<dyn Node>`. An `Rc` lets a test access a node during the simulation.
pub trait Node {
    /// Processes a datagram from `from` that arrived at `to`, an address of this node.
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]);

    /// Processes the time `now`; called when [`poll_timeout`](Self::poll_timeout) is due.
    ///
    /// Deadlines of the application are processed here as well.
    fn handle_timeout(&mut self, now: Instant);

    /// Writes the next datagrams to `buf`; `None` if nothing is due.
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing>;

    /// When to call [`handle_timeout`](Self::handle_timeout). It must be due while `poll_transmit` has output.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Runs the application: reads, writes, polls events. Returns whether the application made progress.
    fn poll_app(&mut self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// Whether the node needs no further event.
    fn is_done(&self) -> bool;
}

macro_rules! forward_to_inner {
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
    forward_to_inner!(self, (**self), (**self));
}

impl<N: Node + ?Sized> Node for Box<N> {
    forward_to_inner!(self, (**self), (**self));
}

impl<N: Node + ?Sized> Node for Rc<RefCell<N>> {
    forward_to_inner!(self, self.borrow(), self.borrow_mut());
}
