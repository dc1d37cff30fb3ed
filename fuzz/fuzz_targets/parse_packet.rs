//! Decodes any bytes in every framing. Nothing panics, and each accepted datagram encodes to the same bytes.
#![no_main]

use fuzz_harness::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    wire::parse_packet(datagram);
    wire::round_trip_packet(datagram);
});
