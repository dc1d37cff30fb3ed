//! Datagrams in two parts, which one call gathers: their bodies are not copied before the system takes them.

use mio::net::UdpSocket;
use quinn_udp::Transmit;
use std::io;

/// Whether [`send`] works here.
pub(super) const IS_SUPPORTED: bool = cfg!(target_os = "linux");

/// Sends one datagram: the contents of `head`, and `body`.
#[cfg(target_os = "linux")]
pub(super) fn send(socket: &UdpSocket, head: &Transmit<'_>, body: &[u8]) -> io::Result<()> {
    use nix::errno::Errno;
    use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
    use std::io::IoSlice;
    use std::net::IpAddr;
    use std::os::fd::AsRawFd;

    let parts = [IoSlice::new(head.contents), IoSlice::new(body)];
    let to = SockaddrStorage::from(head.destination);
    let send = |from: &[ControlMessage<'_>]| {
        loop {
            match sendmsg(socket.as_raw_fd(), &parts, from, MsgFlags::empty(), Some(&to)) {
                Err(Errno::EINTR) => {}
                sent => return sent.map(drop).map_err(io::Error::from),
            }
        }
    };
    match head.src_ip {
        None => send(&[]),
        Some(IpAddr::V4(ip)) => {
            let source = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
            let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: in_addr { s_addr: 0 } };
            send(&[ControlMessage::Ipv4PacketInfo(&info)])
        }
        Some(IpAddr::V6(ip)) => {
            let info = in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 };
            send(&[ControlMessage::Ipv6PacketInfo(&info)])
        }
    }
}

/// No other system is asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn send(_socket: &UdpSocket, _head: &Transmit<'_>, _body: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
