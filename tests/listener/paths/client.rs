//! The client: a connection that sends or receives, and that may pause.

use super::access::Outside;
use super::{CONFIG, Direction, Setup, storage};
use rdt_proto::connection::{CloseReason, Connection, HeapStorage};
use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// Pauses of the client. All but the last kind recur, one in each [`EVERY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    Never,
    /// The program writes and reads nothing for so many milliseconds. Its connection goes on.
    Program(u64),
    /// The whole machine stands still for so many milliseconds.
    Machine(u64),
    /// The whole machine stands still once: from when, and for so many milliseconds.
    Once(Instant, u64),
}

/// The interval between the starts of two pauses.
const EVERY: Duration = Duration::from_millis(800);

pub(super) struct Client {
    connection: Connection<HeapStorage>,
    direction: Direction,
    pause: Pause,
    unsent: u64,
    unread: u64,
    outside: Outside,
    /// Datagrams that arrived in a pause of the machine.
    inbox: VecDeque<Vec<u8>>,
    now: Instant,
    ended_at: Option<Instant>,
}

/// The end of a pause of `pause_ms` that contains `at`, or `at` itself.
fn after_pause(at: Instant, pause_ms: u64) -> Instant {
    let (every, pause) = (EVERY.as_micros(), pause_ms * 1_000);
    // The first pause begins after one interval.
    let into = at.as_micros() % every;
    if at.as_micros() >= every && into < pause { Instant::from_micros(at.as_micros() - into + pause) } else { at }
}

/// The end of a standstill of `ms` that contains `at`, or `at` itself.
fn after_standstill(at: Instant, from: Instant, ms: u64) -> Instant {
    let end = from + Duration::from_millis(ms);
    if (from..end).contains(&at) { end } else { at }
}

impl Client {
    pub(super) fn new(setup: Setup, outside: Outside) -> Self {
        let mut entropy = [0; 32];
        Rng::new(setup.seed.wrapping_add(77)).fill(&mut entropy);
        let connection = Connection::connect(Instant::ZERO, CONFIG, entropy, storage().unwrap()).unwrap();
        let (unsent, unread) = match setup.direction {
            Direction::Upload => (setup.bytes, 0),
            Direction::Download => (0, setup.bytes),
        };
        let Setup { direction, pause, .. } = setup;
        let (inbox, now) = (VecDeque::new(), Instant::ZERO);
        Self { connection, direction, pause, unsent, unread, outside, inbox, now, ended_at: None }
    }

    /// The duration of the transfer, or why it failed.
    pub(super) fn took(&self) -> Result<Duration, Option<CloseReason>> {
        match self.connection.ended() {
            Some(CloseReason::Finished) if self.unsent == 0 && self.unread == 0 => {
                self.ended_at.map(|at| at.saturating_since(Instant::ZERO)).ok_or(None)
            }
            reason => Err(reason),
        }
    }

    /// When a machine that would act at `at` acts.
    fn machine_at(&self, at: Instant) -> Instant {
        match self.pause {
            Pause::Never | Pause::Program(_) => at,
            Pause::Machine(ms) => after_pause(at, ms),
            Pause::Once(from, ms) => after_standstill(at, from, ms),
        }
    }

    /// When a program that would act at `at` acts.
    fn program_at(&self, at: Instant) -> Instant {
        match self.pause {
            Pause::Never => at,
            Pause::Program(ms) | Pause::Machine(ms) => after_pause(at, ms),
            Pause::Once(from, ms) => after_standstill(at, from, ms),
        }
    }

    fn is_over(&self) -> bool {
        self.ended_at.is_some()
    }
}

impl Node for Client {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        self.now = now;
        if self.machine_at(now) == now && self.inbox.is_empty() {
            self.connection.handle_datagram(now, datagram);
        } else {
            self.inbox.push_back(datagram.to_vec());
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.machine_at(now) == now {
            for datagram in self.inbox.drain(..) {
                self.connection.handle_datagram(now, &datagram);
            }
            self.connection.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        if self.machine_at(now) != now || !self.inbox.is_empty() {
            return None;
        }
        let sent = self.connection.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(self.outside.get(), sent.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let inbox = (!self.inbox.is_empty()).then_some(self.now);
        let connection = self.connection.poll_timeout();
        let machine = inbox.into_iter().chain(connection).min().map(|at| self.machine_at(at));
        let program = Some(self.program_at(self.now)).filter(|&at| at > self.now && !self.is_over());
        machine.into_iter().chain(program).min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        self.now = now;
        if self.program_at(now) != now {
            return false;
        }
        while self.connection.poll_event().is_some() {}
        let before = (self.unsent, self.unread);
        while self.unsent > 0 {
            let len = usize::try_from(self.unsent.min(1_200)).unwrap();
            match self.connection.send(&[7; 1_200][..len]) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.unsent -= count as u64,
            }
        }
        while !self.connection.recv_chunk().is_empty() {
            let len = self.connection.recv_chunk().len();
            self.unread -= len as u64;
            self.connection.consume(len);
        }
        if self.unsent == 0 && (self.direction == Direction::Upload || self.connection.is_finished_reading()) {
            self.connection.close();
        }
        if self.ended_at.is_none() && self.connection.ended().is_some() {
            self.ended_at = Some(now);
        }
        before != (self.unsent, self.unread)
    }

    fn is_done(&self) -> bool {
        self.is_over()
    }
}
