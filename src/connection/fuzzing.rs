//! What must hold for any calls in any order: the body of the fuzz target `any_order`, which a property test calls too.

use super::{Config, Connection, Event, Hello, Method, Peer, SendError, Stats, Storage};
use crate::store::{RecvSlots, SendSlots};
use crate::wire::Packet;
use crate::{Duration, Instant};
use arbitrary::{Arbitrary, Unstructured};

/// A connection to start from.
#[derive(Arbitrary, Debug)]
struct Start {
    client: bool,
    peer: Peer,
    segment: u16,
    handshake_limit: Option<u32>,
    idle_limit: Option<u32>,
    quiet_limit: Option<u32>,
    linger: Option<u32>,
    send_bytes: u8,
    recv_bytes: u8,
}

/// One call.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Datagram { later_us: u32, datagram: &'a [u8] },
    Packet { later_us: u32, packet: Packet<'a> },
    Timeout { later_us: u32 },
    TimeoutWhenDue,
    Earlier { by_us: u16 },
    Transmit { later_us: u16, room: u8 },
    Drain,
    Event,
    Send(&'a [u8]),
    SendSegment(&'a [u8]),
    Slot,
    Commit(u16),
    Recv(u8),
    Consume(u16),
    Close,
    Abort,
    TakeStats,
}

type Machine = Connection<SendSlots<std::vec::Vec<u8>>, RecvSlots<std::vec::Vec<u8>>>;

const SEGMENT: u16 = 64;
/// Enough for every datagram of the machine.
const ROOM: usize = 128;

/// Makes the calls that `bytes` describe on a connection, and checks after each what a connection promises.
///
/// # Panics
///
/// A promise is broken.
pub fn any_order(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(start) = Start::arbitrary(&mut input) else { return };
    let Some(machine) = start.machine() else { return };
    let mut run = Run { machine, now: Instant::ZERO, closed: false, buf: [0; ROOM] };
    while let Ok(call) = Call::arbitrary(&mut input) {
        run.make(&call);
        run.check();
        if input.is_empty() {
            break;
        }
    }
}

impl Start {
    fn machine(&self) -> Option<Machine> {
        let limit = |micros: Option<u32>| micros.map_or(Duration::MAX, |us| Duration::from_micros(us.into()));
        let base = match self.peer {
            Peer::RdtProto => Config::base(),
            Peer::RostovSelectiveRepeat => Config::rostov(Method::SelectiveRepeat),
            Peer::RostovStopAndWait => Config::rostov(Method::StopAndWait),
        };
        let config = Config {
            segment: self.segment,
            handshake_limit: limit(self.handshake_limit),
            idle_limit: limit(self.idle_limit),
            quiet_limit: limit(self.quiet_limit),
            linger: limit(self.linger),
            ..base
        };
        let memory = |bytes: u8| std::vec![0; usize::from(bytes) * 4];
        let send = SendSlots::new(memory(self.send_bytes), SEGMENT).ok()?;
        let recv = RecvSlots::new(memory(self.recv_bytes), SEGMENT).ok()?;
        let storage = Storage::stop_and_wait(send, recv);
        Some(if self.client {
            Connection::connect(Instant::ZERO, config, [3; 32], storage)
        } else {
            Connection::accept(Instant::ZERO, config, [3; 32], Hello::BASE, storage)
        })
    }
}

struct Run {
    machine: Machine,
    now: Instant,
    closed: bool,
    buf: [u8; ROOM],
}

impl Run {
    fn make(&mut self, call: &Call<'_>) {
        let machine = &mut self.machine;
        match *call {
            Call::Datagram { later_us, datagram } => {
                self.now = self.now + Duration::from_micros(later_us.into());
                let _ = machine.handle_datagram(self.now, datagram);
            }
            Call::Packet { later_us, packet } => {
                self.now = self.now + Duration::from_micros(later_us.into());
                let mut datagram = [0; 2_048];
                if let Ok(len) = packet.encode(&machine.config().framing, &mut datagram) {
                    let _ = machine.handle_datagram(self.now, datagram.get(..len).unwrap_or_default());
                }
            }
            Call::Timeout { later_us } => {
                self.now = self.now + Duration::from_micros(later_us.into());
                machine.handle_timeout(self.now);
            }
            Call::TimeoutWhenDue => {
                if let Some(due) = machine.poll_timeout() {
                    self.now = self.now.max(due);
                    machine.handle_timeout(self.now);
                }
            }
            Call::Earlier { by_us } => machine.handle_timeout(self.now - Duration::from_micros(by_us.into())),
            Call::Transmit { later_us, room } => {
                self.now = self.now + Duration::from_micros(later_us.into());
                self.transmit(usize::from(room).min(ROOM));
            }
            Call::Drain => self.drain(),
            Call::Event => self.event(),
            Call::Send(data) => assert!(machine.send(data).is_ok_and(|count| count <= data.len()) || self.may_refuse()),
            Call::SendSegment(data) => {
                let result = machine.send_segment(data);
                let refused = matches!(result, Err(SendError::TooLarge { limit, .. }) if limit < data.len());
                assert!(result.is_ok() || refused || result == Err(SendError::Full) || self.may_refuse(), "{result:?}");
            }
            Call::Slot => machine.send_slot().map_or((), |slot| slot.fill(0x55)),
            Call::Commit(count) => {
                let result = machine.commit(count.into());
                assert!(result.is_ok() || result == Err(SendError::NotLent) || self.may_refuse(), "{result:?}");
            }
            Call::Recv(room) => {
                let room = usize::from(room).min(ROOM);
                assert!(machine.recv(self.buf.get_mut(..room).unwrap_or_default()) <= room);
            }
            Call::Consume(count) => machine.consume(count.into()),
            Call::Close => machine.close(),
            Call::Abort => machine.abort(0),
            Call::TakeStats => {
                machine.take_stats();
                assert_eq!(*machine.stats(), Stats::default());
            }
        }
    }

    /// Writing is refused only after the application closed, or the connection ended.
    fn may_refuse(&mut self) -> bool {
        self.machine.send_slot().is_err()
    }

    /// What was sent was due, and a buffer that is too small changes nothing.
    fn transmit(&mut self, room: usize) -> bool {
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let buf = self.buf.get_mut(..room).unwrap_or_default();
        match self.machine.poll_transmit(self.now, buf) {
            Ok(None) => false,
            Ok(Some(transmit)) => {
                assert!(due, "poll_timeout kept silent about what was to be sent");
                assert!(transmit.len <= room && transmit.len > 0);
                let datagram = self.buf.get(..transmit.len).unwrap_or_default();
                assert!(self.machine.config().framing.decode(datagram).is_ok(), "sent what is no packet");
                true
            }
            Err(error) => {
                assert!(error.needed > room && error.needed <= ROOM);
                assert!(
                    self.machine.poll_timeout().is_some_and(|due| due <= self.now),
                    "what was not sent is still due"
                );
                true
            }
        }
    }

    fn drain(&mut self) {
        let mut count = 0;
        while self.transmit(ROOM) {
            count += 1;
            assert!(count < 200, "sends without end");
        }
    }

    fn event(&mut self) {
        let Some(event) = self.machine.poll_event() else { return };
        assert!(!self.closed, "{event:?} after the last event");
        if let Event::Closed(reason) = event {
            assert_eq!(self.machine.ended(), Some(reason));
            self.closed = true;
        }
    }

    /// After a timeout and a drain the next deadline lies in the future: on a copy, so that the calls stay as described.
    fn check(&self) {
        let mut copy = Self { machine: self.machine.clone(), now: self.now, closed: self.closed, buf: [0; ROOM] };
        copy.machine.handle_timeout(copy.now);
        copy.drain();
        let due = copy.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > copy.now), "due at {due:?} after everything was done at {:?}", copy.now);
        assert!(due.is_some() || copy.may_sleep(), "sleeps for ever: {:?}", copy.machine);
    }

    /// Without a deadline nothing waits for an answer: limits that end a silence are the only other deadlines there are.
    fn may_sleep(&self) -> bool {
        let lifted = self.machine.config().quiet_limit == Duration::MAX;
        self.machine.is_drained() || (lifted && self.machine.is_established() && self.machine.is_all_acknowledged())
    }
}
