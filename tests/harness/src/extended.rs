//! A connection with selective repeat that faces one scripted peer of extended mode.

pub use crate::packets::{FIN, FINACK, info};

use crate::packets::{datagram, describe};
use crate::trace::{Peer, ScriptedPeer, Trace};
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{Controller, Fixed, Pacer};
use rdt_proto::connection::{Config, Connection, Event, Handled, Hello, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, OptionsWriter, Packet, Sack, SackDelay, Tag};
use rdt_proto::{Duration, Instant, Seq};

/// Selective repeat with its stores on the heap.
pub type Stream = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Selective>;
/// The mechanism, with any controller.
pub type Selective = SelectiveRepeat<Vec<Block>, Controller>;
/// What it is made of.
pub type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Selective>;
/// One connection, and a peer of extended mode that sends what the test says.
pub type ExtendedTrace = Trace<Stream, ExtendedPeer>;

/// The tag that the scripted peer chose.
pub const PEER: Tag = Tag::new(*b"the peer");

/// What the scripted peer says of itself.
pub const HELLO: Hello = Hello { tag: Some(PEER), segment: 1_200, window: 64, idle_limit: None };

/// A SACK: everything before `next` and, above it, the numbers whose bits are set; of what has just arrived.
#[must_use]
pub fn sack(next: u32, latest: u32, base: u32, bitmap: &[u8]) -> Packet<'_> {
    let (next, latest, base) = (Seq::new(next), Seq::new(latest), Seq::new(base));
    Packet::Sack(Sack { next, window: 64, latest, delay: SackDelay::new(0), base, bitmap })
}

/// Storage with this many slots each way, and a constant window of as many segments in flight.
#[must_use]
pub fn storage(slots: usize, in_flight: u64) -> Stores {
    let congestion = Controller::Fixed(Fixed::new(in_flight * 1_215));
    let arq = SelectiveRepeat::new(vec![Block::EMPTY], congestion, Pacer::new(Duration::ZERO, 1_215)).unwrap();
    let (send, recv) = (SendSlots::with_slots(slots, 1_200).unwrap(), RecvSlots::with_slots(slots, 1_200).unwrap());
    Storage { send, recv, arq }
}

/// A peer of extended mode: each side writes the tag of the other.
pub struct ExtendedPeer {
    /// The tag that the machine chose, once it is known.
    pub tag: Option<Tag>,
}

impl ExtendedPeer {
    /// The framing of what the peer sends.
    #[must_use]
    pub fn framing(&self) -> Framing {
        Framing::tagged(self.tag.expect("no tag yet"))
    }
}

impl Peer for ExtendedPeer {
    fn describe(&self, datagram: &[u8]) -> String {
        describe(&framing_of(datagram), datagram)
    }
}

impl ScriptedPeer for ExtendedPeer {
    type Address = ();
    type Packet<'p> = Packet<'p>;

    fn address(&self) {}

    fn datagram(&self, packet: Packet<'_>) -> Vec<u8> {
        datagram(&self.framing(), packet)
    }

    fn expected(&self, packet: Packet<'_>) -> Vec<u8> {
        datagram(&Framing::tagged(PEER), packet)
    }
}

/// The framing of what the machine sends: before it knows the peer's tag, that of base mode.
fn framing_of(datagram: &[u8]) -> Framing {
    if datagram.starts_with(PEER.as_bytes()) { Framing::tagged(PEER) } else { Framing::NOTE }
}

impl ExtendedTrace {
    fn new(connect: impl FnOnce(Instant) -> Stream) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: connect(now), now, peer: ExtendedPeer { tag: None } }
    }

    /// A client that has not sent its CONNECT yet.
    #[must_use]
    pub fn client(config: Config) -> Self {
        Self::new(|now| Connection::connect(now, config, entropy(), storage(32, 32)))
    }

    /// A server that has accepted what the peer's CONNECT said.
    #[must_use]
    pub fn server(config: Config, hello: Hello) -> Self {
        Self::new(|now| Connection::accept(now, config, entropy(), hello, storage(32, 32)))
    }

    /// A client whose empty INFO 0 was acknowledged after 100 ms.
    #[must_use]
    pub fn established(config: Config) -> Self {
        Self::established_with(config, storage(32, 32))
    }

    /// The same with storage of the test's choice.
    #[must_use]
    pub fn established_with(config: Config, storage: Stores) -> Self {
        let mut trace = Self::new(|now| Connection::connect(now, config, entropy(), storage));
        trace.learns_tag();
        trace.peer_sends_connack(HELLO);
        trace.expect_event(Event::Connected);
        trace.expect(info(0, b""));
        trace.elapse(100);
        trace.peer_sends(sack(1, 0, 1, &[]));
        trace.expect_nothing();
        trace
    }

    /// The machine sends CONNECT or CONNACK, which names its tag. Returns that datagram.
    #[track_caller]
    pub fn learns_tag(&mut self) -> Vec<u8> {
        let sent = self.next_datagram().expect("nothing was sent");
        match framing_of(&sent).decode(&sent).unwrap() {
            Packet::Connect(options) | Packet::ConnAck(options) => {
                self.peer.tag = Some(options.tag().expect("no tag"));
            }
            packet => panic!("{packet:?}"),
        }
        sent
    }

    /// The peer answers CONNECT.
    #[track_caller]
    pub fn peer_sends_connack(&mut self, hello: Hello) {
        let mut buf = [0; 80];
        let options = OptionsWriter::new(&mut buf);
        let options = options.tag(hello.tag.unwrap()).unwrap().segment(hello.segment).unwrap();
        let options = options.window(hello.window).unwrap();
        let options = match hello.idle_limit {
            Some(limit) => options.idle_ms(u32::try_from(limit.as_millis()).unwrap()).unwrap(),
            None => options,
        };
        self.peer_sends(Packet::ConnAck(options.finish()));
    }

    /// A packet arrives in a framing of the test's choice.
    pub fn receive_under(&mut self, framing: &Framing, packet: Packet<'_>) -> Handled {
        self.receive_datagram((), &datagram(framing, packet))
    }

    /// The next datagram is a SACK of this: `next`, and the numbers above it that the bitmap tells.
    #[track_caller]
    pub fn expect_sack(&mut self, next: u32, above: &[u32]) {
        let sent = self.next_datagram().expect("no SACK was sent");
        let Packet::Sack(sack) = Framing::tagged(PEER).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(sack.next, Seq::new(next));
        let numbers: Vec<u32> = sack.numbers().map(Seq::value).filter(|&number| number >= next).collect();
        assert_eq!(numbers, above);
    }

    /// Writes `count` bodies of one byte each, and sees INFO `from` and following leave.
    #[track_caller]
    pub fn sends(&mut self, from: u32, count: u32) {
        for number in from..from + count {
            self.machine.send_segment(b"x").unwrap();
            self.expect(info(number, b"x"));
        }
    }
}

fn entropy() -> [u8; 32] {
    core::array::from_fn(|index| u8::try_from(index).unwrap())
}
