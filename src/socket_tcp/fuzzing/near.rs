//! Addresses that are close to each other.

use crate::Address;
use arbitrary::Arbitrary;

/// An address: two ports of each host.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Near(pub(super) u8);

impl Address for Near {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0 / 2
    }
}
