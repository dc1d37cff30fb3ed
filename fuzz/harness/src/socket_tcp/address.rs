//! Addresses in pairs that share a host.

use arbitrary::Arbitrary;
use rdt_proto::Address;

/// An address; two consecutive ones are ports of one host.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TestAddress(pub(super) u8);

impl Address for TestAddress {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0 / 2
    }
}
