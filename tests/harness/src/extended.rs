//! A connection with selective repeat that faces one scripted peer of extended mode.

pub use crate::packets::{FIN, FINACK, info};

use crate::packets::{datagram, describe};
use crate::trace::{Peer, ScriptedPeer, Trace};
use rdt_proto::congestion::{Controller, FixedWindow};
use rdt_proto::connection::{Config, Connection, ConnectionTypes, Event, Handled, HandshakeParameters, HeapStorage};
use rdt_proto::wire::{Datagram, Framing, OptionsWriter, Packet, Sack, SackDelay, Tag, VERSION};
use rdt_proto::{Instant, Seq};
use std::collections::HashMap;

/// A trace of one extended-mode connection and its scripted peer.
pub type ExtendedTrace<T = HeapStorage<Controller>> = Trace<Connection<T>, ExtendedPeer>;

/// The tag that the scripted peer announces.
pub const PEER: Tag = Tag::new(*b"the peer");

/// The handshake parameters that the scripted peer announces.
pub const PARAMETERS: HandshakeParameters = HandshakeParameters {
    version: VERSION,
    tag: Some(PEER),
    segment: 1_200,
    window: 64,
    idle_limit: None,
    attempt: 0,
    reset_token: None,
    datagram_len: 0,
};

/// As the counter of a SACK: the counter of the last transmission of its `latest`.
pub const LAST_TRANSMISSION: u32 = u32::MAX;

/// A SACK with a window of 64 and no ACK delay, for the last transmission of `latest`.
///
/// It acknowledges each number before `next`, and `base + i` for each set bit `i` of `bitmap`.
#[must_use]
pub fn sack(next: u32, latest: u32, base: u32, bitmap: &[u8]) -> Packet<'_> {
    sack_of(next, latest, LAST_TRANSMISSION, base, bitmap)
}

/// As [`sack`], but for the transmission of `latest` with this counter.
#[must_use]
pub fn sack_of(next: u32, latest: u32, counter: u32, base: u32, bitmap: &[u8]) -> Packet<'_> {
    let (next, latest, base) = (Seq::new(next), Seq::new(latest), Seq::new(base));
    Packet::Sack(Sack { next, window: 64, latest, counter, delay: SackDelay::new(0), ce: 0, base, bitmap })
}

/// A SACK that acknowledges each number before `next` and closes the window.
#[must_use]
pub fn closed(next: u32) -> Packet<'static> {
    let (next, counter, delay, ce) = (Seq::new(next), LAST_TRANSMISSION, SackDelay::new(0), 0);
    Packet::Sack(Sack { next, window: 0, latest: next.sub(1), counter, delay, ce, base: next, bitmap: &[] })
}

/// Creates storage for `window` packets each way, with a constant congestion window of `in_flight` datagrams.
#[must_use]
pub fn storage(config: &Config, window: u32, in_flight: u64) -> HeapStorage<Controller> {
    let controller = |datagram: u32| FixedWindow::new(in_flight * u64::from(datagram)).into();
    HeapStorage::on_heap_with(config, window, controller).unwrap()
}

/// A peer of extended mode. Each datagram begins with the tag of its receiver.
#[derive(Default)]
pub struct ExtendedPeer {
    /// The machine's tag, once its CONNECT or CONNACK has announced it.
    pub tag: Option<Tag>,
    /// The counter of the peer's next datagram.
    pub counter: u32,
    /// The least counter that the machine's next datagram may have.
    pub machine_counter: u32,
    /// The counter of the last transmission of each INFO of the machine.
    transmissions: HashMap<Seq, u32>,
}

impl ExtendedPeer {
    /// The framing of datagrams from the peer.
    #[must_use]
    pub fn framing(&self) -> Framing {
        Framing::tagged(self.tag.expect("the machine has not announced its tag yet"))
    }
}

impl Peer for ExtendedPeer {
    fn describe(&self, datagram: &[u8]) -> String {
        describe(&framing_of(datagram), datagram)
    }

    fn on_sent(&mut self, datagram: &[u8]) {
        let Ok(Datagram { counter: Some(counter), packet }) = framing_of(datagram).decode_datagram(datagram) else {
            return;
        };
        assert!(counter >= self.machine_counter, "a counter must not repeat: {packet:?} #{counter}");
        self.machine_counter = counter + 1;
        if let Packet::Info { number, .. } = packet {
            self.transmissions.insert(number, counter);
        }
    }
}

impl ScriptedPeer for ExtendedPeer {
    type Address = ();
    type Packet<'p> = Packet<'p>;

    fn address(&self) {}

    fn datagram(&mut self, packet: Packet<'_>) -> Vec<u8> {
        let packet = match packet {
            Packet::Sack(sack) if sack.counter == LAST_TRANSMISSION => {
                Packet::Sack(Sack { counter: self.transmissions.get(&sack.latest).copied().unwrap_or(0), ..sack })
            }
            packet => packet,
        };
        let mut datagram = vec![0; 66_000];
        let counted = Datagram { counter: Some(self.counter), packet };
        let len = match counted.encode(&self.framing(), &mut datagram) {
            Ok(len) => {
                self.counter += 1;
                len
            }
            Err(_) => packet.encode(&self.framing(), &mut datagram).unwrap(),
        };
        datagram.truncate(len);
        datagram
    }

