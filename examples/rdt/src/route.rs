//! What the route to a peer carries.

use std::net::SocketAddr;

/// The largest packet of IP on the route to `peer`, in bytes, as far as this system knows. `None` if it does not tell.
///
/// The path behind the interface may carry less. A connection finds that out (RFC 8899).
#[cfg(target_os = "linux")]
pub(crate) fn mtu(peer: SocketAddr) -> Option<u32> {
    use rustix::net::sockopt;
    use socket2::{Domain, Protocol, SockAddr, Socket, Type};
    // A server names addresses of IPv4 as addresses of IPv6 if its socket takes both.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    // A socket without a peer has no route. To connect one sends nothing.
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP)).ok()?;
    socket.connect(&SockAddr::from(peer)).ok()?;
    if peer.is_ipv4() { sockopt::ip_mtu(&socket).ok() } else { sockopt::ipv6_mtu(&socket).ok() }
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mtu(_peer: SocketAddr) -> Option<u32> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_route_to_this_machine_carries_more_than_a_packet_of_ethernet() {
        for peer in ["127.0.0.1:9", "[::ffff:127.0.0.1]:9"] {
            assert!(mtu(peer.parse().unwrap()).is_some_and(|mtu| mtu > 1_500), "{peer}");
        }
    }
}
