//! Parties of a simulated exchange: each side sends bytes that the other can check, closes, and stays until all is done.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file includes it, and uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod exchange;
mod runs;

pub use exchange::Exchange;
pub use runs::Runs;

use rdt_proto::arq::{Arq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno, Pacer};
use rdt_proto::connection::{Config, Connection, Event, Handled, Hello, Storage};
use rdt_proto::sim::{Address, Node, Outgoing, Rng};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};
use std::hash::{DefaultHasher, Hasher};

/// A connection with its stores on the heap.
pub type Stream<A> = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, A>;

/// What the link below must do, as UDP or a serial frame does: throw away what was damaged. The protocol has no checksum of
/// its own.
const CHECKSUM_BYTES: usize = 8;

/// The checksum of a datagram.
pub fn checksum(datagram: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = DefaultHasher::new();
    hasher.write(datagram);
    hasher.finish().to_be_bytes()
}

/// The datagram without its checksum, if that is right.
pub fn undamaged(frame: &[u8]) -> Option<&[u8]> {
    let (datagram, sum) = frame.split_last_chunk()?;
    (*sum == checksum(datagram)).then_some(datagram)
}

/// How a party repeats what was lost.
pub trait Mechanism: Arq {
    /// Storage for it, in each direction of the size that the generator gives.
    fn storage(rng: &mut Rng) -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Self>
    where
        Self: Sized;
}

impl Mechanism for StopAndWait {
    fn storage(rng: &mut Rng) -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>> {
        let slots = 1 + rng.index(4);
        let (send, recv) = (SendSlots::with_slots(slots, 1_200), RecvSlots::with_slots(slots, 1_200));
        Storage::stop_and_wait(send.unwrap(), recv.unwrap())
    }
}

/// Selective repeat with any controller.
pub type Selective = SelectiveRepeat<Vec<Block>, Controller>;

impl Mechanism for Selective {
    fn storage(rng: &mut Rng) -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Self> {
        let segment = 1_200 + 15;
        let congestion = match rng.index(4) {
            0 => Controller::FixedWindow(FixedWindow::new(u64::from(segment) * (1 + rng.below(64)))),
            1 => Controller::NewReno(NewReno::new(segment)),
            2 => Controller::Cubic(Cubic::new(segment)),
            _ => Controller::BandwidthDelay(BandwidthDelay::new(segment)),
        };
        let blocks = vec![Block::EMPTY; 1 + rng.index(3)];
        let arq = SelectiveRepeat::new(blocks, congestion, Pacer::new(Duration::from_millis(1), segment)).unwrap();
        let (send, recv) = (1 + rng.index(100), 1 + rng.index(100));
        let (send, recv) = (SendSlots::with_slots(send, 1_200), RecvSlots::with_slots(recv, 1_200));
        Storage { send: send.unwrap(), recv: recv.unwrap(), arq }
    }
}

/// One end of the link, with its application.
pub struct Party<A> {
    peer: Address,
    config: Config,
    rng: Rng,
    /// `None` for a server that nobody has called yet.
    pub stream: Option<Stream<A>>,
    pub exchange: Exchange,
    /// Whether damaged datagrams are thrown away before they reach the machine.
    pub checked: bool,
}

impl<A: Mechanism> Party<A> {
    /// A client that calls at once.
    pub fn client(peer: Address, config: Config, mut rng: Rng, exchange: Exchange) -> Self {
        let mut entropy = [0; 32];
        rng.fill(&mut entropy);
        let stream = Connection::connect(Instant::ZERO, config, entropy, A::storage(&mut rng));
        Self { peer, config, rng, stream: Some(stream), exchange, checked: true }
    }

    /// A server that accepts the first call.
    pub fn server(peer: Address, config: Config, rng: Rng, exchange: Exchange) -> Self {
        Self { peer, config, rng, stream: None, exchange, checked: true }
    }

    /// The reason why the connection ended.
    pub fn ended(&self) -> Option<rdt_proto::connection::Reason> {
        self.stream.as_ref()?.ended()
    }
}

impl<A: Mechanism> Node for Party<A> {
    fn handle_datagram(&mut self, now: Instant, _from: Address, _to: Address, frame: &[u8]) {
        let datagram = if self.checked { undamaged(frame) } else { frame.get(..frame.len().saturating_sub(8)) };
        let Some(datagram) = datagram else { return };
        match &mut self.stream {
            Some(stream) => {
                let ignored = stream.stats().ignored.total();
                let handled = stream.handle_datagram(now, datagram);
                let counted = stream.stats().ignored.total() - ignored;
                assert_eq!(counted, u64::from(handled != Handled::Accepted), "{handled:?}");
            }
            None => {
                if let Ok(Packet::Connect(options)) = self.config.framing.decode(datagram) {
                    let hello = Hello::from_options(&options);
                    let mut entropy = [0; 32];
                    self.rng.fill(&mut entropy);
                    self.stream = Some(Connection::accept(now, self.config, entropy, hello, A::storage(&mut self.rng)));
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(stream) = &mut self.stream {
            stream.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.stream.as_mut()?.poll_transmit(now, buf).unwrap()?;
        let sum = checksum(&buf[..transmit.len]);
        buf[transmit.len..][..CHECKSUM_BYTES].copy_from_slice(&sum);
        Some(Outgoing::new(self.peer, transmit.len + CHECKSUM_BYTES))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.stream.as_ref()?.poll_timeout()
    }

    fn poll_app(&mut self, _now: Instant) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        while let Some(event) = stream.poll_event() {
            self.exchange.on_event(event);
            if let Event::Closed(reason) = event {
                assert_eq!(stream.ended(), Some(reason));
            }
        }
        self.exchange.turn(stream, &mut self.rng)
    }

    fn is_done(&self) -> bool {
        // A server that was never called waits for ever, and may.
        self.stream.as_ref().is_none_or(|stream| stream.is_drained() && stream.is_finished_reading())
    }
}
