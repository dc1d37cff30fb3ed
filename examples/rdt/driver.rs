//! The event loop: one UDP socket, one endpoint, one thread.
//!
//! The machines of the library know no socket and no clock. All that they need from outside is here, and it is the same for
//! a client and for a server with many peers:
//!
//! 1. send what [`Endpoint::poll_transmit`] has, until it has no more or the socket takes no more;
//! 2. if the socket was empty, sleep until a datagram comes, until [`Endpoint::poll_timeout`] is due (it may be already), or
//!    until somebody wakes us;
//! 3. look at the clock, then read a batch from the socket, whatever the poller said;
//! 4. if the socket was empty, tell what is due the time of step 3.
//!
//! The order matters. A process can stand still at any point: a slow disk, SIGSTOP, a busy machine. Afterwards limits
//! seem to be over although the peers have answered in time: their datagrams wait in the socket. So timers only ever see a
//! time at which everything that had come until then was handed over, and a live peer is not taken for a dead one. The one
//! exception is a flood, which must not hold the timers up: they run after [`TIMERS_AFTER`] batches even so.

use crate::loss::Loss;
use crate::socket;
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

impl rdt_proto::listener::Address for Address {
    type Host = IpAddr;

    fn host(&self) -> IpAddr {
        self.peer.host()
    }
}

/// What the loop drives.
pub(crate) trait Endpoint {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    /// Somebody asks us to stop. What remains to be done should be short.
    fn handle_stop(&mut self, now: Instant);
    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall>;
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
/// What the kernel takes to cut apart has at most the size of a datagram.
const GSO_BYTES: usize = 65_507;

/// After so many batches timers run, even if the socket is still not empty: more than the kernel keeps for a socket unless
/// it is told a lot, so that what waited during a pause is read before.
const TIMERS_AFTER: u32 = 2_048;

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
    /// The socket had nothing more to read. Only then may we sleep: the poller tells once what has come.
    drained: bool,
    /// The latest failure of the network: nothing that ends a transfer, but it may explain why one ended.
    network_error: Option<io::Error>,
}

impl Driver {
    /// `datagram_bytes`: the largest datagram that the endpoint sends.
    pub(crate) fn bind(address: SocketAddr, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        Self::on(socket::bind(address, false)?, datagram_bytes, loss, stop)
    }

    /// On a socket that does not block.
    pub(crate) fn on(socket: std::net::UdpSocket, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        let mut socket = UdpSocket::from_std(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
        stop.wakes(Arc::new(Waker::new(poll.registry(), STOP)?));
        let send_buf = vec![0; (datagram_bytes * state.max_gso_segments()).clamp(datagram_bytes, GSO_BYTES)];
        Ok(Self {
            poll,
            socket,
            state,
            clock: Clock(std::time::Instant::now()),
            stop,
            loss,
            recv_buf: vec![0; BATCH * RECV_BYTES],
            send_buf,
            unsent: None,
            drained: false,
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
        let (mut stops, mut batches) = (0, 0);
        loop {
            self.transmit(endpoint)?;
            if endpoint.is_finished() && self.unsent.is_none() {
                return Ok(());
            }
            self.sleep(endpoint.poll_timeout(), &mut events)?;
            let now = self.now();
            self.receive(now, endpoint)?;
            batches += 1;
            if self.drained || batches >= TIMERS_AFTER {
                batches = 0;
                if endpoint.poll_timeout().is_some_and(|due| due <= now) {
                    endpoint.handle_timeout(now);
                }
            }
            if self.stop.count() > stops {
                stops = self.stop.count();
                endpoint.handle_stop(now);
            }
        }
    }

    /// Sends until there is nothing more to send, or no room.
    fn transmit(&mut self, endpoint: &mut impl Endpoint) -> io::Result<()> {
        loop {
            if self.unsent.is_none() {
                let now = self.now();
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
        if !self.drained {
            return Ok(());
        }
        let timeout = match self.unsent {
            Some(_) => Some(BLOCKED_INTERVAL),
            None => due.map(|due| due.saturating_since(self.now()).into()),
        };
        match self.poll.poll(events, timeout) {
            // A signal, or a pause that is over: as good as any other reason to look at everything again.
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        if events.iter().any(|event| event.token() == SOCKET && event.is_writable()) {
            self.poll.registry().reregister(&mut self.socket, SOCKET, Interest::READABLE)?;
        }
        Ok(())
    }

    /// One batch, at a time that is not later than the call that reads it: whatever the socket has not got by then has not
    /// come yet.
    fn receive(&mut self, now: Instant, endpoint: &mut impl Endpoint) -> io::Result<()> {
        let mut metas = [RecvMeta::default(); BATCH];
        let mut buffers = self.recv_buf.chunks_exact_mut(RECV_BYTES);
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
