//! A program without `std` and without an allocator that sends a message between two connections of the crate.
//!
//! The program links only if the crate needs neither of them. It exits with 0 only if the message arrives.
#![no_std]
#![no_main]

use rdt_proto::connection::{Config, Connection, HandshakeParameters, Mode, Storage};
use rdt_proto::store::StoreError;
use rdt_proto::{Duration, Instant};

const CONFIG: Config = Config { mode: Mode::Base, segment: 64, recv_segment: 64, ..Config::new() };

// The program needs libc for `memcpy` and the call of `main`. The crate itself does not need libc.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    if arrives(b"without an allocator") == Ok(true) { 0 } else { 1 }
}

fn arrives(message: &[u8]) -> Result<bool, StoreError> {
    let storage = || Storage::stop_and_wait(&CONFIG, [0; CONFIG.send_bytes(1)], [0; CONFIG.recv_bytes(1)]);
    let mut now = Instant::ZERO;
    let mut client = Connection::connect(now, CONFIG, [1; 32], storage()?)?;
    let mut server = Connection::accept(now, CONFIG, [2; 32], HandshakeParameters::BASE, storage()?)?;
    let (mut datagram, mut received) = ([0; 128], [0; 64]);
    if client.send(message) != Ok(message.len()) {
        return Ok(false);
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
    Ok(received.get(..len) == Some(message))
}
