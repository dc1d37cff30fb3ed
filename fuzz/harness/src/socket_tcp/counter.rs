//! The byte counter of a SocketTCP connection, read from the segments that it sends.

use super::address::TestAddress;
use rdt_proto::Instant;
use rdt_proto::socket_tcp::{Kind, MAX_SEGMENT, Segment, SocketConnection, Timer};

pub(super) type Machine = SocketConnection<TestAddress, 40, 20>;

/// The number of the outstanding segment, or of the next one. Both directions share the counter.
///
/// It only increases, except that a new SYN of the client restarts it at a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter {
    number: u64,
    /// At a client, the number of the ACK that answers SYN+ACK. The client may send it at any time. `None` at a server.
    handshake_ack: Option<u64>,
}

impl Counter {
    /// The counter of a new connection, read from its first segment.
    pub(super) fn of_new(machine: &Machine) -> Self {
        let first = first_segment(machine, Instant::ZERO, |_, _| true);
        assert!(
            matches!(first, Some((Kind::Syn | Kind::SynAck, _))),
            "a connection must begin with SYN or SYN+ACK: {first:?}"
        );
        match first {
            Some((Kind::Syn, number)) => Self { number, handshake_ack: Some(number + 2) },
            Some((_, number)) => Self { number: number - 1, handshake_ack: None },
            None => Self { number: 0, handshake_ack: None },
        }
    }

    /// The value of the counter after a call.
    pub(super) fn now(mut self, machine: &Machine, now: Instant) -> u64 {
        self.look(machine, now);
        self.number
    }

    /// Updates the counter after a call, and checks that it has not decreased.
    pub(super) fn look(&mut self, machine: &Machine, now: Instant) {
        if let Some((kind, number)) = self.next_segment(machine, now) {
            self.see(kind, number);
        }
    }

    /// Updates the counter from a segment that was sent.
    pub(super) fn on_sent(&mut self, datagram: &[u8]) {
        let segment = Segment::decode(datagram);
        assert!(segment.is_ok(), "{segment:?}");
        if let Ok(Segment { kind, number, .. }) = segment
            && !self.is_handshake_ack(kind, number)
        {
            self.see(kind, number);
        }
    }

    fn see(&mut self, kind: Kind, number: u64) {
        let number = match kind {
            Kind::Syn | Kind::Ack | Kind::Data | Kind::Fin => number,
            Kind::SynAck | Kind::FinAck => number - 1,
        };
        assert!(
            number >= self.number || kind == Kind::SynAck,
            "the counter must not decrease from {} to {number}",
            self.number
        );
        self.number = number;
    }

    fn is_handshake_ack(&self, kind: Kind, number: u64) -> bool {
        kind == Kind::Ack && self.handshake_ack == Some(number)
    }

    /// Returns the next segment of a copy of the connection. Its number shows the counter.
    ///
    /// That is the segment that is due. If no segment is due, it is the FIN of an abort. While a segment is
    /// outstanding, the number of such a FIN would include the bytes of that segment. So there is no next segment then,
    /// and the counter keeps the number of the outstanding segment, which was sent last.
    fn next_segment(&self, machine: &Machine, now: Instant) -> Option<(Kind, u64)> {
        let due = first_segment(machine, now, |kind, number| !self.is_handshake_ack(kind, number));
        let mut outstanding = false;
        machine.for_each_deadline(|timer, _| outstanding |= timer == Timer::Retransmission);
        if due.is_some() || outstanding || !machine.is_established() {
            return due;
        }
        let mut copy = machine.clone();
        copy.abort();
        first_segment(&copy, now, |_, _| true)
    }
}

/// The first due segment for which `is` returns true.
fn first_segment(machine: &Machine, now: Instant, is: impl Fn(Kind, u64) -> bool) -> Option<(Kind, u64)> {
    let (mut copy, mut buf) = (machine.clone(), [0; MAX_SEGMENT]);
    while let Ok(Some((_, transmit))) = copy.poll_transmit(now, &mut buf) {
        let segment = Segment::decode(buf.get(..transmit.len)?).ok()?;
        if is(segment.kind, segment.number) {
            return Some((segment.kind, segment.number));
        }
    }
    None
}
