//! Any segments and calls in SocketTCP, from random bytes, as in the fuzz target `socket_tcp`.

use fuzz_harness::socket_tcp;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_connection_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        socket_tcp::any_order(&bytes);
    }

    #[test]
    fn a_listener_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        socket_tcp::listener(&bytes);
    }

    #[test]
    fn a_decoded_segment_survives_the_wire(
        flags in "[01]\\|\\|\\|[01]\\|\\|\\|[01]\\|\\|\\|", number in "0{0,9}[0-9]{0,20}", body in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        socket_tcp::parse(&[flags.as_bytes(), number.as_bytes(), b"|||", &body].concat());
    }
}
