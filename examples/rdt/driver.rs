//! The event loop: one UDP socket, one endpoint, one thread.
//!
//! The machines of the library know no socket and no clock. All that they need from outside is here, and it is the same for
//! a client and for a server with many peers:
//!
//! 1. send what [`Endpoint::poll_transmit`] has, until it has no more or the socket takes no more;
//! 2. sleep until a datagram comes, until [`Endpoint::poll_timeout`] is due, or until somebody wakes us;
//! 3. hand over what came, and the time.

use crate::loss::Loss;
use crate::stop::Stop;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rdt_proto::connection::Transmit;
use rdt_proto::{BufferTooSmall, Instant};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Both ends of a path. A server on a wildcard address must answer from the address that was called, or the client does
/// not recognise the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) peer: SocketAddr,
    /// `None`: the system chooses.
    pub(crate) local: Option<IpAddr>,
}

/// What the loop drives.
pub(crate) trait Endpoint {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    /// Somebody asks us to stop. What remains to be done should be short.
    fn handle_stop(&mut self, now: Instant);
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(Address, Transmit)>, BufferTooSmall>;
    fn poll_timeout(&self) -> Option<Instant>;
    /// Whether the loop shall end, once everything was sent.
    fn is_finished(&self) -> bool;
}

const SOCKET: Token = Token(0);
const STOP: Token = Token(1);

/// How many datagrams one system call may receive, and how large they may be. The kernel may join several of one sender up
/// to that size (GRO).
const BATCH: usize = 8;
const RECV_BYTES: usize = 1 << 16;

/// How often to look at the clock while the socket takes nothing.
const BLOCKED_INTERVAL: Duration = Duration::from_millis(100);

/// The one clock of a driver: what the machines call [`Instant::ZERO`].
struct Clock(std::time::Instant);

impl Clock {
    fn now(&self) -> Instant {
        Instant::ZERO + self.0.elapsed().into()
    }
}

pub(crate) struct Driver {
    poll: Poll,
    socket: UdpSocket,
    state: UdpSocketState,
    clock: Clock,
    stop: Stop,
    loss: Loss,
    recv_buf: Vec<u8>,
    send_buf: Vec<u8>,
    /// What stands in `send_buf` and the socket did not take yet.
    unsent: Option<(Address, Transmit)>,
    /// The socket may have more to read. The poller tells only once, so we remember.
    readable: bool,
    /// The latest failure of the network: nothing that ends a transfer, but it may explain why one ended.
    network_error: Option<io::Error>,
}

impl Driver {
    /// `datagram_bytes`: the largest datagram that the endpoint sends.
    pub(crate) fn bind(address: SocketAddr, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        let mut socket = UdpSocket::bind(address)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
        stop.wakes(Arc::new(Waker::new(poll.registry(), STOP)?));
        Ok(Self {
            poll,
            socket,
            state,
            clock: Clock(std::time::Instant::now()),
            stop,
            loss,
            recv_buf: vec![0; BATCH * RECV_BYTES],
            send_buf: vec![0; datagram_bytes],
            unsent: None,
            readable: true,
            network_error: None,
        })
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How many datagrams were dropped on purpose.
    pub(crate) fn dropped(&self) -> u64 {
        self.loss.dropped()
    }

    pub(crate) fn network_error(&self) -> Option<&io::Error> {
        self.network_error.as_ref()
    }

    /// Runs until the endpoint is finished.
    pub(crate) fn run(&mut self, endpoint: &mut impl Endpoint) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let mut stops = 0;
        loop {
            self.transmit(endpoint)?;
            if endpoint.is_finished() && self.unsent.is_none() {
                return Ok(());
            }
            // Now that everything was sent, what is due is a matter of time alone.
            let (due, now) = (endpoint.poll_timeout(), self.now());
            if due.is_some_and(|due| due <= now) {
                endpoint.handle_timeout(now);
                if self.unsent.is_none() {
                    continue;
                }
            }
            self.sleep(due, &mut events)?;
            if self.readable {
                self.receive(endpoint)?;
            }
            if self.stop.count() > stops {
                stops = self.stop.count();
                endpoint.handle_stop(self.now());
            }
        }
    }

    /// Sends until there is nothing more to send, or no room.
    fn transmit(&mut self, endpoint: &mut impl Endpoint) -> io::Result<()> {
        loop {
            if self.unsent.is_none() {
                let now = self.now();
                let polled = endpoint.poll_transmit(now, &mut self.send_buf);
                self.unsent = polled.map_err(io::Error::other)?;
                if self.unsent.is_some() && self.loss.drops() {
                    self.unsent = None;
                    continue;
                }
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
                    return self.poll.registry().reregister(&mut self.socket, SOCKET, interest);
                }
                // As good as lost on the way: it will be repeated, or time out.
                Err(error) => self.network_error = Some(error),
            }
            self.unsent = None;
        }
    }

    /// Sleeps until there is something to do. The poller rounds up to what it can measure (epoll: 1 ms), so that nothing
    /// is too early and we do not spin.
    fn sleep(&mut self, due: Option<Instant>, events: &mut Events) -> io::Result<()> {
        let blocked = self.unsent.is_some();
        let timeout = match (self.readable, blocked) {
            (true, false) => return Ok(()),
            (true, true) => Some(Duration::ZERO),
            (false, true) => Some(BLOCKED_INTERVAL),
            (false, false) => due.map(|due| due.saturating_since(self.now()).into()),
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Err(_) | Ok(()) => {}
        }
        for event in events.iter().filter(|event| event.token() == SOCKET) {
            // An error is told by the next call on the socket.
            self.readable |= event.is_readable() || event.is_error();
            if event.is_writable() {
                self.poll.registry().reregister(&mut self.socket, SOCKET, Interest::READABLE)?;
            }
        }
        Ok(())
    }

    /// One batch. Until the socket says that it is empty we come back before we sleep.
    fn receive(&mut self, endpoint: &mut impl Endpoint) -> io::Result<()> {
        let mut metas = [RecvMeta::default(); BATCH];
        let mut buffers = self.recv_buf.chunks_exact_mut(RECV_BYTES);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        let received = self.socket.try_io(|| self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas));
        let now = self.clock.now();
        match received {
            Ok(count) => {
                for (meta, slice) in metas.iter().zip(&slices).take(count) {
                    let from = Address { peer: meta.addr, local: meta.dst_ip };
                    for datagram in slice[..meta.len].chunks(meta.stride.max(1)) {
                        endpoint.handle_datagram(now, from, datagram);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if is_about_a_peer(&error) => self.network_error = Some(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What ICMP reports says something about one peer, or about one who pretends: never a reason to end.
fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::Interrupted
    )
}
