//! SocketTCP: any bytes as a datagram, and any calls in any order on a connection and on a listener.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdt_proto::socket_tcp::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::parse(bytes);
    fuzzing::any_order(bytes);
    fuzzing::crowd(bytes);
});
