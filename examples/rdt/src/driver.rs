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

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::loss::Loss;
use crate::socket;
use crate::socket::{RecvBuf, Socket};
use crate::stop::Stop;
use mio::{Events, Poll, Token, Waker};
use rdt_proto::Instant;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const SOCKET: Token = Token(0);
const STOP: Token = Token(1);

/// After so many batches timers run, even if the socket is still not empty: more than the kernel keeps for a socket unless
/// it is told a lot, so that what waited during a pause is read before.
const TIMERS_AFTER: u32 = 2_048;

/// How often to look at the clock while the socket takes nothing.
const BLOCKED_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) struct Driver {
    poll: Poll,
    socket: Socket,
    clock: Clock,
    stop: Stop,
    recv_buf: RecvBuf,
}

impl Driver {
    /// `datagram_bytes`: the largest datagram that the endpoint sends.
    pub(crate) fn bind(address: SocketAddr, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        Self::on(socket::bind(address, false)?, datagram_bytes, loss, stop)
    }

    /// On a socket that does not block.
    pub(crate) fn on(socket: std::net::UdpSocket, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        let poll = Poll::new()?;
        let socket = Socket::new(poll.registry(), SOCKET, socket, datagram_bytes, loss)?;
        stop.add_waker(Arc::new(Waker::new(poll.registry(), STOP)?));
        Ok(Self { poll, socket, clock: Clock::start(), stop, recv_buf: RecvBuf::new() })
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_address()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How many datagrams were dropped on purpose.
    pub(crate) fn dropped(&self) -> u64 {
        self.socket.dropped()
    }

    pub(crate) fn network_error(&self) -> Option<&io::Error> {
        self.socket.network_error()
    }

    /// Runs until the endpoint is finished.
    pub(crate) fn run(&mut self, endpoint: &mut impl Endpoint) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let (mut stops, mut batches) = (0, 0);
        loop {
            self.socket.transmit(self.poll.registry(), &self.clock, endpoint)?;
            if endpoint.is_finished() && !self.socket.is_blocked() {
                return Ok(());
            }
            self.sleep(endpoint.poll_timeout(), &mut events)?;
            let now = self.now();
            self.socket.receive(now, &mut self.recv_buf, endpoint)?;
            batches += 1;
            if self.socket.is_drained() || batches >= TIMERS_AFTER {
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

    /// Sleeps until there is something to do. The poller rounds up to what it can measure (epoll: 1 ms), so that nothing
    /// is too early and we do not spin.
    fn sleep(&mut self, due: Option<Instant>, events: &mut Events) -> io::Result<()> {
        if !self.socket.is_drained() {
            return Ok(());
        }
        let timeout = if self.socket.is_blocked() {
            Some(BLOCKED_INTERVAL)
        } else {
            due.map(|due| due.saturating_since(self.now()).into())
        };
        match self.poll.poll(events, timeout) {
            // A signal, or a pause that is over: as good as any other reason to look at everything again.
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        if events.iter().any(|event| event.token() == SOCKET && event.is_writable()) {
            self.socket.on_writable(self.poll.registry())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Driver;
    use crate::endpoint::{Address, Endpoint};
    use crate::loss::Loss;
    use crate::stop::Stop;
    use rdt_proto::connection::Transmit;
    use rdt_proto::{BufferTooSmall, Instant};
    use std::net::{SocketAddr, UdpSocket};

    /// More than a driver reads at once.
    const WAITING: usize = 20;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Seen {
        Datagram,
        Timeout,
        Stop,
    }

    /// Its timer has been due for ever, and it ends after it.
    struct Overdue {
        seen: Vec<Seen>,
        /// Who sends one more datagram for each that came, so that the socket is never empty.
        flood: Option<(UdpSocket, SocketAddr)>,
    }

    impl Overdue {
        fn ended(&self) -> bool {
            self.seen.iter().any(|seen| *seen != Seen::Datagram)
        }
    }

    impl Endpoint for Overdue {
        fn handle_datagram(&mut self, _now: Instant, _from: Address, _datagram: &[u8]) {
            self.seen.push(Seen::Datagram);
            if let Some((socket, to)) = &self.flood {
                socket.send_to(b"more", to).unwrap();
            }
        }

        fn handle_timeout(&mut self, _now: Instant) {
            self.seen.push(Seen::Timeout);
        }

        fn handle_stop(&mut self, _now: Instant) {
            self.seen.push(Seen::Stop);
        }

        fn poll_transmit(
            &mut self,
            _now: Instant,
            _max: usize,
            _buf: &mut [u8],
        ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
            Ok(None)
        }

        fn poll_timeout(&self) -> Option<Instant> {
            (!self.ended()).then_some(Instant::ZERO)
        }

        fn is_finished(&self) -> bool {
            self.ended()
        }
    }

    /// A driver in whose socket datagrams wait, and who sent them.
    fn driver_with_waiting(stop: Stop) -> (Driver, UdpSocket, SocketAddr) {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let driver = Driver::bind(loopback, 1, Loss::new(0.0, 1), stop).unwrap();
        let (socket, to) = (UdpSocket::bind(loopback).unwrap(), driver.local_address().unwrap());
        for _ in 0..WAITING {
            socket.send_to(b"waits", to).unwrap();
        }
        (driver, socket, to)
    }

    #[test]
    fn waiting_datagrams_are_read_before_an_overdue_timer() {
        let (mut driver, _socket, _) = driver_with_waiting(Stop::default());
        let mut endpoint = Overdue { seen: Vec::new(), flood: None };
        driver.run(&mut endpoint).unwrap();
        let (last, before) = endpoint.seen.split_last().unwrap();
        assert_eq!(*last, Seen::Timeout);
        assert_eq!(before, [Seen::Datagram; WAITING]);
    }

    #[test]
    fn a_flood_does_not_delay_timers() {
        let (mut driver, socket, to) = driver_with_waiting(Stop::default());
        let mut endpoint = Overdue { seen: Vec::new(), flood: Some((socket, to)) };
        driver.run(&mut endpoint).unwrap();
        assert_eq!(endpoint.seen.last(), Some(&Seen::Timeout));
        assert!(endpoint.seen.len() > WAITING);
    }

    #[test]
    fn a_flood_does_not_delay_a_stop() {
        let stop = Stop::default();
        let (mut driver, socket, to) = driver_with_waiting(stop.clone());
        stop.request();
        let mut endpoint = Overdue { seen: Vec::new(), flood: Some((socket, to)) };
        driver.run(&mut endpoint).unwrap();
        assert!(endpoint.seen.contains(&Seen::Stop));
    }
}
