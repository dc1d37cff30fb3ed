//! Decodes any bytes and encodes any packet, in every kind of framing. An accepted datagram must encode to the same
//! bytes, and an encoded packet must decode to itself.
#![no_main]

use fuzz_harness::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    wire::parse_packet(datagram);
    wire::round_trip_packet(datagram);
});
