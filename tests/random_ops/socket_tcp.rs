//! SocketTCP with any bytes and any calls, from random bytes: what the fuzz target `socket_tcp` explores for longer.

use proptest::prelude::*;
use rdt_proto::socket_tcp::fuzzing;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_connection_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzzing::any_order(&bytes);
    }

    #[test]
    fn a_listener_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzzing::crowd(&bytes);
    }

    #[test]
    fn a_datagram_that_is_read_is_written_again_byte_for_byte(
        flags in "[01]\\|\\|\\|[01]\\|\\|\\|[01]\\|\\|\\|", number in "[0-9]{0,20}", body in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        fuzzing::parse(&[flags.as_bytes(), number.as_bytes(), b"|||", &body].concat());
    }
}