    /// The counter of the machine is checked in `on_sent`. An INFO may also ask for an answer at once.
    fn is_expected(&self, packet: Packet<'_>, sent: &[u8]) -> bool {
        match (Framing::tagged(PEER).decode(sent), packet) {
            (Ok(Packet::Info { number, body, .. }), Packet::Info { request, .. }) => {
                packet == Packet::Info { number, body, request }
            }
            (sent, _) => sent == Ok(packet),
        }
    }
}

/// Returns the framing of a datagram from the machine.
///
/// Before the machine knows the peer's tag, it uses the framing of base mode.
fn framing_of(datagram: &[u8]) -> Framing {
    if datagram.starts_with(PEER.as_bytes()) { Framing::tagged(PEER) } else { Framing::NOTE }
}

impl ExtendedTrace {
    /// A client before its first CONNECT.
    #[must_use]
    pub fn client(config: Config) -> Self {
        Self::client_with(config, storage(&config, 32, 32))
    }

    /// A server that accepted a CONNECT with these parameters, before its CONNACK.
    #[must_use]
    pub fn server(config: Config, parameters: HandshakeParameters) -> Self {
        Self::server_with(config, parameters, storage(&config, 32, 32))
    }

    /// An established client. The peer acknowledged its empty INFO 0 after 100 ms.
    #[must_use]
    pub fn established(config: Config) -> Self {
        Self::established_with(config, storage(&config, 32, 32))
    }
}

impl<T: ConnectionTypes> ExtendedTrace<T> {
    /// [`established`](Self::established) with storage of any type.
    #[must_use]
    pub fn established_with(config: Config, storage: T) -> Self {
        let mut trace = Self::client_with(config, storage);
        trace.learns_tag();
        trace.peer_sends_connack(PARAMETERS);
        trace.expect_event(Event::Connected);
        trace.expect(info(0, b""));
        trace.elapse(100);
        trace.peer_sends(sack(1, 0, 1, &[]));
        trace.expect_nothing();
        trace
    }

    /// [`client`](Self::client) with storage of any type.
    #[must_use]
    pub fn client_with(config: Config, storage: T) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = Connection::connect(now, config, entropy(), storage).unwrap();
        Self { machine, now, peer: ExtendedPeer::default() }
    }

    /// [`server`](Self::server) with storage of any type.
    #[must_use]
    pub fn server_with(config: Config, parameters: HandshakeParameters, storage: T) -> Self {
        let now = Instant::from_millis(1_000);
        let machine = Connection::accept(now, config, entropy(), parameters, storage).unwrap();
        Self { machine, now, peer: ExtendedPeer::default() }
    }

    /// Takes the machine's CONNECT or CONNACK, gives its tag to the peer, and returns the datagram.
    #[track_caller]
    pub fn learns_tag(&mut self) -> Vec<u8> {
        let sent = self.next_datagram().expect("nothing was sent");
        match framing_of(&sent).decode(&sent).unwrap() {
            Packet::Connect(options) | Packet::ConnAck(options) => {
                self.peer.tag = Some(options.tag().expect("CONNECT and CONNACK announce a tag"));
            }
            packet => panic!("{packet:?}"),
        }
        sent
    }

    /// Delivers a CONNACK with these parameters.
    #[track_caller]
    pub fn peer_sends_connack(&mut self, parameters: HandshakeParameters) {
        let mut buf = [0; 80];
        let options = OptionsWriter::new(&mut buf);
        let options = if parameters.version > 0 { options.version(parameters.version).unwrap() } else { options };
        let options = options.tag(parameters.tag.unwrap()).unwrap().segment(parameters.segment).unwrap();
        let options = options.window(parameters.window).unwrap().attempt(parameters.attempt).unwrap();
        let options = match parameters.idle_limit {
            Some(limit) => options.idle_ms(u32::try_from(limit.as_millis()).unwrap()).unwrap(),
            None => options,
        };
        let options = match parameters.reset_token {
            Some(token) => options.reset_token(token).unwrap(),
            None => options,
        };
        self.peer_sends(Packet::ConnAck(options.finish()));
    }

    /// Delivers a packet in the given framing.
    pub fn receive_under(&mut self, framing: &Framing, packet: Packet<'_>) -> Handled {
        self.receive_datagram((), &datagram(framing, packet))
    }

    /// Asserts that the next datagram is a SACK with this `next`, whose bitmap acknowledges the numbers `above`.
    #[track_caller]
    pub fn expect_sack(&mut self, next: u32, above: &[u32]) {
        let sent = self.next_datagram().expect("no SACK was sent");
        let Packet::Sack(sack) = Framing::tagged(PEER).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(sack.next, Seq::new(next));
        let numbers: Vec<u32> = sack.numbers().map(Seq::value).filter(|&number| number >= next).collect();
        assert_eq!(numbers, above);
    }

    /// Writes `count` bodies of one byte. Asserts that each is sent at once, the first as INFO `from`.
    #[track_caller]
    pub fn sends(&mut self, from: u32, count: u32) {
        for number in from..from + count {
            self.machine.send_segment(b"x").unwrap();
            self.expect(info(number, b"x"));
        }
    }
}

/// The machine's entropy: the bytes 0 to 31.
fn entropy() -> [u8; 32] {
    core::array::from_fn(|index| u8::try_from(index).unwrap())
}
