//! Any bytes under every framing: no panic, and what is accepted encodes to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdt_proto::wire::fuzzing;

fuzz_target!(|datagram: &[u8]| {
    fuzzing::parse_packet(datagram);
    fuzzing::round_trip_packet(datagram);
});
