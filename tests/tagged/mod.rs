//! A connection in extended mode that faces a scripted peer, so that tests read like packet traces in virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test file includes it, and uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{Controller, FixedWindow, Pacer};
use rdt_proto::connection::{Config, Connection, Event, Handled, Hello, Ignored, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, Packet, Sack, SackDelay, Tag};
use rdt_proto::{Duration, Instant, Seq};

/// Selective repeat with its stores on the heap.
pub type Stream = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Selective>;
/// The mechanism, with any controller.
pub type Selective = SelectiveRepeat<Vec<Block>, Controller>;
/// What it is made of.
pub type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, Selective>;

/// The tag that the scripted peer chose.
pub const PEER: Tag = Tag::new(*b"the peer");

/// What the scripted peer says of itself.
pub const HELLO: Hello = Hello { tag: Some(PEER), segment: 1_200, window: 64, idle_limit: None };

/// INFO `number` with this body.
pub const fn info(number: u32, body: &[u8]) -> Packet<'_> {
    Packet::Info { number: Seq::new(number), body }
}

/// A SACK: everything before `next` and, above it, the numbers whose bits are set; of what has just arrived.
pub fn sack(next: u32, latest: u32, base: u32, bitmap: &[u8]) -> Packet<'_> {
    let (next, latest, base) = (Seq::new(next), Seq::new(latest), Seq::new(base));
    Packet::Sack(Sack { next, window: 64, latest, delay: SackDelay::new(0), base, bitmap })
}

/// Storage with this many slots each way, and a constant window of as many segments in flight.
pub fn storage(slots: usize, in_flight: u64) -> Stores {
    let congestion = Controller::FixedWindow(FixedWindow::new(in_flight * 1_215));
    let arq = SelectiveRepeat::new(vec![Block::EMPTY], congestion, Pacer::new(Duration::ZERO, 1_215)).unwrap();
    let (send, recv) = (SendSlots::with_slots(slots, 1_200).unwrap(), RecvSlots::with_slots(slots, 1_200).unwrap());
    Storage { send, recv, arq }
}

/// One connection, and a peer that sends what the test says.
pub struct Trace {
    /// The machine under test.
    pub machine: Stream,
    /// The time of the trace.
    pub now: Instant,
    /// The tag that the machine chose, once it is known.
    pub tag: Option<Tag>,
}

