//! One connection: any calls, in any order.

use super::calls::{Arrival, Call, Under};
use super::choice::{Machine, OPTIONS_BYTES, ROOM, Start, replace};
use super::sent::Sent;
use super::tags::{Tags, base_and_next};
use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::connection::{Config, ConnectionState, Event, Handled, Role, SendError, Stats};
use rdt_proto::wire::{AckRequest, Framing, Packet, Sack};
use rdt_proto::{Duration, Instant, Seq};

/// Makes the calls that `bytes` describe on a connection, and checks its guarantees after each call.
///
/// # Panics
///
/// If a guarantee is violated.
pub fn any_order(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(start) = Start::arbitrary(&mut input) else { return };
    let Some(machine) = start.machine() else { return };
    let config = start.config();
    let mut run = Run {
        tags: Tags::of_new(&machine, Instant::ZERO, config.framing, start.peer_tag()),
        sent: Sent::new(start.peer),
        machine,
        start,
        config,
        now: Instant::ZERO,
        closed: false,
        buf: [0; ROOM],
    };
    while let Ok(call) = Call::arbitrary(&mut input) {
        run.make(&call);
        run.tags.follow(&run.machine, &[]);
        run.check();
        if input.is_empty() {
            break;
        }
    }
}

#[derive(Clone)]
struct Run {
    machine: Machine,
    start: Start,
    /// The config of the connection.
    config: Config,
    tags: Tags,
    sent: Sent,
    now: Instant,
    closed: bool,
    buf: [u8; ROOM],
}
impl Run {
    fn make(&mut self, call: &Call<'_>) {
        match *call {
            Call::Datagram { later_us, datagram } => {
                self.advance(later_us);
                self.receive(datagram, 0);
            }
            Call::Arrive { later_us, under, ref arrival } => {
                self.advance(later_us);
                self.arrive(under, arrival, 0);
            }
            Call::Timeout { later_us } => {
                self.advance(later_us);
                self.machine.handle_timeout(self.now);
            }
            Call::TimeoutWhenDue => {
                if let Some(due) = self.machine.poll_timeout() {
                    self.now = self.now.max(due);
                    self.machine.handle_timeout(self.now);
                }
            }
            Call::Leap { hours } => {
                self.now = self.now + Duration::from_secs(3_600 * u64::from(hours));
                self.machine.handle_timeout(self.now);
            }
            Call::Earlier { by_us } => self.machine.handle_timeout(self.now - Duration::from_micros(by_us.into())),
            Call::Transmit { later_us, room } => {
                self.advance(later_us.into());
                self.transmit(usize::from(room).min(ROOM));
            }
            Call::Drain => self.drain(),
            Call::Event => self.event(),
            Call::DatagramInto { later_us, most, under, ref arrival } => {
                self.advance(later_us);
                self.arrive(under, arrival, most.into());
            }
            Call::TransmitBatch { max_datagrams, room } => {
                self.transmit_batch(max_datagrams.into(), usize::from(room).min(ROOM));
            }
            Call::TakeStats => {
                self.machine.take_stats();
                assert_eq!(*self.machine.stats(), Stats::default());
            }
            Call::Send(_)
            | Call::SendSegment(_)
            | Call::Slot
            | Call::Commit(_)
            | Call::Recv(_)
            | Call::Consume(_)
            | Call::Close
            | Call::Abort(_)
            | Call::Replace { .. }
            | Call::Promise(_)
            | Call::TooLarge(_)
            | Call::Leave => self.apply(call),
        }
    }

    /// Makes a call of the application.
    fn apply(&mut self, call: &Call<'_>) {
        self.sent.answers.on_cause();
        let machine = &mut self.machine;
        match *call {
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
            Call::Abort(code) => machine.abort(code),
            Call::Replace { part, places } => replace(machine, part, places),
            Call::Promise(window) => machine.promise(window.into()),
            Call::TooLarge(len) => machine.handle_datagram_too_large(self.now, len.into()),
            Call::Leave => {
                // The second of two FINACKs.
                self.sent.answers.on_cause();
                machine.leave();
            }
            Call::Datagram { .. }
            | Call::Arrive { .. }
            | Call::Timeout { .. }
            | Call::TimeoutWhenDue
            | Call::Leap { .. }
            | Call::Earlier { .. }
            | Call::Transmit { .. }
            | Call::Drain
            | Call::Event
            | Call::DatagramInto { .. }
            | Call::TransmitBatch { .. }
            | Call::TakeStats => {}
        }
    }

