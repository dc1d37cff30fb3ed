//! The event loop of the program `rdt`: what it hands over, and in which order.

#![allow(dead_code, reason = "these modules belong to the program")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

#[path = "../examples/rdt/clock.rs"]
mod clock;
#[path = "../examples/rdt/driver.rs"]
mod driver;
#[path = "../examples/rdt/loss.rs"]
mod loss;
#[path = "../examples/rdt/port.rs"]
mod port;
#[path = "../examples/rdt/socket.rs"]
mod socket;
#[path = "../examples/rdt/stop.rs"]
mod stop;

use driver::Driver;
use loss::Loss;
use port::{Address, Endpoint};
use rdt_proto::connection::Transmit;
use rdt_proto::{BufferTooSmall, Instant};
use std::net::{SocketAddr, UdpSocket};
use stop::Stop;

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
fn what_waits_is_read_before_a_timer_that_is_long_due() {
    let (mut driver, _socket, _) = driver_with_waiting(Stop::default());
    let mut endpoint = Overdue { seen: Vec::new(), flood: None };
    driver.run(&mut endpoint).unwrap();
    let (last, before) = endpoint.seen.split_last().unwrap();
    assert_eq!(*last, Seen::Timeout);
    assert_eq!(before, [Seen::Datagram; WAITING]);
}

#[test]
fn a_flood_does_not_hold_the_timers_up() {
    let (mut driver, socket, to) = driver_with_waiting(Stop::default());
    let mut endpoint = Overdue { seen: Vec::new(), flood: Some((socket, to)) };
    driver.run(&mut endpoint).unwrap();
    assert_eq!(endpoint.seen.last(), Some(&Seen::Timeout));
    assert!(endpoint.seen.len() > WAITING);
}

#[test]
fn a_flood_does_not_hold_a_stop_up() {
    let stop = Stop::default();
    let (mut driver, socket, to) = driver_with_waiting(stop.clone());
    stop.request();
    let mut endpoint = Overdue { seen: Vec::new(), flood: Some((socket, to)) };
    driver.run(&mut endpoint).unwrap();
    assert!(endpoint.seen.contains(&Seen::Stop));
}
