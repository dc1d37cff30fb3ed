//! Test addresses, two for each host.

use arbitrary::Arbitrary;
use rdt_proto::Address;

/// An address. The addresses 2n and 2n + 1 have the same host.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TestAddress(pub(super) u8);

impl Address for TestAddress {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0 / 2
    }
}
