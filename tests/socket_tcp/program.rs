//! A model of the other programs of the course, as a node of a simulation. One message goes from client to server.
//!
//! Each program is a set of habits. The recordings show most of them; `insists_on_ack` and `fails_at_bare_ack` were
//! observed under loss.

use rdt_proto::sim::{Node, Outgoing, SimAddress};
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// How a program differs from the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// The server expects the ACK of the handshake at its second port; otherwise at the port that was called.
    pub(crate) ack_at_second_port: bool,
    /// The number is filled with zeros to this many digits.
    pub(crate) digits: usize,
    /// The body of segments without data: of FIN, and of the others.
    pub(crate) control_bodies: [&'static str; 2],
    /// The longest piece of content in bytes.
    pub(crate) piece: usize,
    /// The server closes after the message; otherwise the client.
    pub(crate) server_closes: bool,
    /// How many times the final segment is sent.
    pub(crate) finals: usize,
    /// A final segment needs the flag ACK.
    pub(crate) insists_on_ack: bool,
    /// A server fails if an ACK arrives in place of a length.
    pub(crate) fails_at_bare_ack: bool,
}

/// An unanswered segment is repeated after this time.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How many times FIN and FIN+ACK are sent.
const CLOSE_TRIES: u32 = 3;

const SYN: &str = "1|||0|||0";
const SYN_ACK: &str = "1|||1|||0";
const ACK: &str = "0|||1|||0";
const DATA: &str = "0|||0|||0";
const FIN: &str = "0|||0|||1";
const FIN_ACK: &str = "0|||1|||1";

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Listen,
    SynSent,
    SynReceived,
    /// The message is in transit.
    Open,
    FinWait,
    LastAck,
    /// The end, and whether the peer's last word was received.
    Ended {
        answered: bool,
    },
    Failed,
}

/// A client or a server of the course.
pub(crate) struct Program {
    habits: Habits,
    at: SimAddress,
    peer: SimAddress,
    /// The address that a client called. Its peer may answer from another one.
    called: SimAddress,
    is_client: bool,
    state: State,
    /// The number of the next or outstanding segment.
    number: u64,
    /// Client: the bodies to be sent, the length first.
    bodies: VecDeque<String>,
    /// Server: the announced length, and the content.
    length: Option<usize>,
    pub(crate) content: String,
    outbox: VecDeque<(SimAddress, String)>,
    /// The segment that is repeated, the time of its next repetition, and how many times it was sent.
    repeated: Option<(String, Instant, u32)>,
}

impl Program {
    pub(crate) fn server(habits: Habits, at: SimAddress) -> Self {
        Self {
            habits,
            at,
            peer: at,
            called: at,
            is_client: false,
            state: State::Listen,
            number: 0,
            bodies: VecDeque::new(),
            length: None,
            content: String::new(),
            outbox: VecDeque::new(),
            repeated: None,
        }
    }

    pub(crate) fn client(habits: Habits, at: SimAddress, server: SimAddress, number: u64, message: &str) -> Self {
        let pieces = message.as_bytes().chunks(habits.piece).map(|piece| str::from_utf8(piece).unwrap().to_owned());
        let bodies = std::iter::once(message.len().to_string()).chain(pieces).collect();
        let mut client = Self { peer: server, called: server, is_client: true, bodies, ..Self::server(habits, at) };
        (client.state, client.number) = (State::SynSent, number);
        client.repeat(Instant::ZERO, SYN, number, "");
        client
    }

    /// Whether the whole message was sent or received.
    pub(crate) fn is_complete(&self) -> bool {
        if self.is_client { self.bodies.is_empty() } else { self.length == Some(self.content.len()) }
    }

