//! A model of the public implementation's handshake and close.
//!
//! The model covers the packets that the implementation sends, their times, its end, and the packets that crash it.

use harness::base::*;
use rdt_proto::connection::{Method, Role};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};

/// The interval of retransmissions.
const REPEAT: Duration = Duration::from_millis(1_500);
/// The interval of FINs in stop-and-wait.
const REPEAT_FIN_STOP_AND_WAIT: Duration = Duration::from_secs(2);
/// The number of retransmissions of a packet after which the peer gives up.
const MOST_REPETITIONS: u32 = 50;
/// Selective repeat: how long the peer waits for our FINACK after it has received our FIN.
const WAIT: Duration = Duration::from_secs(7);
/// Stop-and-wait: how long the peer answers a repeated FIN, since its FINACK may be lost.
const STAY: Duration = Duration::from_secs(5);

/// The behaviour of the peer's application.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// The number of INFO packets that the application sends, one after another.
    pub(crate) infos: u32,
    /// The earliest time at which the application closes.
    pub(crate) closes_at: Instant,
    /// Selective repeat: whether the peer answers our FIN with a FIN and a FINACK.
    pub(crate) fin_on_fin: bool,
}

/// The modelled peer.
pub(crate) struct Peer {
    method: Method,
    role: Role,
    habits: Habits,
    opened: bool,
    confirmed: bool,
    /// The number of the next INFO from our side.
    next: u32,
    /// The number of the oldest unacknowledged INFO of the peer.
    base: u32,
    /// When the packet that the peer repeats was sent last. It is a CONNECT, CONNACK, INFO or FIN.
    sent_at: Option<Instant>,
    repetitions: u32,
    fin_sent: bool,
    fin_answered: bool,
    /// When our FIN arrived.
    got_fin: Option<Instant>,
    pub(crate) finished: bool,
    /// The peer has given up: for more than a minute, one direction or both lost every datagram.
    pub(crate) gave_up: bool,
    outbox: Vec<Vec<u8>>,
}

impl Peer {
    pub(crate) fn new(method: Method, role: Role, habits: Habits) -> Self {
        Self {
            method,
            role,
            habits,
            opened: role == Role::Client,
            confirmed: false,
            next: 0,
            base: 0,
            sent_at: None,
            repetitions: 0,
            fin_sent: false,
            fin_answered: false,
            got_fin: None,
            finished: false,
            gave_up: false,
            outbox: vec![],
        }
    }

