//! Two connections and a network that does to their datagrams what the input says.

use super::choice::{Choice, Machine, ROOM, SEGMENT};
use super::party::Party;
use crate::connection::{Config, Connection, Mode, Reason};
use crate::{Duration, Instant};
use arbitrary::{Arbitrary, Unstructured};
use std::collections::VecDeque;
use std::vec::Vec;

/// Both ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Setup {
    client_mode: Mode,
    server_mode: Mode,
    /// The limits of the defaults; otherwise none.
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

/// What happens next. A datagram that was damaged is one that is lost: the link below throws it away.
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
}

/// Lets happen between two connections what `bytes` describe; then the network becomes perfect, both close, and come to their
/// end.
///
/// # Panics
///
/// What was read is not what was written, something acknowledged was not kept, `poll_timeout` was wrong, or the end does not
/// come.
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
    pair.run_to_the_end();
    pair.judge();
}

struct Pair {
    now: Instant,
    limits: bool,
    client: Party,
    server: Party,
    /// Datagrams on their way to a side.
    network: VecDeque<(Side, Vec<u8>)>,
    /// For how long the network was not perfect.
    bad: Duration,
}

/// Even without limits a last FIN is given up after this: 30 lingers.
const LAST_FIN: Duration = Duration::from_secs(30);

/// More are lost, the oldest first.
const MOST_ON_THE_WAY: usize = 200;

impl Pair {
    fn new(setup: &Setup) -> Option<Self> {
        let (client_mode, mut server_mode) = (setup.client_mode, setup.server_mode);
        let base = client_mode.allows_base() && server_mode.allows_base();
        let extended = client_mode.allows_extended() && server_mode.allows_extended();
        if !base && !extended {
            server_mode = Mode::Both;
        }
        let never = Duration::MAX;
        let limited = Config { segment: SEGMENT, ..Config::default() };
        let lifted = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..limited };
        let keep_alive = if setup.keep_alive { Duration::from_secs(5) } else { never };
        let config = |mode| Config { mode, keep_alive, ..if setup.limits { limited } else { lifted } };
        let mut client = Party::new(config(client_mode), 0x5151, setup.client.between_peers().storage()?);
        client.machine = Some(Connection::connect(Instant::ZERO, client.config, [3; 32], client.storage.take()?));
        let server = Party::new(config(server_mode), 0xEAEA, setup.server.between_peers().storage()?);
        Some(Self {
            now: Instant::ZERO,
            limits: setup.limits,
            client,
            server,
            network: VecDeque::new(),
            bad: Duration::ZERO,
        })
    }

    fn party(&mut self, side: Side) -> &mut Party {
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
            Step::Wake(side) => self.party(side).wake(now),
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
            Step::Send { side, len } => self.party(side).send(len.into()),
            Step::SendSegment { side, len } => self.party(side).send_segment(len.into()),
            Step::Fill { side, len } => self.party(side).fill(len.into()),
            Step::Read { side, room } => drop(self.party(side).read(room.into())),
            Step::Close(side) => self.party(side).close(),
            Step::Abort(side, code) => self.party(side).abort(code),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let due = |party: &Party| party.machine.as_ref().and_then(Machine::poll_timeout);
        [due(&self.client), due(&self.server)].into_iter().flatten().min()
    }

    fn index(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.network.len())
    }

    fn transmit(&mut self, side: Side) -> bool {
        let now = self.now;
        let Some(datagram) = self.party(side).transmit(now) else { return false };
        if self.network.len() >= MOST_ON_THE_WAY {
            self.network.pop_front();
        }
        self.network.push_back((if side == Side::Client { Side::Server } else { Side::Client }, datagram));
        true
    }

    fn deliver(&mut self, which: u8) {
        let Some((side, datagram)) = self.index(which).and_then(|index| self.network.remove(index)) else { return };
        let now = self.now;
        self.party(side).receive(now, &datagram);
    }

    /// What holds at every moment.
    fn check(&self) {
        self.client.check_deadlines(self.now);
        self.server.check_deadlines(self.now);
        self.client.check_kept_by(&self.server);
        self.server.check_kept_by(&self.client);
        // An address that is not proven gets no more than it sent. Any INFO under our tag proves it.
        let server = self.server.machine.as_ref().filter(|machine| machine.is_extended() && !machine.is_established());
        assert!(server.is_none() || self.server.proven || self.server.bytes_out <= self.server.bytes_in, "amplifies");
    }

    /// Every datagram arrives at once and in order, both read everything and close.
    fn run_to_the_end(&mut self) {
        self.bad = self.now.saturating_since(Instant::ZERO);
        let mut rest = 20_000;
        loop {
            for side in [Side::Client, Side::Server] {
                let now = self.now;
                let party = self.party(side);
                party.wake(now);
                while party.read(ROOM) > 0 {}
                party.close();
                party.check_events();
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
            rest -= 1;
            if rest == 0 {
                assert!(self.may_stay(), "no end: {:?} and {:?}", self.client.machine, self.server.machine);
                return;
            }
        }
    }

    /// Without limits somebody stays whom nobody answers any more: a lost FIN is all that an abort says in base mode, and
    /// whoever has given up its last FIN is gone.
    fn may_stay(&self) -> bool {
        let parties = [&self.client, &self.server];
        let gave_up = self.bad >= LAST_FIN && parties.iter().any(|party| party.told == Some(Reason::Finished));
        !self.limits && (gave_up || parties.iter().any(|party| party.aborted))
    }

    /// Everything has arrived, or there is an honest reason why not.
    fn judge(&self) {
        let parties = [&self.client, &self.server];
        let aborted = parties.iter().any(|party| party.aborted);
        for (party, other) in [(&self.client, &self.server), (&self.server, &self.client)] {
            match party.told {
                Some(Reason::Finished) => {
                    assert!(other.read == party.written || aborted, "finished without all that it wrote");
                    assert!(party.read == other.written || aborted, "finished without all that it was to read");
                }
                Some(Reason::HandshakeTimedOut | Reason::TimedOut | Reason::Quiet) => assert!(self.limits),
                Some(Reason::Aborted) => assert!(party.aborted),
                Some(Reason::Reset { .. } | Reason::Refused { .. }) => assert!(other.aborted),
                // Not called yet, or nobody answers any more.
                None => assert!(
                    party.machine.is_none() || self.may_stay() || other.told.is_some() && party.may_wait_for_ever()
                ),
                Some(reason) => assert!(aborted, "{reason}"),
            }
        }
        let finished = parties.iter().all(|party| party.told == Some(Reason::Finished));
        assert!(finished || aborted || self.limits || self.may_stay(), "no end");
    }
}
