//! Addresses of simulated hosts in traces.

use rdt_proto::Address;

/// An address: a host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At(pub u8, pub u16);

impl Address for At {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0
    }
}
