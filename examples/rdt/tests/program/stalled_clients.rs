//! Clients that hold the places of a server: they only probe, stall, or never close.

use crate::runner::Place;
use rdt_proto::connection::{CloseReason, Config, Connection, HeapStopAndWait, Method, Storage};
use rdt_proto::ftp::{self, Output, Session};
use rdt_proto::{Duration, Instant};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// What a client does once it is connected.
#[derive(Clone, Copy)]
enum Habit {
    /// It asks for nothing.
    Probes,
    /// It announces a file and sends no byte of it.
    Stalls,
    /// It asks for a file that does not exist, and never closes.
    StaysOpen,
}

/// A connection that only keeps itself alive.
struct Holder {
    socket: UdpSocket,
    connection: Connection<HeapStopAndWait>,
}

impl Holder {
    /// A client on a host of its own for each `per_host` clients.
    fn new(number: usize, per_host: usize, server: &str) -> Self {
        Self::with(Config::default(), number, per_host, server)
    }

    fn with(config: Config, number: usize, per_host: usize, server: &str) -> Self {
        let host = u8::try_from(2 + number / per_host).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
        socket.connect(server).unwrap();
        socket.set_nonblocking(true).unwrap();
        let config = Config { keep_alive: Duration::from_millis(200), ..config };
        let mut entropy = [7; 32];
        entropy[..8].copy_from_slice(&number.to_be_bytes());
        entropy[8..16].copy_from_slice(&(number + 1_000_000).to_be_bytes());
        let storage = Storage::stop_and_wait_on_heap(&config).unwrap();
        let mut connection = Connection::connect(Instant::ZERO, config, entropy, storage).unwrap();
        let request = match number % 3 {
            0 => Habit::Probes,
            1 => Habit::Stalls,
            _ => Habit::StaysOpen,
        };
        let (config, name) = (ftp::ClientConfig::default(), ftp::Name::new("held").unwrap());
        let mut session = match request {
            Habit::Probes => None,
            Habit::Stalls => Some(ftp::Client::upload(config, name, 1_000_000)),
            Habit::StaysOpen => Some(ftp::Client::download(config, name)),
        };
        if let Some(Output::Header(header)) = session.as_mut().and_then(Session::poll_output) {
            connection.send_segment(header).unwrap();
        }
        Self { socket, connection }
    }

    /// Exchanges datagrams. Nothing is read, and FIN is never sent.
    fn turn(&mut self, now: Instant) {
        let mut buf = [0; 2_048];
        loop {
            match self.socket.recv(&mut buf) {
                Ok(len) => drop(self.connection.handle_datagram(now, &buf[..len])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The answer to a packet that the server no longer expected.
                Err(_) => {}
            }
        }
        self.connection.handle_timeout(now);
        while let Ok(Some(sent)) = self.connection.poll_transmit(now, &mut buf) {
            let _ = self.socket.send(&buf[..sent.len]);
        }
    }
}

/// Clients that hold places, on a thread of their own.
struct Holders {
    connected: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Holders {
    fn start(count: usize, per_host: usize, server: &str) -> Self {
        let (connected, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(count)));
        let stop = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&connected), Arc::clone(&open), Arc::clone(&stop));
        let mut holders: Vec<_> = (0..count).map(|number| Holder::new(number, per_host, server)).collect();
        let thread = thread::spawn(move || {
            let (connected, open, stop) = shared;
            let start = std::time::Instant::now();
            while !stop.load(Ordering::Relaxed) {
                let now = Instant::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap());
                holders.iter_mut().for_each(|holder| holder.turn(now));
                let established = holders.iter().filter(|holder| holder.connection.is_established()).count();
                connected.fetch_max(established, Ordering::Relaxed);
                open.store(holders.iter().filter(|h| h.connection.ended().is_none()).count(), Ordering::Relaxed);
                thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        Self { connected, open, stop, thread: Some(thread) }
    }

    fn wait_until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        for _ in 0..6_000 {
            if is(self) {
                return;
            }
            thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!(
            "{what}: {} were connected, {} are open",
            self.connected.load(Ordering::Relaxed),
            self.open.load(Ordering::Relaxed)
        );
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn clients_that_make_no_progress_hold_no_place_for_ever() {
    const PLACES: usize = 300;
    let place = Place::new();
    // The limit on the request is 2 s, that on progress 4 s, and that on the close 1 s.
    let server = place.serve(&["--timeout", "2", "--max-peers", "300", "--per-host", "150"]);
    std::fs::write(place.client("small"), b"small").unwrap();
    let holders = Holders::start(PLACES, 100, &server.address);
    holders.wait_until("all places are held", |holders| holders.connected.load(Ordering::Relaxed) > PLACES * 9 / 10);
    holders.wait_until("all places are free again", |holders| holders.open.load(Ordering::Relaxed) == 0);
    place.put(&place.client("small"), &server.address, &[]).expect_end(0, "stored");
}

#[test]
fn an_honest_client_hears_that_all_places_are_held() {
    let place = Place::new();
    let server = place.serve(&["--max-peers", "10", "--per-host", "100"]);
    std::fs::write(place.client("small"), b"small").unwrap();
    let holders = Holders::start(10, 100, &server.address);
    holders.wait_until("all places are held", |holders| holders.connected.load(Ordering::Relaxed) == 10);
    let mut honest = place.put(&place.client("small"), &server.address, &["--timeout", "60"]);
    honest.expect("is busy: trying again");
    assert_eq!(holders.open.load(Ordering::Relaxed), 10, "the limits are longer than the answer");
    drop(holders);
    honest.expect_end(0, "stored");
}

/// Connects, and sends nothing. Returns how the connection ends with the server, and what has come.
fn stop_before_a_request(config: Config, options: &[&str]) -> (Option<CloseReason>, Vec<u8>) {
    let place = Place::new();
    let server = place.serve(&[&["--drain", "0"], options].concat());
    let mut client = Holder::with(config, 0, 1, &server.address);
    let start = std::time::Instant::now();
    let mut turn_until = |is: fn(&Connection<HeapStopAndWait>) -> bool| {
        for _ in 0..6_000 {
            client.turn(Instant::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap()));
            if is(&client.connection) {
                return;
            }
            thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("{:?}", client.connection.stats());
    };
    turn_until(Connection::is_established);
    // The server serves it by then.
    thread::sleep(std::time::Duration::from_millis(500));
    server.running.terminate();
    turn_until(|connection| connection.ended().is_some() || !connection.recv_chunk().is_empty());
    (client.connection.ended(), client.connection.recv_chunk().to_vec())
}

/// Regression: a server that ended answered in one of the two sessions, and a client that spoke the other said that the
/// answer was invalid. In base mode there is but one.
#[test]
fn a_client_that_has_sent_nothing_hears_no_message_that_it_may_not_know() {
    let cancelled = ftp::ErrorCode::Cancelled.value();
    let stopped = stop_before_a_request(Config::default(), &[]);
    assert_eq!(stopped, (Some(CloseReason::Reset { code: cancelled }), vec![]));
    let base = Config::rostov(Method::StopAndWait);
    let (_, said) = stop_before_a_request(base, &["--profile", "rostov", "--peer-method", "stop-and-wait"]);
    assert_eq!(said, [4, cancelled]);
}
