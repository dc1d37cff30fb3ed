//! What machines that know addresses must know of one.

use core::hash::Hash;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a datagram came from: whatever it takes to answer. A server on a wildcard address names both ends in it, its own and
/// the peer's, so that it answers from the address that was called.
///
/// Implemented for [`SocketAddr`] and for unsigned integers (the number of a node, of a radio, of a serial line).
///
/// ```
/// use rdt_proto::Address;
/// use std::net::{IpAddr, SocketAddr};
///
/// #[derive(Clone, Copy, PartialEq, Eq, Hash)]
/// struct BothEnds {
///     peer: SocketAddr,
///     local: IpAddr,
/// }
///
/// impl Address for BothEnds {
///     type Host = <SocketAddr as Address>::Host;
///
///     fn host(&self) -> Self::Host {
///         self.peer.host()
///     }
/// }
/// ```
pub trait Address: Copy + Eq + Hash {
    /// What one party holds many addresses of: the host without its ports.
    type Host: Copy + Eq + Hash;

    /// Whose address it is: a listener bounds how many connections one host has
    /// ([`per_host`](crate::listener::ListenerConfig::per_host)), and a client of [`socket_tcp`](crate::socket_tcp) takes the
    /// answer to its SYN from the host that it called.
    fn host(&self) -> Self::Host;
}

/// The host is the IP address without the port. Of IPv6 its network of 64 bits: that is what one subscriber has (RFC 6177).
impl Address for SocketAddr {
    type Host = IpAddr;

    fn host(&self) -> IpAddr {
        match self.ip().to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

macro_rules! numbers_are_addresses {
    ($($number:ty),+) => {
        $(
            /// Each is a host of its own.
            impl Address for $number {
                type Host = Self;

                fn host(&self) -> Self {
                    *self
                }
            }
        )+
    };
}

numbers_are_addresses!(u8, u16, u32, u64, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_without_port_or_a_network_of_64_bits() {
        let host = |text: &str| text.parse::<SocketAddr>().unwrap().host();
        assert_eq!(host("192.0.2.1:1"), host("192.0.2.1:2"));
        assert_ne!(host("192.0.2.1:1"), host("192.0.2.2:1"));
        assert_eq!(host("[::ffff:192.0.2.1]:1"), host("192.0.2.1:2"));
        assert_eq!(host("[2001:db8:0:1::1]:1"), host("[2001:db8:0:1:ffff::2]:2"));
        assert_ne!(host("[2001:db8:0:1::1]:1"), host("[2001:db8:0:2::1]:1"));
    }
}
