//! A machine of SocketTCP and a script for its peer, in virtual time. Segments are text, and are written as they are
//! sent.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

pub mod speaker;

use rdt_proto::socket_tcp::{
    SOCKET_ENTROPY_BYTES, Segment, SocketConfig, SocketConnection, SocketHandled, SocketIgnored,
};
use rdt_proto::socket_tcp::{SocketCloseReason, SocketEvent};
use rdt_proto::{Address, Duration, Instant};

/// An address: a host, and one of its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At(pub u8, pub u16);

impl Address for At {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0
    }
}

/// What a client calls.
pub const SERVER: At = At(1, 8_000);
pub const CLIENT: At = At(2, 5_000);

pub type Machine = SocketConnection<At, 64, 64>;

/// Entropy that makes a client begin with this number.
pub fn starting_with(number: u8) -> [u8; SOCKET_ENTROPY_BYTES] {
    let mut entropy = [0; SOCKET_ENTROPY_BYTES];
    entropy[7] = number;
    entropy
}

pub struct Trace {
    pub machine: Machine,
    pub now: Instant,
    /// Where the peer's segments come from, and the machine's must go to.
    pub peer: At,
}

impl Trace {
    /// A client that begins with this number.
    pub fn client(config: SocketConfig, number: u8) -> Self {
        let machine = Machine::connect(Instant::ZERO, config, starting_with(number), SERVER);
        Self { machine, now: Instant::ZERO, peer: SERVER }
    }

    /// A server to which this SYN has come.
    pub fn server(config: SocketConfig, syn: &str) -> Self {
        let syn = Segment::decode(syn.as_bytes()).unwrap();
        let machine = Machine::accept(Instant::ZERO, config, starting_with(0), CLIENT, &syn).unwrap();
        Self { machine, now: Instant::ZERO, peer: CLIENT }
    }

    /// A client whose next number is 12, and whose server it has not heard after its SYN+ACK.
    pub fn established_client(config: SocketConfig) -> Self {
        let mut trace = Self::client(config, 10);
        trace.expect("1|||0|||0|||10|||");
        trace.elapse(10);
        trace.peer_sends("1|||1|||0|||11|||");
        trace.expect_event(SocketEvent::Connected);
        trace.expect("0|||1|||0|||12|||");
        trace.expect_nothing();
        trace
    }

    /// A server whose next number is 12.
    pub fn established_server(config: SocketConfig) -> Self {
        let mut trace = Self::server(config, "1|||0|||0|||10|||");
        trace.expect("1|||1|||0|||11|||");
        trace.elapse(10);
        trace.peer_sends("0|||1|||0|||12|||");
        trace.expect_event(SocketEvent::Connected);
        trace.expect_nothing();
        trace
    }

    pub fn receive(&mut self, from: At, datagram: &[u8]) -> SocketHandled {
        self.machine.handle_datagram(self.now, from, datagram)
    }

    /// The peer sends a segment that the machine takes.
    #[track_caller]
    pub fn peer_sends(&mut self, segment: &str) {
        assert_eq!(self.receive(self.peer, segment.as_bytes()), SocketHandled::Accepted, "{segment}");
    }

    /// The peer sends a segment that the machine ignores.
    #[track_caller]
    pub fn ignores(&mut self, segment: &str, reason: SocketIgnored) {
        let before = self.machine.stats().ignored();
        assert_eq!(self.receive(self.peer, segment.as_bytes()), SocketHandled::Ignored(reason), "{segment}");
        assert_eq!(self.machine.stats().ignored(), before + 1, "not counted");
    }

    /// The next datagram of the machine, and where it goes.
    pub fn poll(&mut self) -> Option<(At, String)> {
        let mut buf = [0; 64];
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let (to, transmit) = self.machine.poll_transmit(self.now, &mut buf).unwrap()?;
        assert!(due, "poll_timeout did not tell that something was to be sent");
        Some((to, String::from_utf8_lossy(&buf[..transmit.len]).into_owned()))
    }

    /// The next datagram of the machine is this one, to this address.
    #[track_caller]
    pub fn expect_to(&mut self, to: At, segment: &str) {
        assert_eq!(self.poll(), Some((to, segment.to_owned())));
    }

    /// The next datagram of the machine is this one, to the peer.
    #[track_caller]
    pub fn expect(&mut self, segment: &str) {
        self.expect_to(self.peer, segment);
    }

    /// The machine has nothing to send now, and its next deadline lies in the future.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.poll(), None);
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    #[track_caller]
    pub fn expect_event(&mut self, event: SocketEvent) {
        assert_eq!(self.machine.poll_event(), Some(event));
    }

    #[track_caller]
    pub fn expect_no_event(&mut self) {
        assert_eq!(self.machine.poll_event(), None);
    }

    /// The machine sends nothing until its next deadline, which is at least `from` and at most `to` ms away; time
    /// passes until then.
    #[track_caller]
    pub fn sleep(&mut self, from: u64, to: u64) {
        self.expect_nothing();
        let due = self.machine.poll_timeout().expect("sleeps for ever");
        let millis = due.saturating_since(self.now).as_millis();
        assert!((from..=to).contains(&millis), "sleeps for {millis} ms, not {from} to {to}");
        self.now = due;
        self.machine.handle_timeout(due);
    }

    /// Time passes in which the machine sends nothing.
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

    /// What can be read of the current message is this, and its end or not.
    #[track_caller]
    pub fn reads(&mut self, content: &[u8], is_end: bool) {
        let mut buf = [0; 64];
        let received = self.machine.recv(&mut buf).expect("nothing to read");
        assert_eq!((&buf[..received.len], received.is_end), (content, is_end));
    }

    /// It has ended for this reason, tells that once, and sends no more.
    #[track_caller]
    pub fn ends(&mut self, reason: SocketCloseReason) {
        self.expect_nothing();
        assert_eq!(self.machine.ended(), Some(reason));
        let mut last = None;
        while let Some(event) = self.machine.poll_event() {
            last = Some(event);
        }
        assert_eq!(last, Some(SocketEvent::Closed(reason)));
        assert!(self.machine.is_drained());
        assert_eq!(self.machine.poll_timeout(), None);
    }
}

/// As the machine sends them.
pub fn data(number: u64, body: &str) -> String {
    format!("0|||0|||0|||{number}|||{body}")
}

pub fn ack(number: u64) -> String {
    format!("0|||1|||0|||{number}|||")
}

pub fn fin(number: u64) -> String {
    format!("0|||0|||1|||{number}|||")
}

pub fn fin_ack(number: u64) -> String {
    format!("0|||1|||1|||{number}|||")
}
