//! The event loop: one UDP socket, one endpoint, one thread.
//!
//! The machines of the library use no socket and no clock. This loop provides both, in the same way for a client and
//! for a server with many peers:
//!
//! 1. Send what [`Endpoint::poll_transmit`] returns, until it returns `None` or the socket is full.
//! 2. If the last read found the socket empty, sleep until a datagram arrives, [`Endpoint::poll_timeout`] is due, or a
//!    waker fires. The deadline may already have passed.
//! 3. Read the clock. Then read a batch from the socket, even if the poller reported nothing. In-order content goes
//!    straight from the datagram to its file. [`Endpoint::handle_batch_end`] does the rest, once for the batch.
//! 4. If the read found the socket empty, handle timeouts at the time of step 3.
//! 5. Handle the results of other threads, such as those of the disk.
//!
//! The order matters, because a slow disk, SIGSTOP or a busy machine can stall the process at any point. After a stall,
//! deadlines have passed, but the answers of the peers may wait in the socket. So the loop handles the timeouts of a
//! time only after all datagrams that arrived before this time. No live peer then times out. During a flood the socket
//! is never empty. So timers also run after [`TIMERS_AFTER`] batches.

use crate::binding;
use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::loss::Loss;
use crate::network_error::{Call, Setbacks, Severity, severity};
use crate::socket::{RecvBuf, Socket};
use crate::stop::Stop;
use mio::{Events, Poll, Token, Waker};
use rdt_proto::connection::Config;
use rdt_proto::{Duration, Instant};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// The number of batches after which timers run even if the socket is not empty.
///
/// By default the kernel buffers fewer datagrams than so many batches hold. So all datagrams that waited during a stall
/// are read before timers run.
const TIMERS_AFTER: u32 = 2_048;

/// The interval at which timers run while the socket is full.
const BLOCKED_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum time that the last datagrams wait for room in the socket after the endpoint is finished.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Driver {
    poll: Poll,
    socket: Socket,
    waker: Arc<Waker>,
    clock: Clock,
    stop: Stop,
    recv_buf: RecvBuf,
    /// The waits that failed in a row.
    setbacks: Setbacks,
}

impl Driver {
    /// Binds a socket. `datagram_bytes` is the largest datagram that the endpoint sends.
    pub(crate) fn bind(address: SocketAddr, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        Self::on(binding::bind(address)?, datagram_bytes, loss, stop)
    }

    /// Creates a driver on a non-blocking socket.
    pub(crate) fn on(socket: std::net::UdpSocket, datagram_bytes: usize, loss: Loss, stop: Stop) -> io::Result<Self> {
        let poll = Poll::new()?;
        let socket = Socket::new(poll.registry(), SOCKET, socket, datagram_bytes, loss)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        stop.add_waker(waker.clone());
        Ok(Self {
            poll,
            socket,
            waker,
            clock: Clock::start(),
            stop,
            recv_buf: RecvBuf::new(),
            setbacks: Setbacks::default(),
        })
    }

    /// Lets the system send in fragments what is larger than the MTU, if the peer takes bodies of a fixed size.
    pub(crate) fn fragmenting(self, config: &Config) -> io::Result<Self> {
        if config.framing.is_base_only() {
            self.socket.allow_fragments()?;
        }
        Ok(self)
    }

    /// Lets the system report closed ports, for a client.
    pub(crate) fn hearing_icmp(self) -> io::Result<Self> {
        self.socket.hear_icmp()?;
        Ok(self)
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_address()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What ends the sleep of the loop, for threads that work for the endpoint.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// The number of datagrams dropped by artificial loss.
    pub(crate) fn dropped(&self) -> u64 {
        self.socket.dropped()
    }

    pub(crate) fn network_error(&self) -> Option<&io::Error> {
        self.socket.network_error()
    }

    /// Runs until the endpoint is finished.
    pub(crate) fn run(&mut self, endpoint: &mut impl Endpoint) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let (mut stops, mut drains, mut batches, mut finished_at) = (0, false, 0, None);
        loop {
            self.socket.transmit(self.poll.registry(), &self.clock, endpoint)?;
            if endpoint.is_finished() {
                let now = self.now();
                if !self.socket.is_blocked() || *finished_at.get_or_insert(now) + FAREWELL_LIMIT <= now {
                    return Ok(());
                }
            }
            self.sleep(endpoint, &mut events)?;
            let now = self.now();
            self.socket.receive(now, &mut self.recv_buf, endpoint)?;
            batches += 1;
            if self.socket.is_drained() || batches >= TIMERS_AFTER {
                batches = 0;
                if endpoint.poll_timeout().is_some_and(|due| due <= now) {
                    endpoint.handle_timeout(now);
                }
            }
            endpoint.handle_wake(now);
            if self.stop.is_draining() && !drains {
                drains = true;
                endpoint.handle_drain(now);
            }
            if self.stop.count() > stops {
                stops = self.stop.count();
                endpoint.handle_stop(now);
            }
        }
    }

