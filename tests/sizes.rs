//! What a connection costs in bytes of RAM: the figures in the README, which a change must not alter unseen.

use rdt_proto::connection::Connection;
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};

/// A machine that borrows its memory for bodies.
type Borrowing<'m> = Connection<SendSlots<&'m mut [u8]>, RecvSlots<&'m mut [u8]>>;
/// One that holds it: one slot of 1,200 bytes each way.
type Holding = Connection<SendSlots<[u8; slot_bytes(1_200)]>, RecvSlots<[u8; slot_bytes(1_200)]>>;

#[test]
#[cfg(target_pointer_width = "64")]
fn a_stop_and_wait_connection_takes_what_the_readme_says() {
    assert_eq!((size_of::<Borrowing<'_>>(), size_of::<Holding>()), (512, 2_888));
}
