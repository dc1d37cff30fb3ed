//! The link that a program needs.

use rdt_proto::Instant;

/// The number of nodes that the link connects to this one.
pub const NODES: u8 = 4;
/// The node of the server to which clients connect.
pub const ECHO: u8 = 0;

/// A clock, and datagrams to and from numbered nodes. The link must drop damaged datagrams.
pub trait Link {
    /// The time since the start.
    fn now(&mut self) -> Instant;

    /// Returns unpredictable bytes.
    fn entropy<const N: usize>(&mut self) -> [u8; N];

    /// Sends a datagram to `node`. The link may lose it.
    fn send(&mut self, node: u8, datagram: &[u8]);

    /// Waits for a datagram until `due`, or without a limit if `due` is `None`. Returns the node that sent the
    /// datagram, and the bytes of the datagram in `buf`. Returns a datagram that waits already, even if `due` has
    /// passed.
    fn recv<'b>(&mut self, due: Option<Instant>, buf: &'b mut [u8]) -> Option<(u8, &'b [u8])>;
}
