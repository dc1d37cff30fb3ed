//! Parses any bytes as a datagram of SocketTCP, and makes any calls in any order on a connection and a listener.
#![no_main]

use fuzz_harness::socket_tcp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    socket_tcp::parse(bytes);
    socket_tcp::any_order(bytes);
    socket_tcp::listener(bytes);
});
