//! Property: no packet of ours crashes the public implementation, or reaches it after it has finished.
//!
//! The machine does not know the state of the peer. The path delays and loses datagrams. It keeps their order,
//! duplicates none, and its round trip is shorter than the interval of the peer's FINs. On any other path the property
//! cannot hold, since a repeated FIN of the peer and our FINACK would cross.

use crate::rostov::program::Program;
use crate::rostov::transport::{Rostov, State};
use harness::base::*;
use proptest::prelude::*;
use rdt_proto::connection::{CloseReason, Config, Method, Role};
use rdt_proto::sim::SimAddress;
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// The interval between two steps of a run.
const TICK: Duration = Duration::from_millis(50);
const START: Instant = Instant::from_millis(1_000);

/// What happens in a run.
#[derive(Clone, Debug)]
struct Scenario {
    machine_is_client: bool,
    /// The delay each way, in ticks.
    delay: u64,
    /// Whether each datagram is lost. The pattern repeats.
    lost: Vec<bool>,
    /// The number of bodies that the peer sends, and the earliest time at which it closes.
    infos: u32,
    peer_closes_at: Instant,
    fin_on_fin: bool,
    /// The number of bodies that the machine's application sends.
    bodies: usize,
    /// The earliest tick at which the machine's application closes.
    closes_at: u64,
    /// The tick at which the machine's application aborts, if it does.
    aborts_at: Option<u64>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let lost = prop_oneof![Just(vec![false]), prop::collection::vec(prop::bool::weighted(0.3), 1..60)];
    // Both sides often close at nearly the same time, so that their FINs cross.
    let closes = (0..60_u64, prop_oneof![0..20_i64, -20..20_i64, 0..400_i64]);
    let aborts = prop::option::weighted(0.2, 0..200_u64);
    (any::<[bool; 2]>(), 0..=6_u64, lost, 0..3_u32, 0..4_usize, closes, aborts).prop_map(
        |([machine_is_client, fin_on_fin], delay, lost, infos, bodies, (closes_at, apart), aborts_at)| Scenario {
            machine_is_client,
            delay,
            lost,
            infos,
            peer_closes_at: at(closes_at.saturating_add_signed(apart)),
            fin_on_fin,
            bodies,
            closes_at,
            aborts_at,
        },
    )
}

fn at(ticks: u64) -> Instant {
    START + Duration::from_micros(TICK.as_micros() * ticks)
}

/// One direction of the path, with the datagrams in flight and their arrival times.
struct Path {
    delay: u64,
    queue: VecDeque<(Instant, Vec<u8>)>,
}

impl Path {
    fn send(&mut self, tick: u64, datagram: Vec<u8>) {
        self.queue.push_back((at(tick + self.delay), datagram));
    }

    fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        let is_due = self.queue.front().is_some_and(|(due, _)| *due <= now);
        is_due.then(|| self.queue.pop_front().unwrap().1)
    }
}

/// Runs a scenario. The model of the peer panics at a packet that would crash it.
fn run(method: Method, scenario: &Scenario) {
    let mut losses = scenario.lost.iter().cycle();
    let mut lost = || *losses.next().unwrap();
    let path = || Path { delay: scenario.delay, queue: VecDeque::new() };
    let (mut to_peer, mut to_machine) = (path(), path());
    let config = Config::rostov(method);
    let role = if scenario.machine_is_client { Role::Server } else { Role::Client };
    let program = Program::talk(scenario.infos, scenario.peer_closes_at);
    let mut peer = Rostov::new(method, role, SimAddress::new(0, 0), program, scenario.fin_on_fin);
    let mut machine = scenario.machine_is_client.then(|| BaseTrace::client(config).machine);
    let mut unwritten = scenario.bodies;
    for tick in 0..6_000 {
        let now = at(tick);
        while let Some(datagram) = to_peer.arrived(now) {
            peer.receives(now, &datagram);
        }
        peer.advance(now);
        if peer.state == State::GaveUp {
            // The machine cannot know that the peer has given up, so the property does not cover this case.
            return;
        }
        while let Some(datagram) = peer.take_sent() {
            if !lost() {
                to_machine.send(tick, datagram);
            }
        }
        while let Some(datagram) = to_machine.arrived(now) {
            // The first CONNECT is accepted, as by a listener.
            let machine = machine.get_or_insert_with(|| BaseTrace::server(config).machine);
            machine.handle_datagram(now, &datagram);
        }
        let Some(machine) = &mut machine else { continue };
        if machine.poll_timeout().is_some_and(|due| due <= now) {
            machine.handle_timeout(now);
        }
        machine.recv(&mut [0; 99]);
        if unwritten > 0 && machine.send_segment(b"o").is_ok() {
            unwritten -= 1;
        }
        if tick >= scenario.closes_at && unwritten == 0 {
            machine.close();
        }
        if scenario.aborts_at.is_some_and(|aborts_at| tick >= aborts_at) {
            machine.abort(0);
        }
        let mut buf = [0; 99];
        while let Some(sent) = machine.poll_transmit(now, &mut buf).unwrap() {
            if !lost() {
                to_peer.send(tick, buf[..sent.len].to_vec());
            }
        }
    }
    let machine = machine.unwrap_or_else(|| BaseTrace::client(config).machine);
    if scenario.lost.contains(&true) || scenario.aborts_at.is_some() {
        return;
    }
    assert!(
        peer.state == State::Finished && machine.is_drained(),
        "without loss both sides finish: {:?}",
        machine.ended()
    );
    assert!(matches!(machine.ended(), Some(CloseReason::Finished | CloseReason::PeerLeft)), "{:?}", machine.ended());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_reaches_a_finished_peer_with_selective_repeat(scenario in scenario()) {
        run(Method::SelectiveRepeat, &scenario);
    }

    #[test]
    fn nothing_reaches_a_finished_peer_with_stop_and_wait(scenario in scenario()) {
        run(Method::StopAndWait, &scenario);
    }
}
