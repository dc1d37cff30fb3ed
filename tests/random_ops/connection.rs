//! Any calls on a connection, from random bytes, as in the fuzz target `any_order`.

use fuzz_harness::connection;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_connection_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        connection::any_order(&bytes);
    }
}
