//! A connection under test that faces a scripted peer, so that tests read like packet traces in virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test file includes it, and uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

pub mod server;

use rdt_proto::connection::{Config, Connection, Event, Handled, Hello, Ignored, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Options, Packet};
use rdt_proto::{Duration, Instant, Seq};

/// A stop-and-wait connection with its stores on the heap.
pub type Stream = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>;

/// The largest body of the connections under test, unless they say otherwise.
pub const SEGMENT: u16 = 1_200;

/// CONNECT without options.
pub const CONNECT: Packet<'static> = Packet::Connect(Options::NONE);
/// CONNACK without options.
pub const CONNACK: Packet<'static> = Packet::ConnAck(Options::NONE);
/// The option that asks for extended mode.
pub const TAG_OPTION: &[u8] = b"\x01\x08entropy!";
/// FIN.
pub const FIN: Packet<'static> = Packet::Fin;
/// FINACK.
pub const FINACK: Packet<'static> = Packet::FinAck;

/// INFO `number` with this body.
pub const fn info(number: u32, body: &[u8]) -> Packet<'_> {
    Packet::Info { number: Seq::new(number), body }
}

/// ACK of `number`.
pub const fn ack(number: u32) -> Packet<'static> {
    Packet::Ack { number: Seq::new(number) }
}

/// Storage for stop-and-wait with this many slots in each direction.
pub fn storage(slots: usize, segment: u16) -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>> {
    let (send, recv) = (SendSlots::with_slots(slots, segment), RecvSlots::with_slots(slots, segment));
    Storage::stop_and_wait(send.unwrap(), recv.unwrap())
}

/// One connection, and a peer that sends what the test says.
pub struct Trace {
    /// The machine under test.
    pub machine: Stream,
    /// What it was made with.
    pub config: Config,
    /// The time of the trace.
    pub now: Instant,
}

impl Trace {
    /// A client that has not sent its CONNECT yet.
    pub fn client(config: Config) -> Self {
        Self::client_with(config, storage(4, SEGMENT))
    }

    /// The same with storage of the test's choice.
    pub fn client_with(config: Config, storage: Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: Connection::connect(now, config, [7; 32], storage), config, now }
    }

    /// A server that has accepted and not sent its CONNACK yet.
    pub fn server(config: Config) -> Self {
        Self::server_with(config, storage(4, SEGMENT))
    }

    /// The same with storage of the test's choice.
    pub fn server_with(config: Config, storage: Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: Connection::accept(now, config, [7; 32], Hello::BASE, storage), config, now }
    }

    /// A client whose empty INFO 0 has been acknowledged, 10 ms after it was sent.
    pub fn established_client(config: Config) -> Self {
        let mut trace = Self::client(config);
        trace.expect(CONNECT);
        trace.peer_sends(CONNACK);
        trace.expect(info(0, b""));
        trace.elapse(10);
        trace.peer_sends(ack(0));
        trace.expect_event(Event::Connected);
        trace.expect_nothing();
        trace
    }

    /// A server that has acknowledged an empty INFO 0.
    pub fn established_server(config: Config) -> Self {
        let mut trace = Self::server(config);
        trace.expect(CONNACK);
        trace.peer_sends(info(0, b""));
        trace.expect(ack(0));
        trace.expect_event(Event::Connected);
        trace.expect_nothing();
        trace
    }

    /// The peer sends a packet that the machine takes.
    #[track_caller]
    pub fn peer_sends(&mut self, packet: Packet<'_>) {
        assert_eq!(self.receive(packet), Handled::Accepted, "{packet:?}");
    }

    /// The peer sends a packet that the machine ignores.
    #[track_caller]
    pub fn ignores(&mut self, packet: Packet<'_>, reason: Ignored) {
        let before = self.machine.stats().ignored.of(reason);
        assert_eq!(self.receive(packet), Handled::Ignored(reason), "{packet:?}");
        assert_eq!(self.machine.stats().ignored.of(reason), before + 1, "not counted");
    }

    /// The peer sends a packet, whatever becomes of it.
    pub fn receive(&mut self, packet: Packet<'_>) -> Handled {
        let mut datagram = vec![0; 66_000];
        let len = packet.encode(&self.config.framing, &mut datagram).unwrap();
        self.machine.handle_datagram(self.now, &datagram[..len])
    }

    /// The next datagram of the machine is this one.
    #[track_caller]
    pub fn expect(&mut self, expected: Packet<'_>) {
        let mut datagram = vec![0; 66_000];
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let Some(transmit) = self.machine.poll_transmit(self.now, &mut datagram).unwrap() else {
            panic!("expected {expected:?}, nothing was sent");
        };
        assert!(due, "poll_timeout did not tell that something was to be sent");
        let sent = self.config.framing.decode(&datagram[..transmit.len]).unwrap();
        assert_eq!(sent, expected);
    }

    /// The names of all packets that the machine sends now.
    pub fn drain(&mut self) -> Vec<String> {
        let mut datagram = vec![0; 66_000];
        let mut sent = Vec::new();
        while let Some(transmit) = self.machine.poll_transmit(self.now, &mut datagram).unwrap() {
            let packet = self.config.framing.decode(&datagram[..transmit.len]).unwrap();
            let text = format!("{packet:?}");
            sent.push(text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned());
        }
        sent
    }

    /// The machine has nothing to send now, and its next deadline lies in the future.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        let mut datagram = vec![0; 66_000];
        if let Some(transmit) = self.machine.poll_transmit(self.now, &mut datagram).unwrap() {
            panic!("expected nothing, sent {:?}", self.config.framing.decode(&datagram[..transmit.len]));
        }
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    /// The next event of the machine is this one.
    #[track_caller]
    pub fn expect_event(&mut self, event: Event) {
        assert_eq!(self.machine.poll_event(), Some(event));
    }

    /// The machine has no event.
    #[track_caller]
    pub fn expect_no_event(&mut self) {
        assert_eq!(self.machine.poll_event(), None);
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

    /// Everything that has arrived.
    pub fn read(&mut self) -> Vec<u8> {
        let mut data = vec![0; 1 << 20];
        let len = self.machine.recv(&mut data);
        data.truncate(len);
        data
    }
}
