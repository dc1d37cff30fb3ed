//! Two connections over a network that does what the input says: what arrives is what was sent, and the end comes.
#![no_main]

use fuzz_harness::connection;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| connection::pair(bytes));
