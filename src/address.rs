//! The address of a peer, generic over the link.

use core::hash::Hash;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The source of a datagram, and everything that is needed to answer it.
///
/// Implemented for [`SocketAddr`] and for unsigned integers, such as the number of a node, a radio or a serial line.
///
/// A server that is bound to a wildcard address includes its local address. An answer can then be sent from the address
/// that the peer knows:
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
    /// The part that all addresses of one endpoint share, such as an IP address without its port.
    type Host: Copy + Eq + Hash;

    /// The host that the address belongs to.
    ///
    /// A listener limits the connections of each host ([`per_host`](crate::listener::ListenerConfig::per_host)). A
    /// client of [`socket_tcp`](crate::socket_tcp) can require that the answer to its SYN comes from the host to which
    /// the SYN was sent.
    fn host(&self) -> Self::Host;
}

/// The host is the IPv4 address, or the /64 network of the IPv6 address, without the port.
///
/// One subscriber has at least a /64 network (RFC 6177). An IPv4-mapped IPv6 address counts as its IPv4 address.
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
            /// Each number is a host of its own.
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
