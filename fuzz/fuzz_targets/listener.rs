//! Any calls in any order on a listener: no panic, and every promise kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdt_proto::listener::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::any_order(bytes));
