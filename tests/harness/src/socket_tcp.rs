//! A connection or a listener of SocketTCP, and a script for its peers. Segments are text, and are written as they are sent.

pub use crate::address::At;

use crate::trace::{Peer, ScriptedPeer, Trace};
use rdt_proto::Instant;
use rdt_proto::listener::{FixedTables, PeerId};
use rdt_proto::socket_tcp::{
    SOCKET_ENTROPY_BYTES, Segment, SocketCloseReason, SocketConfig, SocketConnection, SocketDispatch, SocketEvent,
    SocketHandled, SocketListener, SocketListenerConfig,
};

/// What a client calls.
pub const SERVER: At = At(1, 8_000);
/// Where a client is.
pub const CLIENT: At = At(2, 5_000);

/// The connection under test.
pub type Machine = SocketConnection<At, 64, 64>;
/// One connection, and a peer that sends what the test says.
pub type SegmentTrace = Trace<Machine, SegmentPeer>;
/// A listener with room for two, and clients that send what the test says.
pub type SegmentListenerTrace = Trace<SocketListener<At, FixedTables<2>, 64, 64>, SegmentClients>;

/// Entropy that makes a client begin with this number.
#[must_use]
pub fn starting_with(number: u8) -> [u8; SOCKET_ENTROPY_BYTES] {
    let mut entropy = [0; SOCKET_ENTROPY_BYTES];
    entropy[7] = number;
    entropy
}

/// The one peer of a connection.
pub struct SegmentPeer {
    /// Where its segments come from, and the machine's must go to.
    pub at: At,
}

impl Peer for SegmentPeer {
    fn describe(&self, datagram: &[u8]) -> String {
        String::from_utf8_lossy(datagram).into_owned()
    }
}

impl ScriptedPeer for SegmentPeer {
    type Address = At;
    type Packet<'p> = &'p str;

    fn address(&self) -> At {
        self.at
    }

    fn datagram(&self, segment: &str) -> Vec<u8> {
        segment.into()
    }

    fn expected(&self, segment: &str) -> Vec<u8> {
        segment.into()
    }
}

impl SegmentTrace {
    /// A client that begins with this number.
    #[must_use]
    pub fn client(config: SocketConfig, number: u8) -> Self {
        let machine = Machine::connect(Instant::ZERO, config, starting_with(number), SERVER);
        Self { machine, now: Instant::ZERO, peer: SegmentPeer { at: SERVER } }
    }

    /// A server to which this SYN has come.
    #[must_use]
    pub fn server(config: SocketConfig, syn: &str) -> Self {
        let syn = Segment::decode(syn.as_bytes()).unwrap();
        let machine = Machine::accept(Instant::ZERO, config, starting_with(0), CLIENT, &syn).unwrap();
        Self { machine, now: Instant::ZERO, peer: SegmentPeer { at: CLIENT } }
    }

    /// A client whose next number is 12, and whose server it has not heard after its SYN+ACK.
    #[must_use]
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
    #[must_use]
    pub fn established_server(config: SocketConfig) -> Self {
        let mut trace = Self::server(config, "1|||0|||0|||10|||");
        trace.expect("1|||1|||0|||11|||");
        trace.elapse(10);
        trace.peer_sends("0|||1|||0|||12|||");
        trace.expect_event(SocketEvent::Connected);
        trace.expect_nothing();
        trace
    }

    /// The next segment of the machine, and where it goes.
    #[track_caller]
    pub fn next_segment(&mut self) -> Option<(At, String)> {
        self.transmit().map(|(to, segment)| (to, String::from_utf8(segment).unwrap()))
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

/// The clients of a listener.
pub struct SegmentClients;

impl Peer for SegmentClients {
    fn describe(&self, datagram: &[u8]) -> String {
        String::from_utf8_lossy(datagram).into_owned()
    }
}

impl SegmentListenerTrace {
    /// A listener with the default limits.
    #[must_use]
    pub fn new() -> Self {
        let machine = SocketListener::new(Instant::ZERO, SocketListenerConfig::default(), [5; 16]);
        Self { machine, now: Instant::ZERO, peer: SegmentClients }
    }

    /// A segment arrives.
    pub fn receive(&mut self, from: At, segment: &str) -> SocketDispatch<At> {
        self.receive_datagram(from, segment.as_bytes())
    }

    /// A client calls, and is accepted.
    #[track_caller]
    pub fn accepts(&mut self, from: At) -> PeerId {
        let SocketDispatch::Incoming(incoming) = self.receive(from, "1|||0|||0|||10|||") else {
            panic!("not incoming")
        };
        assert_eq!(incoming.address(), from);
        let id = self.machine.accept(self.now, incoming, starting_with(0)).unwrap();
        self.expect(from, "1|||1|||0|||11|||");
        self.takes(id, from, &ack(12));
        assert_eq!(self.machine.poll_event(), Some((id, SocketEvent::Connected)));
        id
    }

    /// A segment arrives, and this connection takes it.
    #[track_caller]
    pub fn takes(&mut self, id: PeerId, from: At, segment: &str) {
        assert_eq!(self.receive(from, segment), SocketDispatch::Peer(id, SocketHandled::Accepted), "{segment}");
    }

    /// The next datagram is this one, to this address.
    #[track_caller]
    pub fn expect(&mut self, to: At, segment: &str) {
        let Some((address, sent)) = self.transmit() else { panic!("expected {segment}, nothing was sent") };
        assert_eq!((address, str::from_utf8(&sent).unwrap()), (to, segment));
    }
}

impl Default for SegmentListenerTrace {
    fn default() -> Self {
        Self::new()
    }
}

/// A segment with bytes of a message, as the machine sends it.
#[must_use]
pub fn data(number: u64, body: &str) -> String {
    format!("0|||0|||0|||{number}|||{body}")
}

/// A segment that acknowledges.
#[must_use]
pub fn ack(number: u64) -> String {
    format!("0|||1|||0|||{number}|||")
}

/// A FIN.
#[must_use]
pub fn fin(number: u64) -> String {
    format!("0|||0|||1|||{number}|||")
}

/// The answer to a FIN.
#[must_use]
pub fn fin_ack(number: u64) -> String {
    format!("0|||1|||1|||{number}|||")
}
