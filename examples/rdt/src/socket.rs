//! The UDP socket of one endpoint: sends pending datagrams and receives in batches.
//!
//! Its buffers hold what many clients send at once. It may share its port with the sockets of other threads.

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

/// The number and the size of the buffers of one receive call.
///
/// The kernel may join several datagrams of one sender in a buffer (GRO), so hundreds of datagrams may be handled
/// between two calls of [`Endpoint::poll_transmit`].
const BATCH: usize = 8;
const RECV_BYTES: usize = 1 << 16;
/// The maximum length that the kernel splits into datagrams (GSO): that of a datagram.
const GSO_BYTES: usize = 65_507;

/// The kernel's buffer for a socket, about 10 ms at 1 Gbit/s.
///
/// The kernel may be configured to give less (`net.core.rmem_max` on Linux). It then drops datagrams during a stall,
/// and the peers repeat them.
const BUFFER_BYTES: usize = 4 << 20;

/// Memory to receive into, shared by the sockets of a thread.
pub(crate) struct RecvBuf(Vec<u8>);

impl RecvBuf {
    pub(crate) fn new() -> Self {
        Self(vec![0; BATCH * RECV_BYTES])
    }
}

/// One socket.
pub(crate) struct Socket {
    token: Token,
    socket: UdpSocket,
    state: UdpSocketState,
    loss: Loss,
    send_buf: Vec<u8>,
    /// A batch in `send_buf` that the socket has not accepted yet.
    unsent: Option<(Address, Transmit)>,
    /// The socket was read until it was empty. Sleep only then: the poller reports each arrival once.
    drained: bool,
    /// The latest network error. It ends no transfer, but may explain why one ended.
    network_error: Option<io::Error>,
}

impl Socket {
    /// Creates a non-blocking socket. `datagram_bytes` is the largest datagram that the endpoint sends.
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

    /// Handles room in the socket.
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
                // As many datagrams as the kernel splits: 1 where it does not.
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
                // Like a lost datagram: it is repeated, or times out.
                Err(error) => self.network_error = Some(error),
            }
            self.unsent = None;
        }
    }

    /// Receives one batch. `now` must not be later than this call.
    ///
    /// Then each datagram that arrived by `now` is in the socket.
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

/// Binds a socket. If `shared`, other sockets have the same port, and the system distributes the peers.
pub(crate) fn bind(address: SocketAddr, shared: bool) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if shared {
        share(&socket)?;
    }
    // A smaller buffer is slower, and no error.
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

/// Whether an ICMP error concerns one peer. It may be forged, so it never ends the endpoint.
fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}
