//! SocketTCP: any bytes as a datagram, any calls on one connection, any calls on a listener.

mod address;
mod any_order;
mod counter;
mod listener;

pub use any_order::any_order;
pub use listener::listener;

use rdt_proto::socket_tcp::{MAX_BODY, MAX_SEGMENT, Segment};

/// Checks that the segment of a datagram survives the wire.
///
/// Zeros in front of the number are lost, and so are the bytes of a body after the first [`MAX_BODY`].
///
/// # Panics
///
/// If the segment differs.
pub fn parse(datagram: &[u8]) {
    let Ok(segment) = Segment::decode(datagram) else { return };
    let mut buf = [0; MAX_SEGMENT];
    let len = segment.encode(&mut buf).unwrap_or(0);
    let sent = Segment { body: segment.body.get(..MAX_BODY).unwrap_or(segment.body), ..segment };
    assert_eq!(buf.get(..len).map(Segment::decode), Some(Ok(sent)), "{segment:?}");
}
