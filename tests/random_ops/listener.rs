//! Any calls on a listener, from random bytes, as in the fuzz target `listener`.

use fuzz_harness::listener;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_listener_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        listener::any_order(&bytes);
    }
}
