//! Makes any calls in any order on both sides of a file session with many requests.
#![no_main]

use fuzz_harness::files;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    files::server(bytes);
    files::client(bytes);
});