    /// Takes the datagrams sent since the last call.
    pub(crate) fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outbox)
    }

    fn sends(&mut self, packet: Packet<'_>) {
        let mut datagram = vec![0; 64];
        let len = packet.encode(&Framing::ROSTOV, &mut datagram).unwrap_or_else(|error| panic!("{error}"));
        datagram.truncate(len);
        self.outbox.push(datagram);
    }

    pub(crate) fn receives(&mut self, now: Instant, datagram: &[u8]) {
        let packet =
            Framing::ROSTOV.decode(datagram).unwrap_or_else(|error| panic!("the peer fails on {error}: {datagram:?}"));
        assert!(!self.finished, "the peer crashes on {packet:?} after it has finished");
        assert!(self.opened || packet == CONNECT, "the peer crashes on {packet:?} from an unknown sender");
        match packet {
            Packet::Connect(_) => self.on_connect(),
            Packet::ConnAck(_) => self.on_connack(),
            Packet::Info { number, .. } => self.on_info(number.value()),
            Packet::Ack { number } if number.value() == self.base => {
                self.base += 1;
                self.sent_at = None;
            }
            Packet::Ack { .. } => {}
            Packet::Fin => self.on_fin(now),
            Packet::FinAck => self.on_finack(),
            _ => panic!("the peer crashes on {packet:?}"),
        }
    }

    fn on_connect(&mut self) {
        assert_eq!(self.role, Role::Server, "CONNECT to a client");
        let first = !std::mem::replace(&mut self.opened, true);
        if self.method == Method::StopAndWait {
            assert!(!self.confirmed, "the peer crashes on a CONNECT after INFO 0");
            self.sends(CONNACK);
        } else if first {
            self.sent_at = None;
        }
    }

    fn on_connack(&mut self) {
        assert_eq!(self.role, Role::Client, "CONNACK to a server");
        if !std::mem::replace(&mut self.confirmed, true) {
            self.sent_at = None;
        }
    }

    fn on_info(&mut self, number: u32) {
        assert!(number <= self.next, "INFO {number} before {}", self.next);
        assert!(self.got_fin.is_none(), "INFO {number} after FIN");
        if self.role == Role::Server && number == 0 && !std::mem::replace(&mut self.confirmed, true) {
            self.sent_at = None;
        }
        self.next = self.next.max(number + 1);
        self.sends(ack(number));
    }

    fn on_fin(&mut self, now: Instant) {
        let selective_repeat = self.method == Method::SelectiveRepeat;
        if selective_repeat && self.got_fin.is_none() && !self.fin_sent && self.habits.fin_on_fin {
            self.fin_sent = true;
            self.sends(FIN);
        }
        if !selective_repeat || self.got_fin.is_none() {
            self.got_fin = Some(now);
        }
        self.sends(FINACK);
    }

    fn on_finack(&mut self) {
        match self.method {
            Method::SelectiveRepeat => {
                assert!(self.fin_sent || self.got_fin.is_some(), "unsolicited FINACK");
                if self.got_fin.is_none() {
                    self.sends(FINACK);
                }
                self.finished = true;
            }
            Method::StopAndWait => {
                assert!(self.fin_sent, "unsolicited FINACK");
                self.fin_answered = true;
            }
        }
    }

    /// Advances the peer to this time.
    pub(crate) fn acts(&mut self, now: Instant) {
        if self.finished || !self.opened {
            return;
        }
        match (self.method, self.got_fin) {
            (Method::SelectiveRepeat, Some(since)) => {
                // After our FIN, the peer only waits for our FINACK.
                self.finished = now >= since + WAIT;
                return;
            }
            (Method::StopAndWait, Some(since)) if self.fin_answered => {
                self.finished = now >= since + STAY;
                return;
            }
            _ => {}
        }
        if self.fin_answered {
            return;
        }
        let ready = self.confirmed && self.base >= self.info_count() && now >= self.habits.closes_at;
        if ready && !std::mem::replace(&mut self.fin_sent, true) {
            self.sent_at = None;
        }
        let interval = match self.method {
            Method::StopAndWait if self.fin_sent => REPEAT_FIN_STOP_AND_WAIT,
            Method::StopAndWait | Method::SelectiveRepeat => REPEAT,
        };
        if self.sent_at.is_some_and(|at| now < at + interval) {
            return;
        }
        self.repeats(now);
    }

    /// The number of INFO packets that the peer sends. A client also sends the empty INFO 0.
    fn info_count(&self) -> u32 {
        self.habits.infos + u32::from(self.role == Role::Client)
    }

    fn repeats(&mut self, now: Instant) {
        self.repetitions = if self.sent_at.is_some() { self.repetitions + 1 } else { 0 };
        if self.repetitions > MOST_REPETITIONS {
            self.gave_up = true;
            return;
        }
        match (self.role, self.confirmed) {
            (Role::Client, false) => self.sends(CONNECT),
            (Role::Server, false) if self.method == Method::SelectiveRepeat => self.sends(CONNACK),
            (Role::Server, false) => {}
            (_, true) if self.fin_sent => self.sends(FIN),
            (_, true) if self.base < self.info_count() => {
                let body: &[u8] = if self.role == Role::Client && self.base == 0 { b"" } else { b"i" };
                self.sends(info(self.base, body));
            }
            (_, true) => return,
        }
        self.sent_at = Some(now);
    }
}
