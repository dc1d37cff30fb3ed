//! Checks one connection under calls in any order.

use super::address::TestAddress;
use super::counter::{Counter, Machine};
use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::socket_tcp::{
    AnswerFrom, Kind, MAX_SEGMENT, Pieces, SOCKET_ENTROPY_BYTES, Segment, SocketConfig, SocketEvent, SocketHandled,
    SocketPeer, SocketSendError, Timeouts,
};
use rdt_proto::{Duration, Instant};

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Start {
    /// At a server, the number of the client's SYN. `None` at a client.
    syn: Option<u64>,
    peer: SocketPeer,
    /// Fixed timeouts for SYN and for other segments, in milliseconds. `None` for measured timeouts.
    timeouts: Option<(u16, u16)>,
    answer_from: AnswerFrom,
    /// This limit and the next two are in milliseconds. `None` lifts a limit.
    handshake_limit: Option<u16>,
    idle_limit: Option<u16>,
    quiet_limit: Option<u16>,
    entropy: [u8; SOCKET_ENTROPY_BYTES],
}

impl Start {
    fn machine(&self) -> Option<Machine> {
        let limit = |millis: Option<u16>| millis.map_or(Duration::MAX, |millis| Duration::from_millis(millis.into()));
        let config = SocketConfig {
            peer: self.peer,
            timeouts: self.timeouts.map_or(Timeouts::Measured, |(syn, segment)| Timeouts::Fixed {
                syn: Duration::from_millis(syn.into()),
                segment: Duration::from_millis(segment.into()),
            }),
            answer_from: self.answer_from,
            // A field of its own would change what the seeds of past runs mean.
            pieces: if self.entropy[SOCKET_ENTROPY_BYTES - 1] % 2 == 1 { Pieces::Pairs } else { Pieces::Full },
            handshake_limit: limit(self.handshake_limit),
            idle_limit: limit(self.idle_limit),
            quiet_limit: limit(self.quiet_limit),
        };
        match self.syn {
            None => Some(Machine::connect(Instant::ZERO, config, self.entropy, PEER)),
            Some(number) => {
                let syn = Segment::bare(Kind::Syn, number);
                Machine::accept(Instant::ZERO, config, self.entropy, PEER, &syn).ok()
            }
        }
    }
}

const PEER: TestAddress = TestAddress(0);

