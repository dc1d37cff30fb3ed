//! What a connection costs in bytes of RAM: the figures in the README, as limits that a change must not pass unseen.

use rdt_proto::connection::Connection;
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};

/// A machine that borrows its memory for bodies.
type Borrowing<'m> = Connection<SendSlots<&'m mut [u8]>, RecvSlots<&'m mut [u8]>>;
/// One that holds it: one slot of 1,200 bytes each way.
type Holding = Connection<SendSlots<[u8; slot_bytes(1_200)]>, RecvSlots<[u8; slot_bytes(1_200)]>>;

#[test]
fn a_stop_and_wait_connection_stays_small() {
    let (borrowing, holding) = (size_of::<Borrowing<'_>>(), size_of::<Holding>());
    println!("apart from bodies {borrowing} bytes, with a slot of 1,200 bytes each way {holding}");
    assert!(borrowing <= 640, "{borrowing}");
    assert!(holding <= 3_072, "{holding}");
}
