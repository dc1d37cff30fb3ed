//! The size of a connection in bytes of RAM, as stated in the README.
#![cfg(target_pointer_width = "64")]

use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno};
use rdt_proto::connection::{Connection, LentStopAndWait, Storage};
use rdt_proto::socket_tcp::SocketConnection;
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};

/// A connection with stop-and-wait that owns its memory for bodies: one slot of 1,200 bytes each way.
type Holding = Connection<Storage<SendSlots<[u8; slot_bytes(1_200)]>, RecvSlots<[u8; slot_bytes(1_200)]>>>;
/// A connection with selective repeat and a window of 64. It borrows memory for bodies and owns its scoreboard.
type Window64<'m, C> =
    Connection<Storage<SendSlots<&'m mut [u8]>, RecvSlots<&'m mut [u8]>, SelectiveRepeat<[Block; 1], C>>>;

#[test]
fn a_stop_and_wait_connection_has_the_size_in_the_readme() {
    assert_eq!((size_of::<Connection<LentStopAndWait<'_>>>(), size_of::<Holding>()), (592, 2_968));
}

#[test]
fn a_selective_repeat_connection_has_the_size_in_the_readme() {
    assert_eq!(size_of::<Block>(), 1_304);
    assert_eq!((size_of::<Window64<'_, FixedWindow>>(), size_of::<Window64<'_, NewReno>>()), (2_216, 2_240));
    assert_eq!((size_of::<Window64<'_, Cubic>>(), size_of::<Window64<'_, BandwidthDelay>>()), (2_376, 2_424));
    assert_eq!(size_of::<Window64<'_, Controller>>(), 2_424);
}

#[test]
fn a_connection_of_socket_tcp_has_the_size_in_the_readme() {
    let sizes = (size_of::<SocketConnection<u16, 16, 16>>(), size_of::<SocketConnection<u16>>());
    assert_eq!(sizes, (440, 1_432));
}