/// One call.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Datagram { from: TestAddress, datagram: &'a [u8] },
    Segment { from: AnyFrom, kind: Kind, ahead: i8, body: &'a [u8] },
    Jump { kind: Kind, number: u64 },
    Later { micros: u32 },
    TimeoutWhenDue,
    Earlier { micros: u16 },
    Transmit { room: u8 },
    Drain,
    SocketEvent,
    Send(&'a [u8]),
    Begin(u64),
    Write(&'a [u8]),
    Recv(u8),
    RecvMessage(u8),
    Close,
    Abort,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum AnyFrom {
    Peer,
    Other(TestAddress),
}

/// Makes the calls that `bytes` describe on a connection, and checks its invariants after each call.
///
/// # Panics
///
/// If an invariant is violated.
pub fn any_order(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Some(machine) = Start::arbitrary(&mut input).ok().and_then(|start| start.machine()) else { return };
    let counter = Counter::of_new(&machine);
    let mut run = Run { machine, counter, now: Instant::ZERO, closed: false, kept: Vec::new() };
    while let Ok(call) = Call::arbitrary(&mut input) {
        run.make(&call);
        run.check();
        if input.is_empty() {
            break;
        }
    }
}

#[derive(Clone)]
struct Run {
    machine: Machine,
    counter: Counter,
    now: Instant,
    closed: bool,
    /// The bytes of the current message that have arrived and are not read yet.
    kept: Vec<u8>,
}

impl Run {
    fn make(&mut self, call: &Call<'_>) {
        match *call {
            Call::Datagram { from, datagram } => drop(self.receive(from, datagram)),
            Call::Segment { from, kind, ahead, body } => {
                let number = self.counter.now(&self.machine, self.now).saturating_add_signed(ahead.into());
                self.segment(from, kind, number, body);
            }
            Call::Jump { kind, number } => self.segment(AnyFrom::Peer, kind, number, &[]),
            Call::Later { micros } => {
                self.now = self.now + Duration::from_micros(micros.into());
                self.machine.handle_timeout(self.now);
            }
            Call::TimeoutWhenDue => {
                self.now = self.machine.poll_timeout().map_or(self.now, |due| due.max(self.now));
                self.machine.handle_timeout(self.now);
            }
            Call::Earlier { micros } => {
                self.machine.handle_timeout(self.now - Duration::from_micros(micros.into()));
            }
            Call::Transmit { room } => {
                self.transmit(room.into());
            }
            Call::Drain => self.drain(),
            Call::SocketEvent => self.event(),
            Call::Send(message) => drop(self.machine.send(message)),
            Call::Begin(length) => drop(self.machine.begin(length)),
            Call::Write(content) => self.write(content),
            Call::Recv(room) => self.recv(room.into()),
            Call::RecvMessage(room) => self.recv_message(room.into()),
            Call::Close => self.machine.close(),
            Call::Abort => self.machine.abort(),
        }
    }

    fn segment(&mut self, from: AnyFrom, kind: Kind, number: u64, body: &[u8]) {
        let from = match from {
            AnyFrom::Peer => self.machine.peer(),
            AnyFrom::Other(from) => from,
        };
        let mut buf = [0; MAX_SEGMENT + 1];
        let len = Segment { kind, number, body }.encode(&mut buf).unwrap_or(0);
        self.receive(from, buf.get(..len).unwrap_or_default());
    }

    /// Receives a datagram, and checks what it adds to the current message.
    ///
    /// An ignored datagram must add nothing. An accepted one must add its whole body, or nothing.
    fn receive(&mut self, from: TestAddress, datagram: &[u8]) -> SocketHandled {
        let arrived = |machine: &Machine| machine.message().map_or(0, |message| message.arrived);
        let had = self.machine.message();
        self.counter.look(&self.machine, self.now);
        let before = arrived(&self.machine);
        let handled = self.machine.handle_datagram(self.now, from, datagram);
        let now = arrived(&self.machine);
        if let SocketHandled::Ignored(_) = handled {
            assert_eq!(had, self.machine.message(), "an ignored datagram must not change the message");
        }
        if had.is_some() && now > before {
            let body = Segment::decode(datagram).map(|segment| segment.body).unwrap_or_default();
            assert_eq!(now - before, body.len() as u64);
            self.kept.extend(body);
        }
        self.counter.look(&self.machine, self.now);
        handled
    }

    fn write(&mut self, content: &[u8]) {
        let allowed = match self.machine.write(content) {
            Ok(taken) => taken <= content.len(),
            Err(error) => {
                matches!(error, SocketSendError::NotAnnounced | SocketSendError::Closing | SocketSendError::Closed)
            }
        };
        assert!(allowed);
    }

    fn recv(&mut self, room: usize) {
        let mut buf = [0; 255];
        let message = self.machine.message();
        let Some(received) = self.machine.recv(buf.get_mut(..room).unwrap_or_default()) else { return };
        self.compare(buf.get(..received.len).unwrap_or_default());
        let read = message.map(|message| message.read + received.len as u64);
        assert_eq!(received.is_end, read == message.map(|message| message.length));
        assert_eq!(received.is_end, self.machine.message().is_none());
    }

    fn recv_message(&mut self, room: usize) {
        let mut buf = [0; 255];
        if let Ok(Some(len)) = self.machine.recv_message(buf.get_mut(..room).unwrap_or_default()) {
            self.compare(buf.get(..len).unwrap_or_default());
            assert_eq!(self.machine.message(), None);
        }
    }

    /// Checks that the application reads the bytes that arrived.
    fn compare(&mut self, read: &[u8]) {
        let kept: Vec<u8> = self.kept.drain(..read.len().min(self.kept.len())).collect();
        assert_eq!(kept, read);
    }

    fn event(&mut self) {
        let event = self.machine.poll_event();
        assert!(!self.closed || event.is_none(), "no event must follow Closed: {event:?}");
        self.closed |= matches!(event, Some(SocketEvent::Closed(_)));
        if self.closed {
            assert!(self.machine.ended().is_some());
        }
    }

    fn drain(&mut self) {
        let mut count = 0;
        while self.transmit(MAX_SEGMENT) {
            count += 1;
            assert!(count <= 8, "poll_transmit must return None within 8 datagrams");
        }
    }

    /// Writes one datagram. Returns whether a datagram was due and fitted.
    fn transmit(&mut self, room: usize) -> bool {
        let mut buf = [0; 255];
        let sent = self.machine.poll_transmit(self.now, buf.get_mut(..room).unwrap_or_default());
        let Ok(Some((_, transmit))) = sent else { return false };
        self.counter.on_sent(buf.get(..transmit.len).unwrap_or_default());
        true
    }

    fn check(&mut self) {
        let due = self.machine.poll_timeout();
        let mut other = self.clone();
        let sent = other.machine.poll_transmit(self.now, &mut [0; MAX_SEGMENT]);
        assert!(sent.is_ok(), "every segment must fit MAX_SEGMENT");
        if let Ok(Some(_)) = sent {
            assert!(
                due.is_some_and(|due| due <= self.now),
                "poll_timeout must be due while {sent:?} is pending, but is {due:?}"
            );
        } else {
            assert!(self.machine == other.machine, "a poll without output must not change the state");
        }
        assert!(self.machine.message().is_none_or(|message| message.arrived <= message.length));
        other.machine.handle_timeout(self.now);
        other.drain();
        let due = other.machine.poll_timeout();
        assert!(
            due.is_none_or(|due| due > self.now),
            "after a drain at {:?} the deadline {due:?} must be later",
            self.now
        );
        if other.machine.is_drained() {
            assert_eq!(due, None);
        }
    }
}