    /// Whether the connection has ended with the peer's last word.
    pub(crate) fn is_answered(&self) -> bool {
        self.state == State::Ended { answered: true }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    fn text(&self, flags: &str, number: u64, body: &str) -> String {
        let [fin, other] = self.habits.control_bodies;
        let body = match flags {
            DATA => body,
            FIN => fin,
            _ => other,
        };
        format!("{flags}|||{number:0digits$}|||{body}", digits = self.habits.digits)
    }

    fn send(&mut self, flags: &str, number: u64) {
        let text = self.text(flags, number, "");
        self.outbox.push_back((self.peer, text));
    }

    /// Sends a segment now, and again until the next call.
    fn repeat(&mut self, now: Instant, flags: &str, number: u64, body: &str) {
        let text = self.text(flags, number, body);
        self.outbox.push_back((self.peer, text.clone()));
        self.repeated = Some((text, now + TIMEOUT, 1));
    }

    fn end(&mut self, answered: bool) {
        self.state = State::Ended { answered };
        self.repeated = None;
    }

    /// Sends the next body, or closes if this side closes.
    fn proceed(&mut self, now: Instant) {
        self.repeated = None;
        if let Some(body) = self.bodies.front().cloned() {
            self.repeat(now, DATA, self.number, &body);
        } else if self.is_complete() && self.is_client != self.habits.server_closes {
            self.state = State::FinWait;
            self.repeat(now, FIN, self.number, "");
        }
    }

    fn acknowledge_handshake(&mut self) {
        let text = self.text(ACK, self.number, "");
        let to = if self.habits.ack_at_second_port { self.peer } else { self.called };
        self.outbox.push_back((to, text));
    }

    fn handle(&mut self, now: Instant, from: SimAddress, to: SimAddress, text: &str) {
        let (flags, rest) = text.split_at(DATA.len());
        let (number, body) = rest.strip_prefix("|||").unwrap().split_once("|||").unwrap();
        let number: u64 = number.parse().unwrap();
        match (self.state, flags) {
            (State::Listen, SYN) => {
                (self.peer, self.number, self.state) = (from, number + 1, State::SynReceived);
                self.repeat(now, SYN_ACK, number + 1, "");
            }
            (State::SynReceived, ACK)
                if number == self.number + 1 && self.habits.ack_at_second_port == (to.port != self.at.port) =>
            {
                (self.number, self.state, self.repeated) = (number, State::Open, None);
            }
            (State::SynSent, SYN_ACK) if number == self.number + 1 => {
                (self.peer, self.number, self.state) = (from, number + 1, State::Open);
                self.acknowledge_handshake();
                self.proceed(now);
            }
            (State::Open, SYN_ACK) if self.is_client => self.acknowledge_handshake(),
            _ if to.port == self.at.port && !self.is_client => {}
            (State::Open, ACK | FIN) if self.is_client => self.on_answer(now, flags, number),
            (State::Open, ACK) if self.length.is_none() && self.habits.fails_at_bare_ack => self.state = State::Failed,
            (State::Open | State::FinWait, DATA) => self.on_data(now, number, body),
            (State::Open, FIN) if number == self.number => self.on_fin(now),
            (State::FinWait, FIN_ACK) if number == self.number + 1 => {
                (0..self.habits.finals).for_each(|_| self.send(ACK, number + 1));
                self.end(true);
            }
            (State::LastAck, FIN) if number == self.number => self.on_fin(now),
            (State::LastAck, ACK | FIN)
                if number == self.number + 2 && (flags == ACK || !self.habits.insists_on_ack) =>
            {
                self.end(true);
            }
            _ => {}
        }
    }

    /// Client: an ACK, or a FIN that acknowledges the last piece.
    fn on_answer(&mut self, now: Instant, flags: &str, number: u64) {
        let outstanding = self.bodies.front().map(|body| body.len() as u64);
        if number == self.number + outstanding.unwrap_or(0) {
            self.number = number;
            self.bodies.pop_front();
            self.proceed(now);
            if flags == FIN && self.state == State::Open && self.bodies.is_empty() {
                self.on_fin(now);
            }
        }
    }

    fn on_fin(&mut self, now: Instant) {
        self.state = State::LastAck;
        self.repeat(now, FIN_ACK, self.number + 1, "");
    }

    fn on_data(&mut self, now: Instant, number: u64, body: &str) {
        if number == self.number && !self.is_complete() {
            match self.length {
                None => self.length = Some(body.parse().unwrap()),
                Some(_) => self.content.push_str(body),
            }
            self.number += body.len() as u64;
            self.send(ACK, self.number);
            if self.is_complete() {
                self.proceed(now);
            }
        } else if number < self.number {
            self.send(ACK, self.number);
        }
    }
}

impl Node for Program {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        self.handle(now, from, to, str::from_utf8(datagram).unwrap());
    }

    fn handle_timeout(&mut self, now: Instant) {
        let closing = matches!(self.state, State::FinWait | State::LastAck);
        match self.repeated.take_if(|(_, at, _)| *at <= now) {
            Some((_, _, CLOSE_TRIES..)) if closing => self.end(false),
            Some((text, _, sent)) => {
                self.outbox.push_back((self.peer, text.clone()));
                self.repeated = Some((text, now + TIMEOUT, sent + 1));
            }
            None => {}
        }
    }

    /// A server answers from its second port.
    fn poll_transmit(&mut self, _: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, text) = self.outbox.pop_front()?;
        buf[..text.len()].copy_from_slice(text.as_bytes());
        let from = self.at.node.port(self.at.port + u32::from(!self.is_client));
        Some(Outgoing::new(to, text.len()).with_source(from))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.outbox.is_empty() { self.repeated.as_ref().map(|&(_, at, _)| at) } else { Some(Instant::ZERO) }
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Ended { .. } | State::Failed)
    }
}
