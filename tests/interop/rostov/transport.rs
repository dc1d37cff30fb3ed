//! The transport of the public implementation.

use super::program::Program;
use harness::packets::{CONNACK, CONNECT, FIN, FINACK, ack, datagram, info};
use rdt_proto::connection::{Method, Role};
use rdt_proto::sim::{Node, Outgoing, SimAddress};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};
use std::collections::{BTreeMap, VecDeque};

/// The interval of repetitions, and of silence before CONNACK is repeated.
const REPEAT: Duration = Duration::from_millis(1_500);
/// The number of repetitions after which the implementation gives up.
const MOST_REPEATS: u32 = 50;
/// The interval of FINs in stop-and-wait.
const REPEAT_FIN: Duration = Duration::from_secs(2);
/// Selective repeat: how long it waits for our FINACK after our FIN.
const WAIT: Duration = Duration::from_secs(7);
/// Stop-and-wait: how long it answers a repeated FIN after the close.
const STAY: Duration = Duration::from_secs(5);
/// Stop-and-wait: the interval at which it reads packets.
const PACE: Duration = Duration::from_millis(100);
/// The bytes that its socket holds unread.
const SOCKET_BYTES: usize = 200_000;
/// The numbers in flight, and kept ahead of a gap, with selective repeat.
const WINDOW: u32 = 500;

/// When a packet was sent, and how often it was repeated.
#[derive(Clone, Copy)]
struct Transmission {
    sent_at: Instant,
    times: u32,
}

/// The state of the implementation, apart from its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A server that knows no client.
    Listening,
    Opening,
    Open,
    /// A server knows its client no more.
    Finished,
    /// It has repeated a packet 50 times: for more than a minute, one direction or both lost every datagram.
    GaveUp,
}

/// What has happened in the close.
#[derive(Default)]
struct Close {
    fin_sent: bool,
    fin_answered: bool,
    /// When our FIN arrived: the first one with selective repeat, the last one with stop-and-wait.
    fin_came: Option<Instant>,
}

/// The public implementation at one end of a connection.
pub(crate) struct Rostov {
    method: Method,
    role: Role,
    /// The address of our side.
    ours: SimAddress,
    pub(crate) program: Program,
    /// Selective repeat: whether a FIN is answered by a FIN and a FINACK.
    fin_on_fin: bool,
    now: Instant,
    pub(crate) state: State,
    /// Datagrams that stop-and-wait has not read yet.
    inbox: VecDeque<Vec<u8>>,
    next_read: Instant,
    outbox: VecDeque<Vec<u8>>,
    /// CONNECT, CONNACK or FIN, if it is repeated.
    control: Option<Transmission>,
    /// The number of the next body of its own.
    next_sent: u32,
    unacknowledged: BTreeMap<u32, (Vec<u8>, Transmission)>,
    next_received: u32,
    /// Bodies ahead of a gap.
    kept: BTreeMap<u32, Vec<u8>>,
    close: Close,
}

impl Rostov {
    pub(crate) fn new(method: Method, role: Role, ours: SimAddress, program: Program, fin_on_fin: bool) -> Self {
        let mut peer = Self {
            method,
            role,
            ours,
            program,
            fin_on_fin,
            now: Instant::ZERO,
            state: State::Listening,
            inbox: VecDeque::new(),
            next_read: Instant::ZERO,
            outbox: VecDeque::new(),
            control: None,
            next_sent: 0,
            unacknowledged: BTreeMap::new(),
            next_received: 0,
            kept: BTreeMap::new(),
            close: Close::default(),
        };
        if role == Role::Client {
            peer.state = State::Opening;
            peer.sends_control(CONNECT);
        }
        peer
    }

    /// Takes the next datagram that it sends.
    pub(crate) fn take_sent(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    /// Advances to `now`, and receives this datagram.
    pub(crate) fn receives(&mut self, now: Instant, bytes: &[u8]) {
        self.advance(now);
        if self.method == Method::SelectiveRepeat {
            self.reads(bytes);
        } else if self.inbox.iter().map(Vec::len).sum::<usize>() + bytes.len() <= SOCKET_BYTES {
            self.inbox.push_back(bytes.to_vec());
        }
        self.advance(now);
    }

    /// Does all that is due at `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while self.next_read <= self.now
            && let Some(bytes) = self.inbox.pop_front()
        {
            self.next_read = self.now + PACE;
            self.reads(&bytes);
        }
        if !matches!(self.state, State::Opening | State::Open) {
            return;
        }
        self.repeats();
        self.runs_program();
        self.finishes();
    }

