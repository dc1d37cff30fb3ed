//! Blocking calls over one UDP port, selective repeat: `bind`, `listen`, `accept`, `connect`, `send`, `recv`, `close`.
//! A waiting call drives every connection of its port, so that no other thread is needed.
//! `cargo run --example blocking` echoes "hello" from a server thread. `cargo test --example blocking` tests each call.

use rdt_proto::connection::{CloseReason, Config, Connection, HeapStorage, Storage};
use rdt_proto::listener::{HeapPeers, Listener, ListenerConfig, PeerId};
use rdt_proto::{Duration, Instant};
use std::cell::RefCell;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::rc::Rc;
use std::thread;

/// The number of packets that a stream buffers each way.
const WINDOW: u32 = 256;
/// The number of datagrams read before answers are sent. More would delay acknowledgements too long.
const BATCH: usize = 8;
/// The number of batches after which timers run even if datagrams wait, so that a flood does not stop the timers.
///
/// The default buffer of a socket holds fewer datagrams. So all that waited during a stall are read before timers run.
const TIMERS_AFTER: u32 = 64;

/// A bound port.
struct Socket(UdpSocket);

impl Socket {
    fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        UdpSocket::bind(address).map(Self)
    }

    /// Listens. Up to `backlog` clients wait to be accepted. Further clients repeat their CONNECT.
    fn listen(self, backlog: usize) -> io::Result<Acceptor> {
        let config = ListenerConfig { backlog, ..ListenerConfig::default() };
        let listener = Listener::new(Instant::ZERO, config, entropy()?);
        Ok(Acceptor(Port::shared(self.0, Machine::Server(Box::new(listener)))))
    }

    fn connect(self, server: SocketAddr, time_out: Duration) -> io::Result<Stream> {
        let config = Config::default();
        let storage = Storage::on_heap(&config, WINDOW).map_err(io::Error::other)?;
        let connection = Connection::connect(Instant::ZERO, config, entropy()?, storage).map_err(io::Error::other)?;
        let stream = Stream { port: Port::shared(self.0, Machine::Client(Box::new(connection), server)), id: None };
        let connected = stream.wait(time_out, |connection| match connection.ended() {
            Some(reason) => Some(Err(failure(reason))),
            None => connection.is_established().then_some(Ok(())),
        })?;
        connected.map(|()| stream).ok_or_else(|| ErrorKind::TimedOut.into())
    }
}

/// A listening port.
struct Acceptor(Rc<RefCell<Port>>);

impl Acceptor {
    fn accept(&self, time_out: Duration) -> io::Result<Stream> {
        let id = self.0.borrow_mut().wait(time_out, |port| port.accept().transpose())?;
        Ok(Stream { port: Rc::clone(&self.0), id: Some(id.ok_or(ErrorKind::TimedOut)?) })
    }
}

/// One connection. Dropping it without [`close`](Self::close) aborts it.
struct Stream {
    port: Rc<RefCell<Port>>,
    /// The identifier of the connection in the listener. `None` at a client.
    id: Option<PeerId>,
}

impl Stream {
    /// Sends `data`, and returns how many bytes were accepted.
    ///
    /// At the time-out, or if the connection ends, it returns the count so far. If the connection ends before the first
    /// byte is accepted, it returns an error. Later calls transmit the accepted bytes that are not sent yet.
    fn send(&self, data: &[u8], time_out: Duration) -> io::Result<usize> {
        let mut count = 0;
        let done = self.wait(time_out, |connection| match connection.send(&data[count..]) {
            Err(error) => Some(Err(io::Error::new(ErrorKind::BrokenPipe, error))),
            Ok(taken) => {
                count += taken;
                (count == data.len()).then_some(Ok(()))
            }
        });
        if count == 0 { done.map(|_| 0) } else { Ok(count) }
    }

    /// Fills `buf`, and returns how many bytes were read.
    ///
    /// At the time-out, at the end of the stream, or if the connection fails, it returns the count so far. If the
    /// connection fails before the first byte is read, it returns an error.
    fn recv(&self, buf: &mut [u8], time_out: Duration) -> io::Result<usize> {
        let mut count = 0;
        let done = self.wait(time_out, |connection| {
            count += connection.recv(&mut buf[count..]);
            match connection.ended().filter(|&reason| reason != CloseReason::Finished) {
                Some(reason) => Some(Err(failure(reason))),
                None => (count == buf.len() || connection.is_finished_reading()).then_some(Ok(())),
            }
        });
        if count == 0 { done.map(|_| 0) } else { Ok(count) }
    }

    /// Closes, and waits until all data is acknowledged and the peer has closed.
    ///
    /// A client then lingers, to repeat its last FINACK.
    fn close(self, time_out: Duration) -> io::Result<()> {
        let closed = self.wait(time_out, |connection| {
            connection.close();
            match connection.ended()? {
                CloseReason::Finished => (self.id.is_some() || connection.is_drained()).then_some(Ok(())),
                reason => Some(Err(failure(reason))),
            }
        })?;
        closed.ok_or_else(|| ErrorKind::TimedOut.into())
    }

    fn wait(
        &self,
        time_out: Duration,
        mut ready: impl FnMut(&mut Connection<HeapStorage>) -> Option<io::Result<()>>,
    ) -> io::Result<Option<()>> {
        self.port.borrow_mut().wait(time_out, |port| ready(port.connection(self.id)?))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut port = self.port.borrow_mut();
        let now = port.now();
        match (&mut port.machine, self.id) {
            (Machine::Client(connection, _), _) => connection.abort(0),
            (Machine::Server(listener), id) => id.into_iter().for_each(|id| listener.release(now, id)),
        }
        let _ = port.transmit();
    }
}

