//! The memory of a connection without its payload slots.

use super::PEERS;
use super::population::{Memory, Population};
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::BandwidthDelay;
use rdt_proto::connection::{Connection, LentStopAndWait, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};

type Borrowed = &'static mut [u8];
/// A connection with selective repeat. It borrows the memory for bodies, and contains the memory for numbers.
type Selective =
    Connection<Storage<SendSlots<Borrowed>, RecvSlots<Borrowed>, SelectiveRepeat<[Block; 1], BandwidthDelay>>>;

pub(crate) fn print() {
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return;
    }
    println!("bytes of a connection, without payload slots");
    println!("  stop-and-wait                                {:>6}", size_of::<Connection<LentStopAndWait<'static>>>());
    println!("  selective repeat, 64 numbers, BandwidthDelay {:>6}", size_of::<Selective>());
    println!("bytes on the heap for each connection of a listener, stop-and-wait, without payload slots");
    for peers in PEERS {
        let mut population = None;
        let measured = allocation_counter::measure(|| population = Some(Population::new(peers)));
        drop(population);
        // The payload slots, and the bench's own state of each client, do not count.
        let others = 2 * size_of::<Memory>() + Population::CLIENT_BYTES;
        let each = usize::try_from(measured.bytes_current).unwrap() / peers - others;
        println!("  {peers:>7} connections {each:>26}");
    }
}
