//! Two connections over a network. The input directs each step.

use super::choice::{Choice, Machine, Part, ROOM, SEGMENT};
use super::endpoint::Endpoint;
use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::connection::{CloseReason, Config, Connection, Mode};
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// The fuzzer's choice of both sides.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Setup {
    client_mode: Mode,
    server_mode: Mode,
    /// Whether the default limits on the handshake and on silence apply. Otherwise they are lifted.
    limits: bool,
    keep_alive: bool,
    client: Choice,
    server: Choice,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// One step. The link drops damaged datagrams, so that damage is a loss.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Later { us: u32 },
    UntilDue,
    Wake(Side),
    Transmit(Side),
    Drain(Side),
    Deliver(u8),
    DeliverAll,
    Duplicate(u8),
    Lose(u8),
    LoseAll,
    Send { side: Side, len: u8 },
    SendSegment { side: Side, len: u8 },
    Fill { side: Side, len: u8 },
    Read { side: Side, room: u8 },
    Close(Side),
    Abort(Side, u8),
    Replace { side: Side, part: Part, places: u8 },
    Promise { side: Side, window: u8 },
}

/// Makes the steps that `bytes` describe, then lets both sides close over a perfect network.
///
/// # Panics
///
/// If data read differs from data written, acknowledged data is not kept, `poll_timeout` is wrong, or a connection does
/// not end.
pub fn pair(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(setup) = Setup::arbitrary(&mut input) else { return };
    let Some(mut pair) = Pair::new(&setup) else { return };
    while let Ok(step) = Step::arbitrary(&mut input) {
        pair.make(step);
        pair.check();
        if input.is_empty() {
            break;
        }
    }
    pair.run_to_end();
    pair.check_outcome();
}

struct Pair {
    now: Instant,
    limits: bool,
    client: Endpoint,
    server: Endpoint,
    /// The datagrams in flight, each with its destination.
    network: VecDeque<(Side, Vec<u8>)>,
    /// The time for which the input directed the network. Afterwards the network is perfect.
    impaired: Duration,
}

/// The time after which a side gives up its last FIN, even without limits: 30 lingers.
const LAST_FIN_LIMIT: Duration = Duration::from_secs(30);

/// The maximum number of datagrams in flight. At the limit, a new datagram replaces the oldest.
const MAX_IN_FLIGHT: usize = 200;