    fn reads(&mut self, bytes: &[u8]) {
        if self.state == State::Finished && self.role == Role::Client {
            // Its socket is closed.
            return;
        }
        let packet = Framing::ROSTOV.decode(bytes).unwrap_or_else(|error| panic!("it ends on {error}: {bytes:?}"));
        match (self.state, packet) {
            (State::GaveUp, _) => {}
            (State::Listening | State::Finished, Packet::Connect(_)) => {
                assert_eq!(self.state, State::Listening, "CONNECT of a client that has finished");
                self.state = State::Opening;
                self.on_connect();
            }
            (State::Listening | State::Finished, packet) => panic!("its server ends: {packet:?} of an unknown client"),
            (_, Packet::Connect(_)) => self.on_connect(),
            (_, Packet::ConnAck(_)) => self.on_connack(),
            (_, Packet::Info { number, body, .. }) => self.on_info(number.value(), body),
            (_, Packet::Ack { number }) => self.on_ack(number.value()),
            (_, Packet::Fin) => self.on_fin(),
            (_, Packet::FinAck) => self.on_finack(),
            (_, packet) => panic!("it ends on {packet:?}"),
        }
    }

    fn sends(&mut self, packet: Packet<'_>) {
        self.outbox.push_back(datagram(&Framing::ROSTOV, packet));
    }

    fn sends_control(&mut self, packet: Packet<'_>) {
        let times = self.control.map_or(0, |control| control.times + 1);
        self.control = Some(Transmission { sent_at: self.now, times });
        self.sends(packet);
    }

    fn on_connect(&mut self) {
        assert_eq!(self.role, Role::Server, "CONNECT to a client");
        match (self.method, self.state, &mut self.control) {
            (Method::SelectiveRepeat, State::Open, _) => {}
            (Method::SelectiveRepeat, _, Some(connack)) => connack.sent_at = self.now,
            (Method::SelectiveRepeat, _, None) => self.sends_control(CONNACK),
            (Method::StopAndWait, State::Open, _) => panic!("its handler ends: CONNECT after INFO 0"),
            (Method::StopAndWait, _, _) => self.sends(CONNACK),
        }
    }

    fn on_connack(&mut self) {
        assert_eq!(self.role, Role::Client, "CONNACK to a server");
        if self.state == State::Opening && self.next_sent == 0 {
            self.control = None;
            self.sends_body(Vec::new());
        }
    }

    fn on_info(&mut self, number: u32, body: &[u8]) {
        assert!(self.close.fin_came.is_none(), "INFO {number} after FIN");
        if self.state == State::Opening && self.role == Role::Server {
            if number != 0 {
                return;
            }
            assert!(body.is_empty(), "INFO 0 is empty");
            (self.state, self.control) = (State::Open, None);
        }
        let ahead = number.wrapping_sub(self.next_received) & self.last_number();
        match self.method {
            // It acknowledges what it drops.
            Method::StopAndWait if ahead != 0 => {}
            Method::SelectiveRepeat if (WINDOW..u32::MAX / 2).contains(&ahead) => return,
            Method::SelectiveRepeat if ahead >= WINDOW => {}
            Method::StopAndWait | Method::SelectiveRepeat => {
                self.kept.insert(number, body.to_vec());
                while let Some(body) = self.kept.remove(&self.next_received) {
                    self.next_received = (self.next_received + 1) & self.last_number();
                    self.program.reads(&body);
                }
            }
        }
        self.sends(ack(number));
    }

    fn on_ack(&mut self, number: u32) {
        self.unacknowledged.remove(&number);
        if self.state == State::Opening && self.role == Role::Client && number == 0 {
            self.state = State::Open;
        }
    }

    fn on_fin(&mut self) {
        let selective_repeat = self.method == Method::SelectiveRepeat;
        if selective_repeat && self.close.fin_came.is_none() {
            // The FIN closes both directions: the next call to send raises. From here on it only waits for FINACK.
            if self.program.wants_to_send() {
                self.program.raises();
            }
            self.unacknowledged.clear();
            self.control = None;
            if self.fin_on_fin && !self.close.fin_sent {
                self.close.fin_sent = true;
                self.sends(FIN);
            }
        }
        if !selective_repeat || self.close.fin_came.is_none() {
            self.close.fin_came = Some(self.now);
        }
        self.program.ends();
        self.sends(FINACK);
    }

    fn on_finack(&mut self) {
        assert!(self.close.fin_sent || self.close.fin_came.is_some(), "a FINACK that nothing asked for");
        match self.method {
            Method::SelectiveRepeat => {
                if self.close.fin_came.is_none() {
                    self.sends(FINACK);
                }
                self.state = State::Finished;
            }
            Method::StopAndWait => {
                assert!(self.close.fin_sent, "its own FIN counts as answered");
                (self.close.fin_answered, self.control) = (true, None);
            }
        }
    }