    fn advance(&mut self, later_us: u32) {
        self.now = self.now + Duration::from_micros(later_us.into());
    }

    /// Whether a write may be refused: the application has closed, or the connection has ended.
    fn may_refuse(&mut self) -> bool {
        self.machine.send_slot().is_err()
    }

    /// Hands a datagram to the connection, and checks the result.
    ///
    /// An ignored datagram must be counted as ignored once, and an accepted datagram must not be counted. Data must be
    /// lent at most once, and only if no older data is unread.
    fn receive(&mut self, datagram: &[u8], most: usize) {
        let ignored = self.machine.stats().ignored.total();
        let (unread, mut lent) = (!self.machine.recv_chunk().is_empty(), 0);
        let packet = self.tags.incoming().decode(datagram);
        self.sent.answers.on_cause();
        let handled = self.machine.handle_datagram_into(self.now, datagram, |bytes| {
            lent += 1;
            most.min(bytes.len() + 1)
        });
        assert!(lent == 0 || lent == 1 && !unread && handled == Handled::Accepted, "lent {lent} times");
        let counted = self.machine.stats().ignored.total() - ignored;
        assert_eq!(counted, u64::from(handled != Handled::Accepted), "{handled:?}");
        self.tags.follow(&self.machine, datagram);
        if let (Handled::Accepted, Ok(packet)) = (handled, packet) {
            self.sent.fins.on_accepted(&packet);
        }
    }

    fn arrive(&mut self, under: Under, arrival: &Arrival<'_>, most: usize) {
        let profile = self.config.framing;
        let framing = match under {
            Under::Ours => self.tags.incoming(),
            Under::Profile => profile,
            Under::Foreign(tag) => Framing::tagged(tag),
        };
        let (base, next) = base_and_next(&self.machine);
        let near = |from: Seq, ahead: i8| Seq::new(from.value().wrapping_add_signed(ahead.into()));
        let mut options = [0; OPTIONS_BYTES];
        let (framing, packet) = match *arrival {
            Arrival::Any(packet) => (framing, packet),
            // CONNECT is always framed by the profile's prefix.
            Arrival::Connect(parameters) => (profile, Packet::Connect(parameters.to_options(&mut options))),
            Arrival::ConnAck(parameters) => (framing, Packet::ConnAck(parameters.to_options(&mut options))),
            Arrival::Info { ahead, request, body } => {
                let request = if framing == profile { AckRequest::DEFAULT } else { request };
                (framing, Packet::Info { number: near(next, ahead), body, request })
            }
            Arrival::Ack { ahead } => (framing, Packet::Ack { number: near(base, ahead) }),
            Arrival::Sack { next, window, latest, ago, delay, base: first, bitmap } => {
                let (next, latest, base) = (near(base, next), near(base, latest), near(base, first));
                let bitmap = bitmap.get(..bitmap.len().min(12)).unwrap_or_default();
                let (window, counter) = (window.into(), self.sent.counter.wrapping_sub(ago.into()));
                (framing, Packet::Sack(Sack { next, window, latest, counter, delay, ce: 0, base, bitmap }))
            }
            Arrival::Echo { ago } => {
                let nonce = self.sent.nonces.iter().rev().nth(ago.into()).copied().unwrap_or(0);
                (framing, Packet::Echo { nonce, counter: self.sent.counter })
            }
        };
        let mut datagram = [0; 2_048];
        if let Ok(len) = packet.encode(&framing, &mut datagram) {
            self.receive(datagram.get(..len).unwrap_or_default(), most);
        }
    }

    /// Writes a batch, and checks that single calls write the same datagrams and leave the same state.
    fn transmit_batch(&mut self, max_datagrams: usize, room: usize) {
        let (mut single, mut single_buf) = (self.machine.clone(), [0; ROOM]);
        let (framing, buf) = (self.tags.outgoing(), self.buf.get_mut(..room).unwrap_or_default());
        match self.machine.poll_transmit_batch(self.now, max_datagrams, buf) {
            Ok(Some(transmit)) => {
                let written = self.buf.get(..transmit.len).unwrap_or_default();
                for datagram in written.chunks(transmit.segment_size) {
                    let len =
                        single.poll_transmit(self.now, &mut single_buf).ok().flatten().map(|transmit| transmit.len);
                    assert_eq!(
                        len.and_then(|len| single_buf.get(..len)),
                        Some(datagram),
                        "a batch must contain the datagrams of single calls"
                    );
                    let sent = framing.decode_datagram(datagram);
                    if let Ok(sent) = sent {
                        self.sent.on_sent(&sent);
                    }
                }
                assert!(single == self.machine, "a batch must leave the same state as single calls");
            }
            Ok(None) => assert_eq!(single.poll_transmit(self.now, &mut single_buf), Ok(None)),
            Err(error) => assert!(error.needed > room),
        }
    }

