//! The UDP socket of an endpoint. It sends and receives datagrams in batches, and gathers the parts of large ones.
//!
//! [`binding`](crate::binding) makes the sockets.

mod gathering;

use crate::clock::Clock;
use crate::endpoint::{Address, Body, Endpoint, Outgoing};
use crate::loss::Loss;
use crate::network_error::{Call, Setbacks, Severity, is_too_large, severity};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rdt_proto::connection::{Gather, Transmit};
use rdt_proto::{Duration, Instant};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

/// The number of buffers of one receive call.
///
/// The kernel may join several datagrams of one sender in a buffer (GRO). So hundreds of datagrams may be handled
/// between two calls of [`Endpoint::poll_transmit`].
const BATCH: usize = 8;
/// The size of each buffer of a receive call, in bytes.
const RECV_BYTES: usize = 1 << 16;
/// The maximum number of bytes that the kernel splits into datagrams (GSO). It is the maximum length of a datagram.
const GSO_BYTES: usize = 65_507;

/// The size of a datagram that every path carries, in bytes: that of the smallest that a connection tries.
///
/// The refusal of such a datagram says nothing about the path. It counts as a loss, as after any other error.
const EVERY_PATH: usize = 512;

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
    /// Whether the socket names addresses of IPv4 as addresses of IPv6.
    is_ipv6: bool,
    state: UdpSocketState,
    loss: Loss,
    send_buf: Vec<u8>,
    /// A batch in `send_buf` that the socket has not accepted yet.
    unsent: Option<Outgoing>,
    /// Whether the last read found the socket empty. The loop sleeps only then, because the poller reports each arrival
    /// once.
    drained: bool,
    /// The receive calls that failed in a row.
    setbacks: Setbacks,
    /// The send calls in a row that found no room, although the poller may have reported room.
    refusals: Setbacks,
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
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        registry.register(&mut socket, token, Interest::READABLE)?;
        let send_buf = vec![0; (datagram_bytes * state.max_gso_segments()).clamp(datagram_bytes, GSO_BYTES)];
        Ok(Self {
            token,
            socket,
            is_ipv6,
            state,
            loss,
            send_buf,
            unsent: None,
            drained: false,
            setbacks: Setbacks::default(),
            refusals: Setbacks::default(),
            network_error: None,
        })
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

    /// Lets calls report what ICMP messages say about datagrams that were sent, such as that a port is closed.
    ///
    /// A connected socket reports it as well, but keeps its local address, and could not move to another network.
    #[cfg(target_os = "linux")]
    pub(crate) fn hear_icmp(&self) -> io::Result<()> {
        use nix::sys::socket::{setsockopt, sockopt};
        setsockopt(&self.socket, sockopt::Ipv4RecvErr, &true)?;
        if self.local_address()?.is_ipv6() {
            setsockopt(&self.socket, sockopt::Ipv6RecvErr, &true)?;
        }
        Ok(())
    }

    /// Other systems are not asked.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn hear_icmp(&self) -> io::Result<()> {
        Ok(())
    }

    /// Empties the queue of ICMP messages, after a call has reported the latest one. Reports the ports that they name.
    #[cfg(target_os = "linux")]
    fn report_icmp(&self, now: Instant, error: &io::Error, endpoint: &mut impl Endpoint) {
        use rustix::net::{RecvFlags, recvfrom};
        let flags = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
        while let Ok((_, _, to)) = recvfrom(&self.socket, &mut [0; 64][..], flags) {
            let Some(to) = to.and_then(|to| SocketAddr::try_from(to).ok()).map(canonical) else { continue };
            if error.kind() == ErrorKind::ConnectionRefused {
                endpoint.handle_closed_port(now, to);
            } else {
                endpoint.handle_unreachable(now, to);
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn report_icmp(&self, _now: Instant, _error: &io::Error, _endpoint: &mut impl Endpoint) {}

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

    /// Whether the last read found the socket empty, or reads pause after errors.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained
    }

    /// The time until the next call, if calls pause after errors. The poller may not report what waits meanwhile.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.setbacks.pause().into_iter().chain(self.refusals.pause()).min()
    }

    /// Whether a batch waits for room in the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        self.unsent.is_some()
    }

    /// Handles the report that the socket has room: stops watching for room.
    pub(crate) fn on_writable(&mut self, registry: &Registry) {
        self.watch(registry, Interest::READABLE);
    }

    /// Changes what the poller reports. If that fails, the poller may report room that is not needed, and a loop that
    /// needs room tries again after a while.
    fn watch(&mut self, registry: &Registry, interest: Interest) {
        if let Err(error) = registry.reregister(&mut self.socket, self.token, interest) {
            self.network_error = Some(error);
        }
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
                let Some((address, gather)) = polled.map_err(io::Error::other)? else { return Ok(()) };
                let Some(outgoing) = self.thinned(address, gather, endpoint) else { continue };
                self.unsent = Some(outgoing);
            }
            let Some((address, Gather { transmit, body })) = self.unsent else { return Ok(()) };
            let body = body.map(|body| endpoint.body(body));
            if body.is_some_and(|body| transmit.len + body.len() != transmit.segment_size) {
                // It was acknowledged while the socket was full, or the connection has ended.
                (self.unsent, self.refusals) = (None, Setbacks::default());
                continue;
            }
            let datagrams = quinn_udp::Transmit {
                destination: if self.is_ipv6 { mapped(address.peer) } else { address.peer },
                ecn: None,
                contents: &self.send_buf[..transmit.len],
                segment_size: Some(transmit.segment_size),
                src_ip: address.local,
            };
            let sent = self.socket.try_io(|| match body {
                None => self.state.try_send(UdpSockRef::from(&self.socket), &datagrams),
                Some(body) => gathering::send(&self.socket, &datagrams, body),
            });
            match sent {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // The bytes stay in the buffer until the socket has room.
                    self.refusals.fail();
                    if self.refusals.pause().is_none() {
                        self.watch(registry, Interest::READABLE | Interest::WRITABLE);
                    }
                    return Ok(());
                }
                // The datagram counts as lost: it is retransmitted, or the connection times out.
                Err(error) => {
                    if is_too_large(&error) && transmit.segment_size > EVERY_PATH {
                        endpoint.handle_datagram_too_large(clock.now(), address, transmit.segment_size);
                    } else {
                        endpoint.handle_network_error(clock.now(), Call::Send, &error);
                        endpoint.handle_unreachable(clock.now(), address.peer);
                    }
                    self.report_icmp(clock.now(), &error, endpoint);
                    self.network_error = Some(explained(error, transmit.segment_size));
                }
            }
            (self.unsent, self.refusals) = (None, Setbacks::default());
        }
    }

    /// What the artificial loss leaves of these datagrams. Makes them whole if the system gathers no parts.
    fn thinned(&mut self, to: Address, gather: Gather<Body>, endpoint: &impl Endpoint) -> Option<Outgoing> {
        let Gather { transmit, body } = gather;
        let transmit = match body {
            Some(_) if gathering::IS_SUPPORTED => return (!self.loss.drops()).then_some((to, gather)),
            Some(body) => {
                self.send_buf[transmit.len..transmit.segment_size].copy_from_slice(endpoint.body(body));
                Transmit { len: transmit.segment_size, ..transmit }
            }
            None => transmit,
        };
        let len = self.loss.thin(&mut self.send_buf[..transmit.len], transmit.segment_size);
        (len > 0).then_some((to, Transmit { len, ..transmit }.into()))
    }

    /// Receives one batch. `now` must not be later than this call.
    ///
    /// If the call finds the socket empty, all datagrams that arrived by `now` have been handled. An error that may
    /// pass is reported to the endpoint, and the next call follows at once, or after a [pause](Self::pause) if it
    /// persists.
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
        match received {
            Ok(count) => {
                (self.drained, self.setbacks) = (false, Setbacks::default());
                for (meta, slice) in metas.iter().zip(&slices).take(count) {
                    let from = Address { peer: canonical(meta.addr), local: meta.dst_ip };
                    for datagram in slice[..meta.len].chunks(meta.stride.max(1)) {
                        endpoint.handle_datagram(now, from, datagram);
                    }
                }
                endpoint.handle_batch_end(now);
            }
            Err(error) => match severity(&error) {
                Severity::WouldBlock => (self.drained, self.setbacks) = (true, Setbacks::default()),
                Severity::Interrupted => self.drained = false,
                Severity::Passing => {
                    self.report_icmp(now, &error, endpoint);
                    self.setbacks.fail();
                    self.drained = self.setbacks.pause().is_some();
                    endpoint.handle_network_error(now, Call::Receive, &error);
                    self.network_error = Some(error);
                }
                Severity::Fatal => return Err(error),
            },
        }
        Ok(())
    }
}

/// The error, with the size of the datagram if the path does not carry it.
fn explained(error: io::Error, bytes: usize) -> io::Error {
    if is_too_large(&error) {
        return io::Error::new(error.kind(), format!("a datagram of {bytes} bytes is too large"));
    }
    error
}

/// The address as a socket of IPv6 names it.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// The address in its own family.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
