//! Property: the rules of closing with the public implementation hold for all packets, times and calls.
//!
//! An observer of the datagrams checks the rules. The main rule is that nothing is sent to a peer that has finished.
//! The peer sends arbitrary packets, since the rules depend only on the packets received and sent.

use harness::base::*;
use proptest::prelude::*;
use rdt_proto::connection::{CloseReason, Handled, Method, Role};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant, Seq};

/// A packet that arrives, a call, or a span of time.
#[derive(Clone, Debug)]
enum Op {
    Connect,
    ConnAck,
    /// The next expected INFO.
    NextInfo,
    Info(u32),
    /// The ACK of the last INFO sent.
    AckLatest,
    Ack(u32),
    Fin,
    FinAck,
    /// Sends up to this many datagrams.
    Poll(usize),
    /// Advances the time. With `polls`, datagrams that become due are sent.
    Elapse {
        millis: u64,
        polls: bool,
    },
    Write,
    Read,
    Close,
    Abort,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Connect),
        2 => Just(Op::ConnAck),
        5 => Just(Op::NextInfo),
        1 => (0..4_u32).prop_map(Op::Info),
        5 => Just(Op::AckLatest),
        1 => (0..4_u32).prop_map(Op::Ack),
        5 => Just(Op::Fin),
        5 => Just(Op::FinAck),
        9 => (1..4_usize).prop_map(Op::Poll),
        6 => (prop_oneof![0..30_u64, 900..1_100_u64, 0..9_000_u64, Just(70_000)], any::<bool>())
            .prop_map(|(millis, polls)| Op::Elapse { millis, polls }),
        2 => Just(Op::Write),
        2 => Just(Op::Read),
        3 => Just(Op::Close),
        1 => Just(Op::Abort),
    ]
}

/// What an observer of the datagrams knows.
struct Observer {
    method: Method,
    /// A client has accepted CONNACK.
    connack: bool,
    /// The number of the unacknowledged INFO.
    in_flight: Option<Seq>,
    latest_info: u32,
    next_info: u32,
    fins_sent: u32,
    fin_sent_at: Option<Instant>,
    fin_answered: bool,
    /// The peer's FIN has reached an established connection.
    fin_came: bool,
    /// The peer's FIN waits for its FINACK.
    finack_pending: bool,
    finack_sent: bool,
    /// Selective repeat: the peer has sent its last packet.
    gone: bool,
}

impl Observer {
    fn new(method: Method) -> Self {
        Self {
            method,
            connack: false,
            in_flight: None,
            latest_info: 0,
            next_info: 0,
            fins_sent: 0,
            fin_sent_at: None,
            fin_answered: false,
            fin_came: false,
            finack_pending: false,
            finack_sent: false,
            gone: false,
        }
    }

    /// Records a packet that arrived.
    fn received(&mut self, packet: Packet<'_>, was_established: bool, handled: Handled) {
        let taken = handled == Handled::Accepted;
        match packet {
            Packet::ConnAck(_) => self.connack |= taken,
            Packet::Info { number, .. } if taken && number.value() == self.next_info => self.next_info += 1,
            Packet::Ack { number } if taken && self.in_flight == Some(number) => self.in_flight = None,
            Packet::Fin => {
                self.fin_came |= was_established || taken;
                self.finack_pending |= taken && !self.gone;
                assert!(!(taken && self.gone), "accepted the FIN of a peer that has finished");
            }
            Packet::FinAck => {
                self.fin_answered |= self.fins_sent > 0;
                if self.method == Method::SelectiveRepeat && !self.gone && (self.fins_sent > 0 || self.finack_sent) {
                    self.gone = true;
                    self.finack_pending = !self.finack_sent;
                }
            }
            _ => {}
        }
    }

