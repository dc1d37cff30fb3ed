//! An event loop: one mio poll and one socket for all connections, selective repeat.
//! `serve` echoes the data of each client. `send` sends some MiB, reads them back and prints the throughput.
//! Run: `cargo run --release --example mio serve 127.0.0.1:6969`, and `… mio send 127.0.0.1:6969 100`.

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use rdt_proto::connection::{Config, Connection, Event, HeapStorage, Storage, Transmit};
use rdt_proto::listener::{HeapPeers, Listener, ListenerConfig};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::error::Error;
use std::io::ErrorKind;
use std::net::SocketAddr;

type Failure = Box<dyn Error>;
type Sending = Result<Option<(SocketAddr, Transmit)>, BufferTooSmall>;

/// The number of packets that a connection buffers each way. They fit into the default buffer of a socket.
const WINDOW: u32 = 64;
/// The number of datagrams read before answers are sent. More would delay acknowledgements too long.
const BATCH: usize = 8;
/// The number of batches after which timers run even if datagrams wait, so that a flood does not stop the timers.
///
/// The default buffer of a socket holds fewer datagrams. So all that waited during a stall are read before timers run.
const TIMERS_AFTER: u32 = 64;
/// The maximum time to wait while the socket accepts no datagram. Timers run after each wait.
const BLOCKED: Duration = Duration::from_millis(10);

/// A machine that the loop drives.
trait Machine {
    /// Reads, writes and accepts. Returns whether the work is complete.
    fn work(&mut self, now: Instant) -> Result<bool, Failure>;
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Sending;
    fn poll_timeout(&self) -> Option<Instant>;
}

fn run(address: SocketAddr, machine: &mut impl Machine) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    let now = || Instant::ZERO + started.elapsed().into();
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let mut socket = UdpSocket::bind(address)?;
    // Events are edge-triggered: each readiness is reported once.
    poll.registry().register(&mut socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
    let (mut send_buf, mut recv_buf) = (vec![0; 2_048], vec![0; 1 << 16]);
    // A datagram in `send_buf` that the socket has not accepted yet.
    let mut unsent: Option<(SocketAddr, usize)> = None;
    let (mut is_drained, mut batches) = (false, 0);
    loop {
        let is_over = machine.work(now())?;
        loop {
            if unsent.is_none() {
                let next = machine.poll_transmit(now(), &mut send_buf)?;
                unsent = next.map(|(to, transmit)| (to, transmit.len));
            }
            let Some((to, len)) = unsent else { break };
            match socket.send_to(&send_buf[..len], to) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break, // the bytes stay in the buffer
                Ok(_) | Err(_) => unsent = None,                              // a datagram that fails counts as lost
            }
        }
        if is_over && unsent.is_none() {
            return Ok(());
        }
        let due = machine.poll_timeout().map(|due| due.saturating_since(now()));
        let wait = match unsent {
            _ if !is_drained => Some(Duration::ZERO),
            Some(_) => Some(BLOCKED),
            None => due,
        };
        match poll.poll(&mut events, wait.map(Into::into)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        is_drained = false;
        for _ in 0..BATCH {
            match socket.recv_from(&mut recv_buf) {
                Ok((len, from)) => machine.handle_datagram(now(), from, &recv_buf[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    is_drained = true;
                    break;
                }
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionReset) => {}
                Err(error) => return Err(error.into()),
            }
        }
        batches += 1;
        if is_drained || batches >= TIMERS_AFTER {
            batches = 0;
            machine.handle_timeout(now());
        }
    }
}

struct Server(Listener<HeapPeers<SocketAddr>>);

impl Machine for Server {
    fn work(&mut self, now: Instant) -> Result<bool, Failure> {
        let listener = &mut self.0;
        while let Some(incoming) = listener.poll_incoming() {
            let config = listener.config().connection;
            // It is not an error if the client has given up meanwhile.
            listener.accept(now, incoming, entropy()?, || Storage::on_heap(&config, WINDOW)).ok();
        }
        while let Some((id, event)) = listener.poll_event() {
            if let Event::Closed(reason) = event {
                println!("{:?}: {reason}", listener.address(id));
                listener.release(now, id);
            } else if let Some(connection) = listener.peer_mut(id) {
                echo(connection);
            }
        }
        Ok(false)
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.0.handle_datagram(now, from, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Sending {
        self.0.poll_transmit(now, buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // A connection may have sent its last datagram, so that there is room for a waiting client.
        if self.0.has_incoming() { Some(Instant::ZERO) } else { self.0.poll_timeout() }
    }
}

/// Echoes data while there is room to send. Unread data closes the window, so that the client sends no more.
fn echo(connection: &mut Connection<HeapStorage>) {
    let mut buf = [0; 1_200];
    loop {
        let room = connection.send_slot().map_or(0, |slot| slot.len().min(buf.len()));
        let len = connection.recv(&mut buf[..room]);
        if len == 0 || connection.send(&buf[..len]).is_err() {
            break;
        }
    }
    if connection.is_finished_reading() {
        connection.close();
    }
}

struct Client {
    connection: Connection<HeapStorage>,
    server: SocketAddr,
    total: usize,
    sent: usize,
    read: usize,
}

impl Machine for Client {
    fn work(&mut self, now: Instant) -> Result<bool, Failure> {
        let (content, mut buf) = ([7; 1_200], [0; 1_200]);
        while self.sent < self.total {
            match self.connection.send(&content[..content.len().min(self.total - self.sent)])? {
                0 => break, // the buffer is full until an acknowledgement arrives
                count => self.sent += count,
            }
        }
        if self.sent == self.total {
            self.connection.close(); // the echo is still received
        }
        while let count @ 1.. = self.connection.recv(&mut buf) {
            self.read += count;
        }
        let Some(reason) = self.connection.ended() else { return Ok(false) };
        if self.read < self.total {
            return Err(format!("{} of {} bytes came back: {reason}", self.read, self.total).into());
        }
        let micros = now.saturating_since(Instant::ZERO).as_micros();
        println!("{:.0} MB/s each way", self.total as f64 / micros as f64);
        Ok(true)
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if from == self.server {
            self.connection.handle_datagram(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Sending {
        Ok(self.connection.poll_transmit(now, buf)?.map(|transmit| (self.server, transmit)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }
}

/// Returns unpredictable bytes.
fn entropy<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => {
            let listener = Listener::new(Instant::ZERO, ListenerConfig::default(), entropy()?);
            run(address.parse()?, &mut Server(listener))
        }
        ["send", server, mib] => {
            let config = Config::default();
            let storage = Storage::on_heap(&config, WINDOW)?;
            let connection = Connection::connect(Instant::ZERO, config, entropy()?, storage)?;
            let total = mib.parse::<usize>()? << 20;
            let mut client = Client { connection, server: server.parse()?, total, sent: 0, read: 0 };
            run(SocketAddr::from(([0, 0, 0, 0], 0)), &mut client)
        }
        _ => Err("usage: mio serve ADDRESS | mio send ADDRESS MIB".into()),
    }
}
