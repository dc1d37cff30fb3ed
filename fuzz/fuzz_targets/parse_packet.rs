//! Any bytes under every framing: no panic, and what is accepted encodes to itself.
#![no_main]

use fuzz_harness::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    wire::parse_packet(datagram);
    wire::round_trip_packet(datagram);
});
