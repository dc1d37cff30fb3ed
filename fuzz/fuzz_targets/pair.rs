//! Connects two connections over a network that the input directs. Data must arrive unchanged, and both sides must end.
#![no_main]

use fuzz_harness::connection;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| connection::pair(bytes));
