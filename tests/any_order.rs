//! Any calls in any order, from random bytes: what the fuzz target of the same name explores for longer.

use proptest::prelude::*;
use rdt_proto::connection::fuzzing;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_connection_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzzing::any_order(&bytes);
    }
}

#[test]
fn a_limit_of_zero_still_leaves_the_next_deadline_in_the_future() {
    fuzzing::any_order(&[0, 0, 14, 0, 0, 140, 0, 14, 225, 0, 0, 0, 0, 140, 0, 128, 155, 155]);
}
