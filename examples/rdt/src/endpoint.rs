//! What the event loop drives, and the addresses of its datagrams.

use rdt_proto::connection::Transmit;
use rdt_proto::{BufferTooSmall, Instant};
use std::net::{IpAddr, SocketAddr};

/// Both ends of a path. A server on a wildcard address must answer from the address that was called, or the client does
/// not recognise the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) peer: SocketAddr,
    /// `None`: the system chooses.
    pub(crate) local: Option<IpAddr>,
}

impl rdt_proto::listener::Address for Address {
    type Host = IpAddr;

    fn host(&self) -> IpAddr {
        self.peer.host()
    }
}

/// What the loop drives.
pub(crate) trait Endpoint {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    /// The program is to stop. What remains to be done should be short.
    fn handle_stop(&mut self, now: Instant);
    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall>;
    fn poll_timeout(&self) -> Option<Instant>;
    /// Whether the loop shall end, once everything was sent.
    fn is_finished(&self) -> bool;
}