impl Trace {
    /// A client that has not sent its CONNECT yet.
    pub fn client(config: Config) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: Connection::connect(now, config, entropy(), storage(32, 32)), now, tag: None }
    }

    /// The same, established, with storage of the test's choice.
    pub fn established_with(config: Config, storage: Stores) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: Connection::connect(now, config, entropy(), storage), now, tag: None }.establish()
    }

    /// A server that has accepted what the peer's CONNECT said.
    pub fn server(config: Config, hello: Hello) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: Connection::accept(now, config, entropy(), hello, storage(32, 32)), now, tag: None }
    }

    /// A client whose empty INFO 0 was acknowledged after 100 ms.
    pub fn established(config: Config) -> Self {
        Self::client(config).establish()
    }

    fn establish(mut self) -> Self {
        self.learns_tag();
        self.peer_sends_connack(HELLO);
        self.expect_event(Event::Connected);
        self.expect(info(0, b""));
        self.elapse(100);
        self.peer_sends(sack(1, 0, 1, &[]));
        self.expect_nothing();
        self
    }

    /// The machine sends CONNECT or CONNACK, which names its tag.
    #[track_caller]
    pub fn learns_tag(&mut self) -> Vec<u8> {
        let sent = self.transmit().expect("nothing was sent");
        let framing = if sent.starts_with(PEER.as_bytes()) { Framing::tagged(PEER) } else { Framing::NOTE };
        match framing.decode(&sent).unwrap() {
            Packet::Connect(options) | Packet::ConnAck(options) => self.tag = Some(options.tag().expect("no tag")),
            packet => panic!("{packet:?}"),
        }
        sent
    }

    /// The peer answers CONNECT.
    #[track_caller]
    pub fn peer_sends_connack(&mut self, hello: Hello) {
        let mut buf = [0; 80];
        let options = rdt_proto::wire::OptionsWriter::new(&mut buf);
        let options = options.tag(hello.tag.unwrap()).unwrap().segment(hello.segment).unwrap();
        let options = options.window(hello.window).unwrap();
        let options = match hello.idle_limit {
            Some(limit) => options.idle_ms(u32::try_from(limit.as_millis()).unwrap()).unwrap(),
            None => options,
        };
        let options = options.finish();
        self.peer_sends(Packet::ConnAck(options));
    }

    /// The peer sends a packet that the machine takes.
    #[track_caller]
    pub fn peer_sends(&mut self, packet: Packet<'_>) {
        assert_eq!(self.receive(packet), Handled::Accepted, "{packet:?}");
    }

    /// The peer sends a packet that the machine ignores.
    #[track_caller]
    pub fn ignores(&mut self, packet: Packet<'_>, reason: Ignored) {
        assert_eq!(self.receive(packet), Handled::Ignored(reason), "{packet:?}");
    }

    fn receive(&mut self, packet: Packet<'_>) -> Handled {
        self.receive_under(&Framing::tagged(self.tag.expect("no tag yet")), packet)
    }

    /// A packet arrives in a framing of the test's choice.
    pub fn receive_under(&mut self, framing: &Framing, packet: Packet<'_>) -> Handled {
        let mut datagram = [0; 2_048];
        let len = packet.encode(framing, &mut datagram).unwrap();
        self.machine.handle_datagram(self.now, &datagram[..len])
    }

    /// The next datagram, as it is.
    #[track_caller]
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        let mut datagram = vec![0; 2_048];
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let transmit = self.machine.poll_transmit(self.now, &mut datagram).unwrap()?;
        assert!(due, "poll_timeout did not tell that something was to be sent");
        datagram.truncate(transmit.len);
        Some(datagram)
    }

    /// The next datagram of the machine is this one, under the peer's tag.
    #[track_caller]
    pub fn expect(&mut self, expected: Packet<'_>) {
        let sent = self.transmit().unwrap_or_else(|| panic!("expected {expected:?}, nothing was sent"));
        assert_eq!(Framing::tagged(PEER).decode(&sent).unwrap(), expected);
    }

    /// The next datagram is a SACK of this: `next`, and the numbers above it that the bitmap tells.
    #[track_caller]
    pub fn expect_sack(&mut self, next: u32, above: &[u32]) {
        let sent = self.transmit().expect("no SACK was sent");
        let Packet::Sack(sack) = Framing::tagged(PEER).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(sack.next, Seq::new(next));
        let numbers: Vec<u32> = sack.numbers().map(Seq::value).filter(|&number| number >= next).collect();
        assert_eq!(numbers, above);
    }

    /// The machine has nothing to send now, and its next deadline lies in the future.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        if let Some(sent) = self.transmit() {
            panic!("expected nothing, sent {:?}", Framing::tagged(PEER).decode(&sent));
        }
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    /// The next event of the machine is this one.
    #[track_caller]
    pub fn expect_event(&mut self, event: Event) {
        assert_eq!(self.machine.poll_event(), Some(event));
    }

    /// Time passes in which the machine sends nothing; its deadlines are handled when they are due.
    #[track_caller]
    pub fn elapse(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(due) = self.machine.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            self.expect_nothing();
        }
        self.now = end;
    }

    /// The machine sends nothing until its next deadline, which is at least `from` and at most `to` ms away; time passes
    /// until then.
    #[track_caller]
    pub fn sleep(&mut self, from: u64, to: u64) {
        self.expect_nothing();
        let due = self.machine.poll_timeout().expect("sleeps for ever");
        let millis = due.saturating_since(self.now).as_millis();
        assert!((from..=to).contains(&millis), "sleeps for {millis} ms, not {from} to {to}");
        self.now = due;
        self.machine.handle_timeout(due);
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