    /// Sleeps until a socket event, a waker or the deadline of the endpoint. Returns at once if the socket may have
    /// datagrams. While the socket is full, [`BLOCKED_INTERVAL`] replaces the deadline. While reads pause after errors,
    /// the sleep ends with the pause.
    ///
    /// The poller rounds the deadline up to its granularity (`epoll`: 1 ms). It never wakes early, so the loop does not
    /// spin.
    fn sleep(&mut self, endpoint: &mut impl Endpoint, events: &mut Events) -> io::Result<()> {
        if !self.socket.is_drained() {
            return Ok(());
        }
        let due = if self.socket.is_blocked() {
            Some(BLOCKED_INTERVAL)
        } else {
            endpoint.poll_timeout().map(|due| due.saturating_since(self.now()))
        };
        let timeout = due.into_iter().chain(self.socket.pause()).min();
        match self.poll.poll(events, timeout.map(Into::into)) {
            Ok(()) => self.setbacks.succeed(),
            Err(error) => match severity(&error) {
                // A signal has interrupted the call, or the process continues after SIGSTOP.
                Severity::Interrupted | Severity::WouldBlock => return Ok(()),
                Severity::Passing => {
                    endpoint.handle_network_error(self.now(), Call::Wait, &error);
                    self.setbacks.fail();
                    if let Some(pause) = self.setbacks.pause() {
                        thread::sleep(timeout.map_or(pause, |timeout| timeout.min(pause)).into());
                    }
                    return Ok(());
                }
                Severity::Fatal => return Err(error),
            },
        }
        if events.iter().any(|event| event.token() == SOCKET && event.is_writable()) {
            self.socket.on_writable(self.poll.registry());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Driver;
    use crate::endpoint::{Address, Body, Endpoint, Outgoing};
    use crate::loss::Loss;
    use crate::stop::Stop;
    use rdt_proto::{BufferTooSmall, Instant};
    use std::net::{SocketAddr, UdpSocket};

    /// The number of waiting datagrams. They are more than one batch.
    const WAITING: usize = 20;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Seen {
        Datagram,
        Timeout,
        Stop,
    }

    /// An endpoint whose timer is due until a timeout or a stop ends it.
    struct Overdue {
        seen: Vec<Seen>,
        /// A socket that sends a new datagram for each received datagram.
        ///
        /// The driver's socket is therefore never empty.
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

        fn handle_datagram_too_large(&mut self, _now: Instant, _to: Address, _len: usize) {}

        fn handle_wake(&mut self, _now: Instant) {}

        fn handle_stop(&mut self, _now: Instant) {
            self.seen.push(Seen::Stop);
        }

        fn poll_transmit(
            &mut self,
            _now: Instant,
            _max: usize,
            _buf: &mut [u8],
        ) -> Result<Option<Outgoing>, BufferTooSmall> {
            Ok(None)
        }

        fn body(&self, _body: Body) -> &[u8] {
            &[]
        }

        fn poll_timeout(&self) -> Option<Instant> {
            (!self.ended()).then_some(Instant::ZERO)
        }

        fn is_finished(&self) -> bool {
            self.ended()
        }
    }

    /// A driver with waiting datagrams, the socket that sent them, and the driver's address.
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
    fn timers_run_during_a_flood() {
        let (mut driver, socket, to) = driver_with_waiting(Stop::default());
        let mut endpoint = Overdue { seen: Vec::new(), flood: Some((socket, to)) };
        driver.run(&mut endpoint).unwrap();
        assert_eq!(endpoint.seen.last(), Some(&Seen::Timeout));
        assert!(endpoint.seen.len() > WAITING);
    }

    #[test]
    fn a_stop_is_handled_during_a_flood() {
        let stop = Stop::default();
        let (mut driver, socket, to) = driver_with_waiting(stop.clone());
        stop.request();
        let mut endpoint = Overdue { seen: Vec::new(), flood: Some((socket, to)) };
        driver.run(&mut endpoint).unwrap();
        assert!(endpoint.seen.contains(&Seen::Stop));
    }
}
