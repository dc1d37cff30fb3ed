//! Parties of a simulated exchange: each side sends bytes that the other can check, closes, and stays until all is done.
#![allow(dead_code, unreachable_pub, reason = "each test file includes it, and uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod exchange;

pub use exchange::Exchange;

use rdt_proto::Instant;
use rdt_proto::connection::{Config, Connection, Event, Handled, Storage};
use rdt_proto::sim::{Address, Node, Outgoing, Rng};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::Packet;
use std::hash::{DefaultHasher, Hasher};

/// A stop-and-wait connection with its stores on the heap.
pub type Stream = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>;

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

/// Storage for stop-and-wait with this many slots in each direction.
pub fn storage(slots: usize, segment: u16) -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>> {
    let (send, recv) = (SendSlots::with_slots(slots, segment), RecvSlots::with_slots(slots, segment));
    Storage::stop_and_wait(send.unwrap(), recv.unwrap())
}

/// One end of the link, with its application.
pub struct Party {
    peer: Address,
    config: Config,
    rng: Rng,
    /// `None` for a server that nobody has called yet.
    pub stream: Option<Stream>,
    pub exchange: Exchange,
    /// Whether damaged datagrams are thrown away before they reach the machine.
    pub checked: bool,
}

impl Party {
    /// A client that calls at once.
    pub fn client(peer: Address, config: Config, mut rng: Rng, exchange: Exchange) -> Self {
        let mut entropy = [0; 32];
        rng.fill(&mut entropy);
        let slots = 1 + rng.index(4);
        let stream = Connection::connect(Instant::ZERO, config, entropy, storage(slots, 1_200));
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

impl Node for Party {
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
                if let Ok(Packet::Connect(_)) = self.config.framing.decode(datagram) {
                    let mut entropy = [0; 32];
                    self.rng.fill(&mut entropy);
                    let slots = 1 + self.rng.index(4);
                    self.stream = Some(Connection::accept(now, self.config, entropy, storage(slots, 1_200)));
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
