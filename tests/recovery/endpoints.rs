//! Endpoints of a simulated exchange: each side sends bytes that the other side verifies, closes, and drains.

mod exchange;
mod runs;

use exchange::Exchange;
pub(crate) use runs::Runs;

use crate::pair::{Checksummed, End};
use rdt_proto::arq::Block;
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::{Config, ConnectionTypes, HeapStopAndWait, HeapStorage, Memory};
use rdt_proto::sim::Rng;

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

/// One end of a link that damages datagrams, with its application.
pub(crate) type Endpoint<S> = Checksummed<End<S, Exchange>>;

/// A client that connects at once and sends `sends`, a pattern and its length. It expects `expects`.
fn client<S: RandomStorage>(config: Config, mut rng: Rng, sends: (u64, u64), expects: (u64, u64)) -> Endpoint<S> {
    let (entropy, storage) = prepare(&config, &mut rng);
    Checksummed::new(End::client(config, entropy, storage, Exchange::new(sends, expects, rng)))
}

/// A server that accepts the first CONNECT.
fn server<S: RandomStorage>(config: Config, mut rng: Rng, sends: (u64, u64), expects: (u64, u64)) -> Endpoint<S> {
    let (entropy, storage) = prepare(&config, &mut rng);
    Checksummed::new(End::server(config, entropy, storage, Exchange::new(sends, expects, rng)))
}

fn prepare<S: RandomStorage>(config: &Config, rng: &mut Rng) -> ([u8; 32], S) {
    let mut entropy = [0; 32];
    rng.fill(&mut entropy);
    (entropy, S::random(config, rng))
}
