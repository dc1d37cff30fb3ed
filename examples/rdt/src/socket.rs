//! The UDP socket of one endpoint: sends what is due and receives what has arrived, in batches.
//!
//! It has room for what many clients send at once, and may share its port with the sockets of other threads.

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

/// How many datagrams one system call may receive, and how large they may be. The kernel may join several of one sender up
/// to that size (GRO): so hundreds may be handed over between two calls of [`Endpoint::poll_transmit`].
const BATCH: usize = 8;
const RECV_BYTES: usize = 1 << 16;
/// What the kernel takes to cut apart has at most the size of a datagram.
const GSO_BYTES: usize = 65_507;

/// How much the kernel keeps for a socket whose program is busy: some 10 ms at 1 Gbit/s. It gives less where it is configured to
/// (`net.core.rmem_max` on Linux), and then loses what comes above: the peers repeat it.
const BUFFER_BYTES: usize = 4 << 20;

/// Memory to receive into, which sockets of one thread share.
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
    /// What stands in `send_buf` and the socket did not take yet.
    unsent: Option<(Address, Transmit)>,
    /// The socket had nothing more to read. Only then may we sleep: the poller tells once what has come.
    drained: bool,
    /// The latest failure of the network: nothing that ends a transfer, but it may explain why one ended.
    network_error: Option<io::Error>,
}

impl Socket {
    /// A socket that does not block. `datagram_bytes`: the largest datagram that the endpoint sends.
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

    /// How many datagrams were dropped on purpose.
    pub(crate) fn dropped(&self) -> u64 {
        self.loss.dropped()
    }

    pub(crate) fn network_error(&self) -> Option<&io::Error> {
        self.network_error.as_ref()
    }

    /// Whether the socket was empty when it was read last.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained
    }

    /// Whether something waits until the socket has room.
    pub(crate) fn is_blocked(&self) -> bool {
        self.unsent.is_some()
    }

    /// The socket has room again.
    pub(crate) fn on_writable(&mut self, registry: &Registry) -> io::Result<()> {
        registry.reregister(&mut self.socket, self.token, Interest::READABLE)
    }

    /// Sends until there is nothing more to send, or no room.
    pub(crate) fn transmit(
        &mut self,
        registry: &Registry,
        clock: &Clock,
        endpoint: &mut impl Endpoint,
    ) -> io::Result<()> {
        loop {
            if self.unsent.is_none() {
                let now = clock.now();
                // As many as the kernel cuts apart: 1 where it cannot.
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
                    // The bytes stay where they are until the socket has room.
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    return registry.reregister(&mut self.socket, self.token, interest);
                }
                // As good as lost on the way: it will be repeated, or time out.
                Err(error) => self.network_error = Some(error),
            }
            self.unsent = None;
        }
    }

    /// One batch, at a time that is not later than the call that reads it: whatever the socket has not got by then has not
    /// come yet.
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

/// A socket with this address. `shared`: others have it, too, and the system spreads the peers over them.
pub(crate) fn bind(address: SocketAddr, shared: bool) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if shared {
        share(&socket)?;
    }
    // As much as we may have: less is slower, and no error.
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

/// What ICMP reports says something about one peer, or about one who pretends: never a reason to end.
fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}