    /// Records a packet that is sent.
    fn sends(&mut self, packet: Packet<'_>, now: Instant, ended: Option<CloseReason>) {
        if let Some(CloseReason::HandshakeTimedOut | CloseReason::TimedOut | CloseReason::Quiet) = ended {
            panic!("sent {packet:?} after {ended:?}");
        }
        let sr = self.method == Method::SelectiveRepeat;
        let is_done = if sr { self.fin_came || self.gone } else { self.fin_came && self.fin_answered };
        assert!(!is_done || packet == Packet::FinAck, "{packet:?} to a peer that has finished");
        match packet {
            Packet::Connect(_) => assert!(!self.connack, "CONNECT after CONNACK"),
            Packet::Info { number, .. } => {
                assert_eq!(self.fins_sent, 0, "INFO after FIN");
                assert!(self.in_flight.is_none_or(|earlier| earlier == number), "two INFOs in flight");
                self.in_flight = Some(number);
                self.latest_info = number.value();
            }
            Packet::Ack { number } => assert!(number.value() < self.next_info, "ACK of an INFO that has not arrived"),
            Packet::Fin => {
                self.fins_sent += 1;
                assert!(self.fins_sent <= 5 && !self.fin_answered, "FIN number {}", self.fins_sent);
                let interval = self.fin_sent_at.map(|at| now.saturating_since(at));
                assert!(interval.is_none_or(|interval| interval >= Duration::from_secs(1)), "FIN after {interval:?}");
                self.fin_sent_at = Some(now);
            }
            Packet::FinAck => {
                assert!(self.finack_pending, "an unsolicited FINACK, or a second one");
                self.finack_pending = false;
                self.finack_sent = true;
            }
            _ => {}
        }
    }
}

/// The machine under test, and the observer of its datagrams.
struct World {
    trace: BaseTrace,
    observer: Observer,
}

impl World {
    fn new(method: Method, role: Role) -> Self {
        let config = rdt_proto::connection::Config::rostov(method);
        let trace = if role == Role::Client { BaseTrace::client(config) } else { BaseTrace::server(config) };
        Self { trace, observer: Observer::new(method) }
    }

    fn receive(&mut self, packet: Packet<'_>) {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::ROSTOV, &mut datagram).unwrap();
        let was_established = self.trace.machine.is_established();
        let handled = self.trace.machine.handle_datagram(self.trace.now, &datagram[..len]);
        self.observer.received(packet, was_established, handled);
    }

    fn poll(&mut self, limit: usize) {
        for _ in 0..limit {
            let mut buf = [0; 2_000];
            let Some(sent) = self.trace.machine.poll_transmit(self.trace.now, &mut buf).unwrap() else { return };
            let packet = Framing::ROSTOV.decode(&buf[..sent.len]).unwrap();
            self.observer.sends(packet, self.trace.now, self.trace.machine.ended());
        }
    }

    fn elapse(&mut self, millis: u64, polls: bool) {
        let end = self.trace.now + Duration::from_millis(millis);
        while let Some(due) = self.trace.machine.poll_timeout().filter(|&due| polls && due <= end) {
            self.trace.now = self.trace.now.max(due);
            self.trace.machine.handle_timeout(self.trace.now);
            self.poll(usize::MAX);
        }
        self.trace.now = end;
        self.trace.machine.handle_timeout(end);
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Connect => self.receive(CONNECT),
            Op::ConnAck => self.receive(CONNACK),
            Op::NextInfo => self.receive(info(self.observer.next_info, b"i")),
            Op::Info(number) => self.receive(info(number, b"i")),
            Op::AckLatest => self.receive(ack(self.observer.latest_info)),
            Op::Ack(number) => self.receive(ack(number)),
            Op::Fin => self.receive(FIN),
            Op::FinAck => self.receive(FINACK),
            Op::Poll(limit) => self.poll(limit),
            Op::Elapse { millis, polls } => self.elapse(millis, polls),
            Op::Write => {
                let _ = self.trace.machine.send(b"w");
            }
            Op::Read => {
                self.trace.machine.recv(&mut [0; 16]);
            }
            Op::Close => self.trace.machine.close(),
            Op::Abort => self.trace.machine.abort(0),
        }
    }
}

fn run(method: Method, role: Role, established: bool, ops: &[Op]) {
    let mut world = World::new(method, role);
    if established {
        world.poll(1);
        world.apply(if role == Role::Client { &Op::ConnAck } else { &Op::NextInfo });
    }
    for op in ops {
        world.apply(op);
    }
    world.elapse(200_000, true);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_hold_with_selective_repeat(
        client in any::<bool>(), established in prop::bool::weighted(0.8), ops in prop::collection::vec(op(), 0..40),
    ) {
        run(Method::SelectiveRepeat, if client { Role::Client } else { Role::Server }, established, &ops);
    }

    #[test]
    fn the_rules_hold_with_stop_and_wait(
        client in any::<bool>(), established in prop::bool::weighted(0.8), ops in prop::collection::vec(op(), 0..40),
    ) {
        run(Method::StopAndWait, if client { Role::Client } else { Role::Server }, established, &ops);
    }
}
