//! Any calls on a connection, from random bytes, as in the fuzz target `any_order`.

use proptest::prelude::*;
use rdt_proto::connection::fuzzing;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_connection_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzzing::any_order(&bytes);
    }
}
