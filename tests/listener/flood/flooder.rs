//! A node that sends datagrams with forged source addresses at a constant rate.

use super::{CONNECT_BYTES, SERVER, VICTIM};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use rdt_proto::wire::{Framing, OptionsWriter, Packet, Tag};
use rdt_proto::{Duration, Instant};

/// The content of the forged datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Valid CONNECTs, each with a random tag and a random port of the victim.
    Connect,
    /// Datagrams of the same length that are no packets.
    Noise,
}

/// A node that sends `left` more datagrams, one every `apart`.
pub(crate) struct Flooder {
    flood: Flood,
    left: u64,
    apart: Duration,
    /// When the next datagram is sent.
    next: Instant,
    rng: Rng,
}

impl Flooder {
    pub(crate) fn new(flood: Flood, count: u64, apart: Duration) -> Self {
        Self { flood, left: count, apart, next: Instant::ZERO, rng: Rng::new(99) }
    }
}

impl Node for Flooder {
    fn handle_datagram(&mut self, _now: Instant, _from: SimAddress, _to: SimAddress, _datagram: &[u8]) {}

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        if self.left == 0 || self.next > now {
            return None;
        }
        self.left -= 1;
        self.next = self.next + self.apart;
        // With random ports below 2^31, an address is rarely used twice.
        let port = u32::try_from(self.rng.below(1 << 31)).unwrap();
        let tag = Tag::new(self.rng.next_u64().to_ne_bytes());
        match self.flood {
            Flood::Connect => {
                let mut list = [0; CONNECT_BYTES];
                let options = OptionsWriter::new(&mut list).tag(tag).unwrap();
                let options = options.pad_to(CONNECT_BYTES - Framing::NOTE.header_len()).unwrap().finish();
                let len = Packet::Connect(options).encode(&Framing::NOTE, buf).unwrap();
                assert_eq!(len, CONNECT_BYTES);
            }
            Flood::Noise => {
                buf[..CONNECT_BYTES].fill(0);
                buf[..8].copy_from_slice(tag.as_bytes());
            }
        }
        Some(Outgoing::new(SERVER.into(), CONNECT_BYTES).with_source(VICTIM.port(port)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }

    fn is_done(&self) -> bool {
        self.left == 0
    }
}
