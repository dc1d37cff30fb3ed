//! Makes any calls in any order on a connection, which must not panic or break a guarantee.
#![no_main]

use fuzz_harness::connection;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| connection::any_order(bytes));