/// A socket and the machine that it drives.
struct Port {
    socket: UdpSocket,
    machine: Machine,
    started: std::time::Instant,
    buf: Vec<u8>,
    /// The number of batches since timers ran.
    batches: u32,
}

enum Machine {
    Client(Box<Connection<HeapStorage>>, SocketAddr),
    Server(Box<Listener<HeapPeers<SocketAddr>>>),
}

impl Port {
    fn shared(socket: UdpSocket, machine: Machine) -> Rc<RefCell<Self>> {
        let (started, buf) = (std::time::Instant::now(), vec![0; 1 << 16]);
        Rc::new(RefCell::new(Self { socket, machine, started, buf, batches: 0 }))
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed().into()
    }

    fn accept(&mut self) -> io::Result<Option<PeerId>> {
        let now = self.now();
        let Machine::Server(listener) = &mut self.machine else { return Ok(None) };
        let Some(incoming) = listener.poll_incoming() else { return Ok(None) };
        let config = listener.config().connection;
        // It is not an error if the client has given up meanwhile.
        Ok(listener.accept(now, incoming, entropy()?, || Storage::on_heap(&config, WINDOW)).ok())
    }

    fn connection(&mut self, id: Option<PeerId>) -> Option<&mut Connection<HeapStorage>> {
        match &mut self.machine {
            Machine::Client(connection, _) => Some(connection),
            Machine::Server(listener) => listener.peer_mut(id?),
        }
    }

    /// Drives the port until `ready` returns a value. Returns `None` at the time-out.
    fn wait<R>(
        &mut self,
        time_out: Duration,
        mut ready: impl FnMut(&mut Self) -> Option<io::Result<R>>,
    ) -> io::Result<Option<R>> {
        let until = self.now() + time_out;
        loop {
            let result = ready(self);
            self.transmit()?;
            if result.is_some() || self.now() >= until {
                return result.transpose();
            }
            self.receive(until)?;
        }
    }

    /// Sends all pending datagrams.
    fn transmit(&mut self) -> io::Result<()> {
        loop {
            let now = self.now();
            let next = match &mut self.machine {
                Machine::Client(connection, server) => {
                    connection.poll_transmit(now, &mut self.buf).map(|next| next.map(|transmit| (*server, transmit)))
                }
                Machine::Server(listener) => listener.poll_transmit(now, &mut self.buf),
            };
            let Some((to, transmit)) = next.map_err(io::Error::other)? else { return Ok(()) };
            let _ = self.socket.send_to(&self.buf[..transmit.len], to); // a datagram that fails counts as lost
        }
    }

    /// Waits for a datagram, a timer or `until`. Reads up to `BATCH` datagrams. Runs timers once no datagram waits.
    fn receive(&mut self, until: Instant) -> io::Result<()> {
        use ErrorKind::{ConnectionReset, Interrupted, TimedOut, WouldBlock};
        let due = match &self.machine {
            Machine::Client(connection, _) => connection.poll_timeout(),
            Machine::Server(listener) => listener.poll_timeout(),
        };
        let wait = due.map_or(until, |due| due.min(until)).saturating_since(self.now());
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)).into()))?;
        let mut is_drained = false;
        for _ in 0..BATCH {
            let (len, from) = match self.socket.recv_from(&mut self.buf) {
                Ok(received) => received,
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => {
                    is_drained = true;
                    break;
                }
                // A datagram may wait. Windows reports by `ConnectionReset` that a peer has closed its port.
                Err(error) if matches!(error.kind(), Interrupted | ConnectionReset) => break,
                Err(error) => return Err(error),
            };
            let (now, datagram) = (self.now(), &self.buf[..len]);
            match &mut self.machine {
                Machine::Client(connection, server) if *server == from => {
                    connection.handle_datagram(now, datagram);
                }
                Machine::Client(..) => {}
                Machine::Server(listener) => {
                    listener.handle_datagram(now, from, datagram);
                }
            }
            self.socket.set_nonblocking(true)?;
        }
        self.socket.set_nonblocking(false)?;
        self.batches += 1;
        if is_drained || self.batches >= TIMERS_AFTER {
            self.batches = 0;
            let now = self.now();
            match &mut self.machine {
                Machine::Client(connection, _) => connection.handle_timeout(now),
                Machine::Server(listener) => listener.handle_timeout(now),
            }
        }
        Ok(())
    }
}

fn failure(reason: CloseReason) -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, reason)
}

/// Returns unpredictable bytes.
fn entropy<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

const PATIENCE: Duration = Duration::from_secs(10);
const SERVER: ([u8; 4], u16) = ([127, 0, 0, 1], 6969);

/// Echoes the data of one client.
fn serve() -> io::Result<()> {
    let stream = Socket::bind(SocketAddr::from(SERVER))?.listen(8)?.accept(PATIENCE)?;
    let mut message = [0; 5];
    let count = stream.recv(&mut message, PATIENCE)?;
    stream.send(&message[..count], PATIENCE)?;
    stream.close(PATIENCE)
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = thread::spawn(serve);
    let stream = Socket::bind("127.0.0.1:0")?.connect(SERVER.into(), PATIENCE)?;
    stream.send(b"hello", PATIENCE)?;
    let mut answer = [0; 5];
    let count = stream.recv(&mut answer, PATIENCE)?;
    println!("the server said {:?}", String::from_utf8_lossy(&answer[..count]));
    stream.close(PATIENCE)?;
    Ok(server.join().map_err(|_| "the server panicked")??)
}

#[cfg(test)]
mod tests;
