//! SocketTCP: any bytes as a datagram, any calls on one connection, any calls on a listener.

mod address;
mod any_order;
mod counter;
mod listener;

pub use any_order::any_order;
pub use listener::listener;

use rdt_proto::socket_tcp::{MAX_SEGMENT, Segment};

/// Checks that a datagram that decodes also encodes to the same bytes.
///
/// # Panics
///
/// If the encoding differs.
pub fn parse(datagram: &[u8]) {
    let Ok(segment) = Segment::decode(datagram) else { return };
    let mut buf = [0; MAX_SEGMENT];
    let encoded = segment.encode(&mut buf).map(|len| buf.get(..len));
    assert_eq!(encoded, Ok(Some(datagram)), "{segment:?}");
}
