//! Endpoints of a simulated exchange: each side sends bytes that the other side verifies, closes, and drains.

mod exchange;
mod runs;

pub(crate) use exchange::Exchange;
pub(crate) use runs::Runs;

use rdt_proto::Instant;
use rdt_proto::arq::Block;
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::{
    CloseReason, Config, Connection, ConnectionTypes, Event, Handled, HandshakeParameters, HeapStopAndWait,
    HeapStorage, Memory,
};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use rdt_proto::wire::Packet;
use std::hash::{DefaultHasher, Hasher};

/// The length of a checksum.
///
/// The protocol has no checksum: the link must discard damaged datagrams, as UDP does. The endpoints therefore append a
/// checksum to each datagram.
const CHECKSUM_BYTES: usize = 8;

/// The checksum of a datagram.
pub(crate) fn checksum(datagram: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = DefaultHasher::new();
    hasher.write(datagram);
    hasher.finish().to_be_bytes()
}

/// Returns the datagram of a frame, or `None` if the checksum is wrong.
pub(crate) fn undamaged(frame: &[u8]) -> Option<&[u8]> {
    let (datagram, sum) = frame.split_last_chunk()?;
    (*sum == checksum(datagram)).then_some(datagram)
}

/// Storage of an endpoint, which determines its retransmission mechanism.
pub(crate) trait RandomStorage: ConnectionTypes {
    /// Creates storage with a random size in each direction.
    fn random(config: &Config, rng: &mut Rng) -> Self;
}

/// A random number of packets from 1 to `most`.
pub(crate) fn packets(rng: &mut Rng, most: u32) -> u32 {
    1 + u32::try_from(rng.below(most.into())).unwrap()
}

impl RandomStorage for HeapStopAndWait {
    fn random(config: &Config, rng: &mut Rng) -> Self {
        let slots = packets(rng, 4);
        Self::stop_and_wait(config, vec![0; config.send_bytes(slots)], vec![0; config.recv_bytes(slots)]).unwrap()
    }
}

/// Selective repeat with a random controller.
impl RandomStorage for HeapStorage<Controller> {
    fn random(config: &Config, rng: &mut Rng) -> Self {
        let (choice, datagrams) = (rng.index(4), 1 + rng.below(64));
        let controller = |datagram: u32| match choice {
            0 => FixedWindow::new(u64::from(datagram) * datagrams).into(),
            1 => Algorithm::NewReno.controller(datagram),
            2 => Algorithm::Cubic.controller(datagram),
            _ => Algorithm::BandwidthDelay.controller(datagram),
        };
        let blocks = vec![Block::EMPTY; 1 + rng.index(3)];
        let (send, recv) = (packets(rng, 100), packets(rng, 100));
        let (send, recv) = (vec![0; config.send_bytes(send)], vec![0; config.recv_bytes(recv)]);
        Self::selective_repeat(config, Memory { send, recv, blocks }, controller).unwrap()
    }
}

/// One end of the link, with its application.
pub(crate) struct Endpoint<S: ConnectionTypes> {
    peer: SimAddress,
    config: Config,
    rng: Rng,
    /// The connection. `None` for a server that has not received a CONNECT.
    pub(crate) stream: Option<Connection<S>>,
    pub(crate) exchange: Exchange,
    /// Whether damaged datagrams are discarded before they reach the machine.
    pub(crate) checked: bool,
}

impl<S: RandomStorage> Endpoint<S> {
    /// A client that connects at once.
    pub(crate) fn client(peer: SimAddress, config: Config, mut rng: Rng, exchange: Exchange) -> Self {
        let mut entropy = [0; 32];
        rng.fill(&mut entropy);
        let storage = S::random(&config, &mut rng);
        let stream = Connection::connect(Instant::ZERO, config, entropy, storage).unwrap();
        Self { peer, config, rng, stream: Some(stream), exchange, checked: true }
    }

    /// A server that accepts the first CONNECT.
    pub(crate) fn server(peer: SimAddress, config: Config, rng: Rng, exchange: Exchange) -> Self {
        Self { peer, config, rng, stream: None, exchange, checked: true }
    }

    /// The reason for the end of the connection, if it has ended.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.stream.as_ref()?.ended()
    }
}

impl<S: RandomStorage> Node for Endpoint<S> {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, frame: &[u8]) {
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
                    let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
                    let mut entropy = [0; 32];
                    self.rng.fill(&mut entropy);
                    let storage = S::random(&self.config, &mut self.rng);
                    let stream = Connection::accept(now, self.config, entropy, parameters, storage);
                    self.stream = Some(stream.unwrap());
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
        // A server that has received no CONNECT counts as done, since it may never receive one.
        self.stream.as_ref().is_none_or(|stream| stream.is_drained() && stream.is_finished_reading())
    }
}
