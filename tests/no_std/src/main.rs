//! A program without `std` and without an allocator that links the crate and moves a message between two connections. It
//! links only if nothing in the crate needs either, and exits with 0 only if the message arrived.
#![no_std]
#![no_main]

use rdt_proto::connection::{Config, Connection, Hello, Storage};
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};
use rdt_proto::{Duration, Instant};

const SEGMENT: u16 = 64;
const SLOT: usize = slot_bytes(SEGMENT);

// For `memcpy` and `main`; the crate itself needs nothing of it.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    if arrives(b"without an allocator") { 0 } else { 1 }
}

fn storage() -> Option<Storage<SendSlots<[u8; SLOT]>, RecvSlots<[u8; SLOT]>>> {
    Some(Storage::stop_and_wait(SendSlots::new([0; SLOT], SEGMENT).ok()?, RecvSlots::new([0; SLOT], SEGMENT).ok()?))
}

fn arrives(message: &[u8]) -> bool {
    let (Some(client), Some(server)) = (storage(), storage()) else { return false };
    let mut now = Instant::ZERO;
    let mut client = Connection::connect(now, Config::base(), [1; 32], client);
    let mut server = Connection::accept(now, Config::base(), [2; 32], Hello::BASE, server);
    let (mut datagram, mut received) = ([0; 128], [0; 64]);
    if client.send(message) != Ok(message.len()) {
        return false;
    }
    client.close();
    server.close();
    while !(client.is_drained() && server.is_drained()) {
        while let Ok(Some(transmit)) = client.poll_transmit(now, &mut datagram) {
            server.handle_datagram(now, &datagram[..transmit.len]);
        }
        while let Ok(Some(transmit)) = server.poll_transmit(now, &mut datagram) {
            client.handle_datagram(now, &datagram[..transmit.len]);
        }
        now = now + Duration::from_millis(10);
        client.handle_timeout(now);
        server.handle_timeout(now);
    }
    let len = server.recv(&mut received);
    received.get(..len) == Some(message)
}
