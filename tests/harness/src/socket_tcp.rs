//! A SocketTCP connection or listener with scripted peers. A segment is written as its text on the wire.

pub use crate::address::At;

use crate::trace::{Peer, ScriptedPeer, Trace};
use rdt_proto::Instant;
use rdt_proto::listener::{FixedTables, PeerId};
use rdt_proto::socket_tcp::{
    SOCKET_ENTROPY_BYTES, Segment, SocketCloseReason, SocketConfig, SocketConnection, SocketDispatch, SocketEvent,
    SocketHandled, SocketListener, SocketListenerConfig,
};

/// The address that a client connects to.
pub const SERVER: At = At(1, 8_000);
/// The address of a client.
pub const CLIENT: At = At(2, 5_000);

/// The connection under test.
pub type Machine = SocketConnection<At, 64, 64>;
/// A trace of one connection and its scripted peer.
pub type SegmentTrace = Trace<Machine, SegmentPeer>;
/// A trace of one listener with room for two connections, and its scripted clients.
pub type SegmentListenerTrace = Trace<SocketListener<At, FixedTables<2>, 64, 64>, SegmentClients>;

/// Entropy that gives a client this initial number.
#[must_use]
pub fn starting_with(number: u8) -> [u8; SOCKET_ENTROPY_BYTES] {
    let mut entropy = [0; SOCKET_ENTROPY_BYTES];
    entropy[7] = number;
    entropy
}

/// The scripted peer of one connection.
pub struct SegmentPeer {
    /// The address of the peer: the source of its segments, and the destination of the machine's.
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

    fn datagram(&mut self, segment: &str) -> Vec<u8> {
        segment.into()
    }

    fn is_expected(&self, segment: &str, sent: &[u8]) -> bool {
        segment.as_bytes() == sent
    }
}

impl SegmentTrace {
    /// A client whose initial number is this one.
    #[must_use]
    pub fn client(config: SocketConfig, number: u8) -> Self {
        let machine = Machine::connect(Instant::ZERO, config, starting_with(number), SERVER);
        Self { machine, now: Instant::ZERO, peer: SegmentPeer { at: SERVER } }
    }

    /// A server that has received this SYN.
    #[must_use]
    pub fn server(config: SocketConfig, syn: &str) -> Self {
        let syn = Segment::decode(syn.as_bytes()).unwrap();
        let machine = Machine::accept(Instant::ZERO, config, starting_with(0), CLIENT, &syn).unwrap();
        Self { machine, now: Instant::ZERO, peer: SegmentPeer { at: CLIENT } }
    }

    /// An established client whose next number is 12. Its server has sent only SYN+ACK.
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

    /// An established server whose next number is 12.
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

    /// Returns the next segment of the machine and its destination.
    #[track_caller]
    pub fn next_segment(&mut self) -> Option<(At, String)> {
        self.transmit().map(|(to, segment)| (to, String::from_utf8(segment).unwrap()))
    }

    /// Reads from the current message. Asserts the bytes read, and whether the message ends with them.
    #[track_caller]
    pub fn reads(&mut self, content: &[u8], is_end: bool) {
        let mut buf = [0; 64];
        let received = self.machine.recv(&mut buf).expect("nothing to read");
        assert_eq!((&buf[..received.len], received.is_end), (content, is_end));
    }

    /// Asserts that the machine has ended for this reason, reports it as its last event, and sends nothing more.
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

    /// Delivers a segment.
    pub fn receive(&mut self, from: At, segment: &str) -> SocketDispatch<At> {
        self.receive_datagram(from, segment.as_bytes())
    }

    /// Delivers a client's SYN, and accepts it.
    #[track_caller]
    pub fn accepts(&mut self, from: At) -> PeerId {
        let SocketDispatch::Incoming(incoming) = self.receive(from, "1|||0|||0|||10|||") else {
            panic!("the SYN of a new client is incoming")
        };
        assert_eq!(incoming.address(), from);
        let id = self.machine.accept(self.now, incoming, starting_with(0)).unwrap();
        self.expect(from, "1|||1|||0|||11|||");
        self.takes(id, from, &ack(12));
        assert_eq!(self.machine.poll_event(), Some((id, SocketEvent::Connected)));
        id
    }

    /// Delivers a segment and asserts that this connection accepts it.
    #[track_caller]
    pub fn takes(&mut self, id: PeerId, from: At, segment: &str) {
        assert_eq!(self.receive(from, segment), SocketDispatch::Peer(id, SocketHandled::Accepted), "{segment}");
    }

    /// Asserts that the next datagram is this segment, to this address.
    #[track_caller]
    pub fn expect(&mut self, to: At, segment: &str) {
        let Some((address, sent)) = self.transmit() else { panic!("expected {segment}, but nothing was sent") };
        assert_eq!((address, str::from_utf8(&sent).unwrap()), (to, segment));
    }
}

impl Default for SegmentListenerTrace {
    fn default() -> Self {
        Self::new()
    }
}

/// A segment with bytes of a message, as the machine writes it.
#[must_use]
pub fn data(number: u64, body: &str) -> String {
    format!("0|||0|||0|||{number}|||{body}")
}

/// A segment that only acknowledges.
#[must_use]
pub fn ack(number: u64) -> String {
    format!("0|||1|||0|||{number}|||")
}

/// A FIN.
#[must_use]
pub fn fin(number: u64) -> String {
    format!("0|||0|||1|||{number}|||")
}

/// A FIN+ACK.
#[must_use]
pub fn fin_ack(number: u64) -> String {
    format!("0|||1|||1|||{number}|||")
}
