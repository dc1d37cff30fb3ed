//! Any calls in any order, from random bytes: what the fuzz target `any_order` explores for longer.

use proptest::prelude::*;
use rdt_proto::connection::fuzzing;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_connection_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzzing::any_order(&bytes);
    }
}
