//! Both sides and the network between them: possible steps, and the effect of a step.
//!
//! Datagrams arrive in order, 10 ms after they were sent. Time advances only to the next arrival or deadline. Calls of
//! an application take no time. One datagram may be lost, delayed to any later point, or duplicated. The copy of a
//! duplicated datagram arrives at any later point.

use crate::endpoint::Endpoint;
use crate::property::Violation;
use crate::scenario::Scenario;
use crate::side::{Call, Side};
use crate::trace::{Trace, describe};
use rdt_proto::connection::HandshakeParameters;
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The current time in every state. After each step, all times are shifted so that the current time is `NOW` again.
pub(crate) const NOW: Instant = Instant::from_millis(3_600_000);
/// The delay from one side to the other.
const DELAY: Duration = Duration::from_millis(10);

/// The role of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// A possible step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next datagram arrives.
    Deliver,
    /// The next datagram is lost.
    Lose,
    /// The next datagram is delayed.
    Hold,
    /// The next datagram arrives, and a copy is delayed.
    Duplicate,
    /// The delayed datagram arrives.
    Release,
    /// The next deadline is due.
    Wake,
    /// An application makes a call.
    Call(Role, Call),
}

#[derive(Clone, Debug, Hash)]
struct InFlight {
    to: Role,
    at: Instant,
    datagram: Vec<u8>,
}

/// A state of both sides and the network.
#[derive(Clone, Debug)]
pub(crate) struct World<E> {
    pub(crate) client: Side<E>,
    /// The server. `None` before the first CONNECT.
    pub(crate) server: Option<Side<E>>,
    /// Datagrams in flight, in the order of arrival.
    network: VecDeque<InFlight>,
    /// The delayed datagram, with its receiver.
    held: Option<(Role, Vec<u8>)>,
    may_fail: bool,
    may_abort: bool,
    /// The number of deadlines since the last call of an application.
    wakes: u8,
}

impl<E: Endpoint> World<E> {
    pub(crate) fn new(scenario: &Scenario, trace: &mut Trace) -> Result<Self, Violation> {
        let machine = E::open(scenario, NOW, None).ok_or_else(Violation::no_memory)?;
        let [writes, _] = scenario.writes;
        let mut world = Self {
            client: Side::new(Role::Client, machine, writes),
            server: None,
            network: VecDeque::new(),
            held: None,
            may_fail: scenario.faults,
            may_abort: scenario.aborts,
            wakes: 0,
        };
        world.drive(Role::Client, NOW, trace)?;
        Ok(world)
    }

    pub(crate) fn sides(&self) -> impl Iterator<Item = &Side<E>> {
        std::iter::once(&self.client).chain(&self.server)
    }

    pub(crate) const fn wakes(&self) -> u8 {
        self.wakes
    }

    /// Whether an application has a required call outstanding.
    pub(crate) fn has_duties(&self) -> bool {
        self.sides().any(|side| side.duties().next().is_some())
    }

    /// The next step if no fault occurs and no application makes a call.
    ///
    /// `None` if no datagram and no deadline is pending, or if a deadline comes next but a required call is overdue.
    pub(crate) fn next(&self, scenario: &Scenario) -> Option<Step> {
        let arrival = self.network.front().map(|packet| packet.at);
        let deadline = self.deadline();
        match (arrival, deadline) {
            (Some(arrival), Some(deadline)) if deadline < arrival => self.wake(scenario),
            (Some(_), _) => Some(Step::Deliver),
            (None, Some(_)) => self.wake(scenario),
            (None, None) => None,
        }
    }

    /// The step to the next deadline. `None` if a required call is overdue.
    fn wake(&self, scenario: &Scenario) -> Option<Step> {
        self.sides().all(|side| side.is_patient(scenario.patience)).then_some(Step::Wake)
    }

    fn deadline(&self) -> Option<Instant> {
        self.sides().filter_map(|side| side.machine.poll_timeout()).min()
    }

    /// All possible steps. Empty if nothing more can happen.
    pub(crate) fn steps(&self, scenario: &Scenario) -> Vec<Step> {
        let next = self.next(scenario);
        let mut steps: Vec<_> = next.into_iter().collect();
        if next == Some(Step::Deliver) && self.may_fail {
            steps.extend([Step::Lose, Step::Hold, Step::Duplicate]);
        }
        steps.extend(self.held.as_ref().map(|_| Step::Release));
        for side in self.sides() {
            steps.extend(side.duties().map(|call| Step::Call(side.role, call)));
            if self.may_abort && side.app.ended.is_none() {
                steps.push(Step::Call(side.role, Call::Abort));
            }
        }
        steps
    }

