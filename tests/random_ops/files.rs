//! Any calls on the sides of a file session with many requests, from random bytes, as in the fuzz target `files`.

use fuzz_harness::files;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_server_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..1_500)) {
        files::server(&bytes);
    }

    #[test]
    fn a_client_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..1_500)) {
        files::client(&bytes);
    }
}
