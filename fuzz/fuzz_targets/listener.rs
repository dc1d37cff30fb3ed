//! Makes any calls in any order on a listener, which must not panic or break a guarantee.
#![no_main]

use fuzz_harness::listener;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| listener::any_order(bytes));