    /// The state after `step`.
    pub(crate) fn after(&self, step: Step, scenario: &Scenario, trace: &mut Trace) -> Result<Self, Violation> {
        let mut world = self.clone();
        let mut now = NOW;
        match step {
            Step::Deliver | Step::Lose | Step::Hold | Step::Duplicate => {
                if let Some(InFlight { to, at, datagram }) = world.network.pop_front() {
                    now = now.max(at);
                    trace.elapse(now.saturating_since(NOW));
                    world.meet(step, to, datagram, now, scenario, trace)?;
                }
            }
            Step::Release => {
                if let Some((to, datagram)) = world.held.take() {
                    world.deliver(to, &datagram, now, scenario, trace)?;
                }
            }
            Step::Wake => {
                now = now.max(world.deadline().unwrap_or(now));
                trace.elapse(now.saturating_since(NOW));
                world.wakes = world.wakes.saturating_add(1);
                [Role::Client, Role::Server].into_iter().for_each(|role| {
                    world.side(role).into_iter().for_each(Side::wait);
                });
                world.time_out(now, trace)?;
            }
            Step::Call(role, call) => {
                world.wakes = 0;
                world.may_abort &= call != Call::Abort;
                if let Some(side) = world.side(role) {
                    side.call(call, trace)?;
                }
                world.drive(role, now, trace)?;
            }
        }
        world.rebase(now);
        Ok(world)
    }

    fn side(&mut self, role: Role) -> Option<&mut Side<E>> {
        match role {
            Role::Client => Some(&mut self.client),
            Role::Server => self.server.as_mut(),
        }
    }

    /// Delivers, loses, delays or duplicates a datagram, as `step` says.
    fn meet(
        &mut self,
        step: Step,
        to: Role,
        datagram: Vec<u8>,
        now: Instant,
        scenario: &Scenario,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        self.may_fail &= step == Step::Deliver;
        match step {
            Step::Lose => trace.says(|| format!("{} to the {to} is lost", describe(&datagram))),
            Step::Hold => {
                trace.says(|| format!("{} to the {to} is delayed", describe(&datagram)));
                self.held = Some((to, datagram));
            }
            Step::Duplicate => {
                self.held = Some((to, datagram.clone()));
                trace.says(|| format!("{} to the {to} will arrive twice", describe(&datagram)));
                self.deliver(to, &datagram, now, scenario, trace)?;
            }
            Step::Deliver | Step::Release | Step::Wake | Step::Call(..) => {
                self.deliver(to, &datagram, now, scenario, trace)?;
            }
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        to: Role,
        datagram: &[u8],
        now: Instant,
        scenario: &Scenario,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        trace.says(|| format!("{to} <-- {}", describe(datagram)));
        match self.side(to) {
            Some(side) => side.machine.handle_datagram(now, datagram),
            None => {
                // As in a listener, CONNECT opens the server.
                let Ok(Packet::Connect(options)) = Framing::NOTE.decode(datagram) else { return Ok(()) };
                let parameters = HandshakeParameters::from_options(&options);
                let machine = E::open(scenario, now, Some(parameters)).ok_or_else(Violation::no_memory)?;
                let [_, writes] = scenario.writes;
                self.server = Some(Side::new(Role::Server, machine, writes));
            }
        }
        self.drive(to, now, trace)
    }

    fn time_out(&mut self, now: Instant, trace: &mut Trace) -> Result<(), Violation> {
        for role in [Role::Client, Role::Server] {
            let Some(side) = self.side(role) else { continue };
            if side.machine.poll_timeout().is_some_and(|at| at <= now) {
                trace.says(|| format!("{role}: a deadline"));
                side.machine.handle_timeout(now);
                self.drive(role, now, trace)?;
            }
        }
        Ok(())
    }

    fn drive(&mut self, role: Role, now: Instant, trace: &mut Trace) -> Result<(), Violation> {
        let Some(side) = self.side(role) else { return Ok(()) };
        for datagram in side.drive(now, trace)? {
            trace.says(|| format!("{role} --> {}", describe(&datagram)));
            self.network.push_back(InFlight { to: role.peer(), at: now + DELAY, datagram });
        }
        Ok(())
    }

    /// Shifts all times so that `now` becomes `NOW`.
    fn rebase(&mut self, now: Instant) {
        let passed = now.saturating_since(NOW);
        self.client.machine.rebase(now, NOW);
        if let Some(server) = &mut self.server {
            server.machine.rebase(now, NOW);
        }
        for packet in &mut self.network {
            packet.at = packet.at - passed;
        }
    }

    /// A key that distinguishes this state from others: a hash of 128 bits.
    pub(crate) fn key(&self) -> u128 {
        let mut bytes = Bytes(Vec::with_capacity(8_192));
        self.hash(&mut bytes);
        let [low, high] = [0, 1].map(|salt| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(&bytes.0);
            u128::from(hasher.finish())
        });
        low | high << 64
    }
}

impl<E: Endpoint> Hash for World<E> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self { client, server, network, held, may_fail, may_abort, wakes: _ } = self;
        (client, server, network, held, may_fail, may_abort).hash(hasher);
    }
}

/// Collects the bytes of all fields. Hashing them at once is faster than hashing each field.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Not used. `World::key` hashes the collected bytes.
    fn finish(&self) -> u64 {
        0
    }
}