impl Pair {
    fn new(setup: &Setup) -> Option<Self> {
        let (client_mode, mut server_mode) = (setup.client_mode, setup.server_mode);
        let base = client_mode != Mode::Extended && server_mode != Mode::Extended;
        let extended = client_mode != Mode::Base && server_mode != Mode::Base;
        if !base && !extended {
            server_mode = Mode::Both;
        }
        let never = Duration::MAX;
        let limited = Config { segment: SEGMENT, ..Config::default() };
        let lifted = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..limited };
        let keep_alive = if setup.keep_alive { Duration::from_secs(5) } else { never };
        let config = |mode| Config { mode, keep_alive, ..if setup.limits { limited } else { lifted } };
        let mut client = Endpoint::new(config(client_mode), 0x5151, setup.client.between_peers().storage()?);
        client.machine = Connection::connect(Instant::ZERO, client.config, [3; 32], client.storage.take()?).ok();
        let server = Endpoint::new(config(server_mode), 0xEAEA, setup.server.between_peers().storage()?);
        Some(Self {
            now: Instant::ZERO,
            limits: setup.limits,
            client,
            server,
            network: VecDeque::new(),
            impaired: Duration::ZERO,
        })
    }

    fn endpoint(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn make(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Later { us } => self.now = now + Duration::from_micros(us.into()),
            Step::UntilDue => self.now = self.next_deadline().map_or(now, |due| due.max(now)),
            Step::Wake(side) => self.endpoint(side).wake(now),
            Step::Transmit(side) => drop(self.transmit(side)),
            Step::Drain(side) => while self.transmit(side) {},
            Step::Deliver(which) => self.deliver(which),
            Step::DeliverAll => {
                for _ in 0..self.network.len() {
                    self.deliver(0);
                }
            }
            Step::Duplicate(which) => {
                let copy = self.index(which).and_then(|index| self.network.get(index).cloned());
                self.network.extend(copy);
            }
            Step::Lose(which) => drop(self.index(which).and_then(|index| self.network.remove(index))),
            Step::LoseAll => self.network.clear(),
            Step::Send { side, len } => self.endpoint(side).send(len.into()),
            Step::SendSegment { side, len } => self.endpoint(side).send_segment(len.into()),
            Step::Fill { side, len } => self.endpoint(side).fill(len.into()),
            Step::Read { side, room } => drop(self.endpoint(side).read(room.into())),
            Step::Close(side) => self.endpoint(side).close(),
            Step::Abort(side, code) => self.endpoint(side).abort(code),
            Step::Replace { side, part, places } => self.endpoint(side).replace(part, places),
            Step::Promise { side, window } => self.endpoint(side).promise(window.into()),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let due = |endpoint: &Endpoint| endpoint.machine.as_ref().and_then(Machine::poll_timeout);
        [due(&self.client), due(&self.server)].into_iter().flatten().min()
    }

    fn index(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.network.len())
    }

    fn transmit(&mut self, side: Side) -> bool {
        let now = self.now;
        let Some(datagram) = self.endpoint(side).transmit(now) else { return false };
        if self.network.len() >= MAX_IN_FLIGHT {
            self.network.pop_front();
        }
        self.network.push_back((if side == Side::Client { Side::Server } else { Side::Client }, datagram));
        true
    }

    fn deliver(&mut self, which: u8) {
        let Some((side, datagram)) = self.index(which).and_then(|index| self.network.remove(index)) else { return };
        let now = self.now;
        self.endpoint(side).receive(now, &datagram);
    }

    /// Checks the laws that hold after every step.
    fn check(&self) {
        self.client.check_deadlines(self.now);
        self.server.check_deadlines(self.now);
        self.client.check_kept_by(&self.server);
        self.server.check_kept_by(&self.client);
        // An address that is not validated receives no more bytes than it sent. A packet under the server's tag
        // validates the address.
        let server = self.server.machine.as_ref().filter(|machine| machine.is_extended() && !machine.is_established());
        assert!(
            server.is_none() || self.server.validated || self.server.bytes_out <= self.server.bytes_in,
            "the server must not send an unvalidated address more bytes than it received"
        );
    }

    /// Runs both sides to their end over a perfect network.
    ///
    /// Every datagram arrives at once and in order. Both sides read all data and close.
    fn run_to_end(&mut self) {
        self.impaired = self.now.saturating_since(Instant::ZERO);
        let mut rounds_left = 20_000;
        loop {
            for side in [Side::Client, Side::Server] {
                let now = self.now;
                let endpoint = self.endpoint(side);
                endpoint.wake(now);
                while endpoint.read(ROOM) > 0 {}
                endpoint.close();
                endpoint.check_events();
                while self.transmit(side) {}
            }
            if !self.network.is_empty() {
                self.make(Step::DeliverAll);
            } else if let Some(due) = self.next_deadline() {
                self.now = self.now.max(due);
            } else {
                self.check();
                return;
            }
            rounds_left -= 1;
            if rounds_left == 0 {
                assert!(
                    self.may_stay_open(),
                    "both sides must end: {:?} and {:?}",
                    self.client.machine,
                    self.server.machine
                );
                return;
            }
        }
    }

    /// Whether a side may stay open forever, because limits are lifted and its peer no longer answers.
    ///
    /// The peer no longer answers after it has given up its last FIN. The same holds after an abort in base mode, whose
    /// single FIN may be lost.
    fn may_stay_open(&self) -> bool {
        let endpoints = [&self.client, &self.server];
        let gave_up = self.impaired >= LAST_FIN_LIMIT
            && endpoints.iter().any(|endpoint| endpoint.reported == Some(CloseReason::Finished));
        !self.limits && (gave_up || endpoints.iter().any(|endpoint| endpoint.aborted))
    }

    /// Checks the outcome: all data has arrived, or the reason of the end permits a loss.
    fn check_outcome(&self) {
        let endpoints = [&self.client, &self.server];
        let aborted = endpoints.iter().any(|endpoint| endpoint.aborted);
        for (endpoint, other) in [(&self.client, &self.server), (&self.server, &self.client)] {
            match endpoint.reported {
                Some(CloseReason::Finished) => {
                    assert!(
                        other.read == endpoint.written || aborted,
                        "a side that finished must have delivered all data"
                    );
                    assert!(
                        endpoint.read == other.written || aborted,
                        "a side that finished must have received all data"
                    );
                }
                Some(
                    CloseReason::HandshakeTimedOut
                    | CloseReason::TimedOut
                    | CloseReason::NoProgress
                    | CloseReason::Quiet,
                ) => {
                    assert!(self.limits);
                }
                Some(CloseReason::Aborted) => assert!(endpoint.aborted),
                Some(CloseReason::Reset { .. } | CloseReason::Refused { .. }) => assert!(other.aborted),
                // The side was never opened, or its peer no longer answers.
                None => assert!(
                    endpoint.machine.is_none()
                        || self.may_stay_open()
                        || other.reported.is_some() && endpoint.may_wait_forever()
                ),
                Some(reason) => assert!(aborted, "{reason}"),
            }
        }
        let finished = endpoints.iter().all(|endpoint| endpoint.reported == Some(CloseReason::Finished));
        assert!(finished || aborted || self.limits || self.may_stay_open(), "both sides must finish");
    }
}
