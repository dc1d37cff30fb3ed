//! Two connections over a network that random bytes describe: what the fuzz target `pair` explores for longer.

use proptest::prelude::*;
use rdt_proto::connection::fuzzing;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_arrives_is_what_was_sent_and_the_end_comes(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzzing::pair(&bytes);
    }
}