    /// Sends `body` with the next number.
    fn sends_body(&mut self, body: Vec<u8>) {
        let number = self.next_sent;
        self.sends(info(number, &body));
        self.unacknowledged.insert(number, (body, Transmission { sent_at: self.now, times: 0 }));
        self.next_sent = (number + 1) & self.last_number();
    }

    fn runs_program(&mut self) {
        if self.state != State::Open {
            return;
        }
        while self.has_room()
            && let Some(body) = self.program.writes(self.now)
        {
            self.sends_body(body);
        }
        let all_arrived = self.unacknowledged.is_empty();
        if self.program.closes(self.now, all_arrived) && !self.close.fin_sent && !self.is_closed_by_us() {
            (self.close.fin_sent, self.control) = (true, None);
            self.sends_control(FIN);
        }
    }

    /// Whether the window allows another body.
    fn has_room(&self) -> bool {
        let window = if self.method == Method::SelectiveRepeat { WINDOW as usize } else { 1 };
        self.unacknowledged.len() < window
    }

    /// Whether our FIN has closed both directions.
    fn is_closed_by_us(&self) -> bool {
        self.method == Method::SelectiveRepeat && self.close.fin_came.is_some()
    }

    /// Repeats what was not answered in time.
    fn repeats(&mut self) {
        let due = |repeat: &Transmission, interval| self.now >= repeat.sent_at + interval;
        let numbers: Vec<u32> = self
            .unacknowledged
            .iter()
            .filter_map(|(&number, (_, repeat))| due(repeat, REPEAT).then_some(number))
            .collect();
        let control = self.control.filter(|control| due(control, self.control_interval()));
        for number in numbers {
            if let Some((body, repeat)) = self.unacknowledged.get_mut(&number) {
                *repeat = Transmission { sent_at: self.now, times: repeat.times + 1 };
                let (body, times) = (body.clone(), repeat.times);
                self.gives_up_after(times);
                self.sends(info(number, &body));
            }
        }
        if let Some(control) = control {
            self.gives_up_after(control.times + 1);
            self.sends_control(match (self.close.fin_sent, self.role) {
                (true, _) => FIN,
                (false, Role::Client) => CONNECT,
                (false, Role::Server) => CONNACK,
            });
        }
    }

    fn gives_up_after(&mut self, times: u32) {
        if times > MOST_REPEATS {
            self.state = State::GaveUp;
        }
    }

    /// The interval of FIN, or of CONNECT or CONNACK before it.
    fn control_interval(&self) -> Duration {
        if self.close.fin_sent && self.method == Method::StopAndWait { REPEAT_FIN } else { REPEAT }
    }

    /// When it forgets the connection; `None` before the close.
    fn end(&self) -> Option<Instant> {
        let fin_came = self.close.fin_came?;
        match self.method {
            Method::SelectiveRepeat => Some(fin_came + WAIT),
            Method::StopAndWait => self.close.fin_answered.then_some(fin_came + STAY),
        }
    }

    fn finishes(&mut self) {
        if self.state == State::Open && self.end().is_some_and(|end| end <= self.now) {
            self.state = State::Finished;
        }
        if self.state == State::Finished {
            self.control = None;
            self.unacknowledged.clear();
        }
    }

    fn last_number(&self) -> u32 {
        if self.method == Method::SelectiveRepeat { u32::MAX } else { 0xFFFF }
    }
}

impl Node for Rostov {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        assert_eq!(from, self.ours, "it ends on a datagram from a third address");
        self.receives(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    fn poll_transmit(&mut self, _now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let bytes = self.take_sent()?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Some(Outgoing::new(self.ours, bytes.len()))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if !self.outbox.is_empty() {
            return Some(self.now);
        }
        let read = (!self.inbox.is_empty()).then_some(self.next_read);
        if !matches!(self.state, State::Opening | State::Open) {
            return read;
        }
        let control = self.control.map(|control| control.sent_at + self.control_interval());
        let bodies = self.unacknowledged.values().map(|(_, repeat)| repeat.sent_at + REPEAT).min();
        let program = self.program.close_at().filter(|_| !self.close.fin_sent && !self.is_closed_by_us());
        let write = self.program.write_at().filter(|_| self.state == State::Open && self.has_room());
        [read, control, bodies, program, write, self.end()].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Finished | State::GaveUp) && self.outbox.is_empty() && self.inbox.is_empty()
    }
}
