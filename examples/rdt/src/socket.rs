//! The UDP socket of an endpoint. It sends and receives datagrams in batches.
//!
//! The kernel's buffers are large enough for many clients that send at once. Sockets of several threads may share a
//! port.

use crate::clock::Clock;
use crate::endpoint::{Address, Endpoint};
use crate::loss::Loss;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rdt_proto::Instant;
use rdt_proto::connection::Transmit;
use socket2::{Domain, Protocol, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;

/// The number of buffers of one receive call.
///
/// The kernel may join several datagrams of one sender in a buffer (GRO). So hundreds of datagrams may be handled
/// between two calls of [`Endpoint::poll_transmit`].
const BATCH: usize = 8;
/// The size of each buffer of a receive call, in bytes.
const RECV_BYTES: usize = 1 << 16;
/// The maximum number of bytes that the kernel splits into datagrams (GSO). It is the maximum length of a datagram.
const GSO_BYTES: usize = 65_507;

/// The size of the kernel's send buffer and receive buffer of a socket, in bytes. At 1 Gbit/s it fills in some 30 ms.
///
/// The system may limit the buffers to a smaller size (`net.core.rmem_max` on Linux). The kernel then drops datagrams
/// during a stall, and the peers retransmit them.
const BUFFER_BYTES: usize = 4 << 20;

/// The receive buffers, which all sockets of a thread share.
pub(crate) struct RecvBuf(Vec<u8>);

impl RecvBuf {
    pub(crate) fn new() -> Self {
        Self(vec![0; BATCH * RECV_BYTES])
    }
}

/// The socket of an endpoint.
pub(crate) struct Socket {
    token: Token,
    socket: UdpSocket,
    state: UdpSocketState,
    loss: Loss,
    send_buf: Vec<u8>,
    /// A batch in `send_buf` that the socket has not accepted yet.
    unsent: Option<(Address, Transmit)>,
    /// Whether the last read found the socket empty. The loop sleeps only then, because the poller reports each arrival
    /// once.
    drained: bool,
    /// The latest network error. It does not end a transfer, but may explain the end of one.
    network_error: Option<io::Error>,
}

impl Socket {
    /// Registers a non-blocking socket. `datagram_bytes` is the largest datagram that the endpoint sends.
    pub(crate) fn new(
        registry: &Registry,
        token: Token,
        socket: std::net::UdpSocket,
        datagram_bytes: usize,
        loss: Loss,
    ) -> io::Result<Self> {
        let mut socket = UdpSocket::from_std(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        let send_buf = vec![0; (datagram_bytes * state.max_gso_segments()).clamp(datagram_bytes, GSO_BYTES)];
        Ok(Self { token, socket, state, loss, send_buf, unsent: None, drained: false, network_error: None })
    }

    /// Lets the system send large datagrams in fragments. Otherwise it refuses a datagram larger than the MTU.
    #[cfg(target_os = "linux")]
    pub(crate) fn allow_fragments(&self) -> io::Result<()> {
        use nix::sys::socket::{setsockopt, sockopt::Ipv6DontFrag};
        use rustix::net::sockopt;
        // An IPv6 socket may also send to IPv4 addresses.
        sockopt::set_ip_mtu_discover(&self.socket, sockopt::Ipv4PathMtuDiscovery::DONT)?;
        if self.local_address()?.is_ipv6() {
            sockopt::set_ipv6_mtu_discover(&self.socket, sockopt::Ipv6PathMtuDiscovery::DONT)?;
            setsockopt(&self.socket, Ipv6DontFrag, &false)?;
        }
        Ok(())
    }

    /// Other systems are not asked.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn allow_fragments(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The number of datagrams dropped by artificial loss.
    pub(crate) fn dropped(&self) -> u64 {
        self.loss.dropped()
    }

    pub(crate) fn network_error(&self) -> Option<&io::Error> {
        self.network_error.as_ref()
    }

    /// Whether the last read found the socket empty.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained
    }

    /// Whether a batch waits for room in the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        self.unsent.is_some()
    }

    /// Handles the report that the socket has room: stops watching for room.
    pub(crate) fn on_writable(&mut self, registry: &Registry) -> io::Result<()> {
        registry.reregister(&mut self.socket, self.token, Interest::READABLE)
    }

    /// Sends until nothing is pending or the socket is full.
    pub(crate) fn transmit(
        &mut self,
        registry: &Registry,
        clock: &Clock,
        endpoint: &mut impl Endpoint,
    ) -> io::Result<()> {
        loop {
            if self.unsent.is_none() {
                let now = clock.now();
                // The kernel splits a batch into at most `max_gso_segments` datagrams. Without GSO that is 1.
                let polled = endpoint.poll_transmit(now, self.state.max_gso_segments(), &mut self.send_buf);
                let Some((address, transmit)) = polled.map_err(io::Error::other)? else { return Ok(()) };
                let kept = self.loss.thin(&mut self.send_buf[..transmit.len], transmit.segment_size);
                if kept == 0 {
                    continue;
                }
                self.unsent = Some((address, Transmit { len: kept, ..transmit }));
            }
            let Some((address, transmit)) = self.unsent else { return Ok(()) };
            let datagrams = quinn_udp::Transmit {
                destination: address.peer,
                ecn: None,
                contents: &self.send_buf[..transmit.len],
                segment_size: Some(transmit.segment_size),
                src_ip: address.local,
            };
            match self.socket.try_io(|| self.state.try_send(UdpSockRef::from(&self.socket), &datagrams)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // The bytes stay in the buffer until the socket has room.
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    return registry.reregister(&mut self.socket, self.token, interest);
                }
                // The datagram counts as lost: it is retransmitted, or the connection times out.
                Err(error) => {
                    if is_too_large(&error) {
                        endpoint.handle_datagram_too_large(clock.now(), address, transmit.segment_size);
                    }
                    self.network_error = Some(error);
                }
            }
            self.unsent = None;
        }
    }

    /// Receives one batch. `now` must not be later than this call.
    ///
    /// If the call finds the socket empty, all datagrams that arrived by `now` have been handled.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        recv_buf: &mut RecvBuf,
        endpoint: &mut impl Endpoint,
    ) -> io::Result<()> {
        let mut metas = [RecvMeta::default(); BATCH];
        let mut buffers = recv_buf.0.chunks_exact_mut(RECV_BYTES);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        let received = self.socket.try_io(|| self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas));
        self.drained = false;
        match received {
            Ok(count) => {
                for (meta, slice) in metas.iter().zip(&slices).take(count) {
                    let from = Address { peer: meta.addr, local: meta.dst_ip };
                    for datagram in slice[..meta.len].chunks(meta.stride.max(1)) {
                        endpoint.handle_datagram(now, from, datagram);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.drained = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_about_a_peer(&error) => self.network_error = Some(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Binds a socket. If `shared` is set, other sockets may bind the same port, and the system assigns each peer to one of
/// them.
pub(crate) fn bind(address: SocketAddr, shared: bool) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if shared {
        share(&socket)?;
    }
    // A smaller buffer is slower, but not an error.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
fn share(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not spread peers over several sockets"))
}

/// Whether the path does not carry a datagram of this size: the MTU of the interface, or of an ICMP message.
#[cfg(unix)]
fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

#[cfg(windows)]
fn is_too_large(error: &io::Error) -> bool {
    /// `WSAEMSGSIZE`
    const TOO_LARGE: i32 = 10_040;
    error.raw_os_error() == Some(TOO_LARGE)
}

/// Whether an error comes from an ICMP message about one peer. The message may be forged, so it never ends the
/// endpoint.
fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}
