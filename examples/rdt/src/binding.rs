//! Sockets that are bound to an address.
//!
//! The kernel's buffers are large enough for many clients that send at once. Sockets of several threads may share a
//! port.

use socket2::{Domain, Protocol, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The size of the kernel's send buffer and receive buffer of a socket, in bytes. At 1 Gbit/s it fills in some 30 ms.
///
/// The system may limit the buffers to a smaller size (`net.core.rmem_max` on Linux). The kernel then drops datagrams
/// during a stall, and the peers retransmit them.
const BUFFER_BYTES: usize = 4 << 20;

/// Binds a socket. Fails if any other socket is bound to the address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = create(address)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Binds a socket of a client to any free port.
///
/// If `servers` have addresses of both families, the socket reaches both. A system without such sockets reaches only
/// the family of the first address.
pub(crate) fn bind_towards(servers: &[SocketAddr]) -> io::Result<UdpSocket> {
    let has_both = servers.iter().any(SocketAddr::is_ipv4) && servers.iter().any(SocketAddr::is_ipv6);
    if has_both && let Ok(socket) = bind_both() {
        return Ok(socket);
    }
    let first = servers.first().ok_or(ErrorKind::AddrNotAvailable)?;
    bind(any_address_for(*first))
}

/// Binds a socket that also reaches IPv4, by mapped addresses (RFC 4291 §2.5.5.2).
fn bind_both() -> io::Result<UdpSocket> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let socket = create(any)?;
    socket.set_only_v6(false)?;
    socket.bind(&any.into())?;
    Ok(socket.into())
}

/// The unspecified address of the server's address family.
pub(crate) fn any_address_for(server: SocketAddr) -> SocketAddr {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(any, 0)
}

/// Binds `count` sockets to one address. The system assigns each peer to one of them.
///
/// The first socket is bound alone, and the others may join it only after that. So a second program fails at its first
/// socket, even if both start at once: two servers never share an address.
pub(crate) fn bind_together(address: SocketAddr, count: u8) -> io::Result<Vec<UdpSocket>> {
    let first = create(address)?;
    first.bind(&address.into())?;
    if count > 1 {
        share(&first)?;
    }
    let mut sockets = vec![UdpSocket::from(first)];
    for _ in 1..count {
        // With port 0 the system chose the port of the first socket.
        let address = sockets[0].local_addr()?;
        let other = create(address)?;
        share(&other)?;
        other.bind(&address.into())?;
        sockets.push(other.into());
    }
    Ok(sockets)
}

/// Prepares a socket that another program has bound.
pub(crate) fn adopt(socket: UdpSocket) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::from(socket);
    prepare(&socket)?;
    Ok(socket.into())
}

fn create(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    prepare(&socket)?;
    Ok(socket)
}

/// Makes a socket non-blocking, with large buffers.
fn prepare(socket: &socket2::Socket) -> io::Result<()> {
    // A smaller buffer is slower, but not an error.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)
}

/// Lets other sockets of this user join the address, if they ask for it before they are bound.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
fn share(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::Error::new(ErrorKind::Unsupported, "this system does not spread peers over several sockets"))
}