    /// Writes one datagram. Returns whether a datagram was due.
    ///
    /// Checks that the datagram was due, is a packet in the agreed framing, and respects `max_datagram_len`. If the
    /// buffer is too small, the datagram must stay due.
    fn transmit(&mut self, room: usize) -> bool {
        let due = self.machine.poll_timeout().is_some_and(|due| due <= self.now);
        let (framing, longest) = (self.tags.outgoing(), self.config.max_datagram_len());
        let buf = self.buf.get_mut(..room).unwrap_or_default();
        match self.machine.poll_transmit(self.now, buf) {
            Ok(None) => {
                self.sent.answers.on_drained();
                false
            }
            Ok(Some(transmit)) => {
                assert!(due, "a datagram must not leave before poll_timeout is due");
                assert!(transmit.len <= room && transmit.len > 0 && transmit.len <= longest);
                assert_eq!(transmit.segment_size, transmit.len);
                let datagram = self.buf.get(..transmit.len).unwrap_or_default();
                let sent = framing.decode_datagram(datagram);
                assert!(sent.is_ok(), "each datagram sent must be a valid packet: {sent:?}");
                if let Ok(sent) = sent {
                    self.sent.on_sent(&sent);
                }
                true
            }
            Err(error) => {
                assert!(error.needed > room && error.needed <= ROOM && error.needed <= longest);
                assert!(
                    self.machine.poll_timeout().is_some_and(|due| due <= self.now),
                    "a datagram that did not fit must stay due"
                );
                true
            }
        }
    }

    fn drain(&mut self) {
        let mut count = 0;
        while self.transmit(ROOM) {
            count += 1;
            assert!(count < 1_000, "poll_transmit must return None within 1,000 datagrams");
        }
    }

    fn event(&mut self) {
        let Some(event) = self.machine.poll_event() else { return };
        assert!(!self.closed, "no event must follow Closed: {event:?}");
        if let Event::Closed(reason) = event {
            assert_eq!(self.machine.ended(), Some(reason));
            self.closed = true;
        }
    }

    /// Checks deadlines and events on a copy, which leaves the run as it is.
    ///
    /// After a timeout and a drain, the next deadline must lie in the future. At most five events may be pending.
    fn check(&self) {
        let mut copy = self.clone();
        copy.machine.handle_timeout(copy.now);
        copy.drain();
        let due = copy.machine.poll_timeout();
        assert!(
            due.is_none_or(|due| due > copy.now),
            "after a drain at {:?} the deadline {due:?} must be later",
            copy.now
        );
        assert!(
            due.is_some() || copy.may_sleep(),
            "a connection without a deadline must have nothing to wait for: {:?}",
            copy.machine
        );
        for _ in 0..5 {
            copy.event();
        }
        assert_eq!(copy.machine.poll_event(), None, "at most five events must be pending");
        assert_eq!(copy.closed, copy.machine.ended().is_some(), "Closed must report the end");
    }

    /// Whether the connection may have no deadline.
    ///
    /// A drained connection has none. Another connection needs none if it awaits no answer, no limit on silence applies
    /// and, in extended mode, keep-alive is off.
    fn may_sleep(&self) -> bool {
        let machine = &self.machine;
        let (config, extended) = (&self.config, machine.is_extended());
        if machine.ended().is_some() {
            return machine.is_drained();
        }
        if !machine.is_established() {
            // In extended mode a server repeats CONNACK only in answer to CONNECT, and not by a timer. So it sends no
            // more than it received.
            let lifted = config.handshake_limit == Duration::MAX && self.start.lifts_idle_limit();
            return lifted && extended && machine.role() == Role::Server;
        }
        let lifted = if extended { config.keep_alive } else { config.quiet_limit } == Duration::MAX;
        let fin_answered = machine.state() != ConnectionState::Closing || self.sent.fins.is_answered();
        lifted && machine.is_all_acknowledged() && fin_answered
    }
}
