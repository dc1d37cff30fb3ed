//! What must hold for any input: the bodies of the fuzz target `socket_tcp`, which property tests call too.

mod any_order;
mod crowd;
mod near;

pub use any_order::any_order;
pub use crowd::crowd;

use super::{MAX_SEGMENT, Segment};

/// Reads any datagram.
///
/// # Panics
///
/// One is accepted that is not written again byte for byte.
pub fn parse(datagram: &[u8]) {
    let Ok(segment) = Segment::decode(datagram) else { return };
    let mut buf = [0; MAX_SEGMENT];
    let encoded = segment.encode(&mut buf).map(|len| buf.get(..len));
    assert_eq!(encoded, Ok(Some(datagram)), "{segment:?}");
}
