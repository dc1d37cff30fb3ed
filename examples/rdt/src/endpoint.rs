//! The interface between the event loop and a client or a server, and the addresses of datagrams.

use crate::network_error::Call;
use rdt_proto::connection::Gather;
use rdt_proto::listener::PeerId;
use rdt_proto::{BufferTooSmall, Instant, Seq};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Both addresses of a path.
///
/// A server on a wildcard address must answer from the address to which the request was sent. Otherwise the client
/// ignores the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) peer: SocketAddr,
    /// The local address. `None` if the system chooses.
    pub(crate) local: Option<IpAddr>,
}

impl rdt_proto::listener::Address for Address {
    type Host = IpAddr;

    fn host(&self) -> IpAddr {
        self.peer.host()
    }
}

/// The body of an INFO: its number, and for a server the connection as well.
pub(crate) type Body = (Option<PeerId>, Seq);

/// Datagrams to one address. They end with a body that the endpoint has, or are whole.
pub(crate) type Outgoing = (Address, Gather<Body>);

/// A client or a server that the loop drives.
pub(crate) trait Endpoint {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]);
    /// A batch of datagrams was handled. What follows from all of them together is cheaper than after each.
    fn handle_batch_end(&mut self, _now: Instant) {}
    fn handle_timeout(&mut self, now: Instant);
    /// The socket refused a datagram of `len` bytes to `to`, because the path does not carry it.
    fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize);
    /// A system call failed. Transfers go on: what it did not send or receive counts as lost.
    fn handle_network_error(&mut self, _now: Instant, _call: Call, _error: &io::Error) {}
    /// An ICMP message says that the port `to` is closed. It may be forged.
    fn handle_closed_port(&mut self, _now: Instant, _to: SocketAddr) {}
    /// A datagram to `to` was not sent, or the system says that it did not arrive. The next one may.
    fn handle_unreachable(&mut self, _now: Instant, _to: SocketAddr) {}
    /// Another thread may have finished work for the endpoint. The loop calls this in each round.
    fn handle_wake(&mut self, _now: Instant) {}
    /// Starts to shut down once the running transfers have ended.
    fn handle_drain(&mut self, now: Instant) {
        self.handle_stop(now);
    }
    /// Starts to shut down. The remaining work should be short.
    fn handle_stop(&mut self, now: Instant);
    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall>;
    /// The body that follows the datagrams which were polled last.
    fn body(&self, body: Body) -> &[u8];
    fn poll_timeout(&self) -> Option<Instant>;
    /// Whether the loop ends after all pending datagrams are sent.
    fn is_finished(&self) -> bool;
}
