//! What a program needs of a link.

use rdt_proto::Instant;

/// How many nodes the link joins, apart from this one.
pub const NODES: u8 = 4;
/// The node that clients talk to.
pub const ECHO: u8 = 0;

/// A clock, and datagrams to and from nodes that have a number. What is damaged on the way must not arrive.
pub trait Link {
    /// The time since the start.
    fn now(&mut self) -> Instant;

    /// Bytes that a stranger cannot guess.
    fn entropy<const N: usize>(&mut self) -> [u8; N];

    /// Sends a datagram to `node`. It may get lost.
    fn send(&mut self, node: u8, datagram: &[u8]);

    /// Waits until `due` for a datagram; where it comes from, and its bytes in `buf`.
    fn recv<'b>(&mut self, due: Option<Instant>, buf: &'b mut [u8]) -> Option<(u8, &'b [u8])>;
}
