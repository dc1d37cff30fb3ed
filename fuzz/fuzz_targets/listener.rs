//! Any calls in any order on a listener: no panic, and every promise kept.
#![no_main]

use fuzz_harness::listener;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| listener::any_order(bytes));
