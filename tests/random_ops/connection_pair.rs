//! Two connections over a network described by random bytes, as in the fuzz target `pair`.

use fuzz_harness::connection;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn data_arrives_unchanged_and_both_sides_end(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        connection::pair(&bytes);
    }
}
