//! Two connections over a network that does what the input says: what arrives is what was sent, and the end comes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdt_proto::connection::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::pair(bytes));
