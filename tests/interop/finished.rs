//! Property: no packet reaches a public implementation that has finished, and no packet crashes it.
//!
//! The machine does not know the state of the peer. The path delays and loses datagrams. It keeps their order,
//! duplicates nothing, and is faster than the peer's repetition of FIN. On any other path no rule can hold: the peer's
//! FIN and our FINACK would cross.

use crate::reference_peer::{Habits, Peer};
use harness::base::*;
use proptest::prelude::*;
use rdt_proto::connection::{CloseReason, Config, Method, Role};
use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

const TICK: Duration = Duration::from_millis(50);
const START: Instant = Instant::from_millis(1_000);

#[derive(Clone, Debug)]
struct Scenario {
    machine_is_client: bool,
    /// The delay each way, in ticks.
    delay: u64,
    /// Whether each datagram is lost. The pattern repeats.
    lost: Vec<bool>,
    habits: Habits,
    /// The number of bodies, and the ticks until the application closes and, optionally, aborts.
    bodies: usize,
    closes_at: u64,
    aborts_at: Option<u64>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let lost = prop_oneof![Just(vec![false]), prop::collection::vec(prop::bool::weighted(0.3), 1..60)];
    // Most closes are near each other, so that they cross.
    let closes = (0..60_u64, prop_oneof![0..20_i64, -20..20_i64, 0..400_i64]);
    let aborts = prop::option::weighted(0.2, 0..200_u64);
    (any::<[bool; 2]>(), 0..=6_u64, lost, 0..3_u32, 0..4_usize, closes, aborts).prop_map(
        |([machine_is_client, fin_on_fin], delay, lost, infos, bodies, (closes_at, apart), aborts_at)| Scenario {
            machine_is_client,
            delay,
            lost,
            habits: Habits { infos, closes_at: at(closes_at.saturating_add_signed(apart)), fin_on_fin },
            bodies,
            closes_at,
            aborts_at,
        },
    )
}

fn at(ticks: u64) -> Instant {
    START + Duration::from_micros(TICK.as_micros() * ticks)
}

/// One direction.
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

fn run(method: Method, scenario: &Scenario) {
    let mut losses = scenario.lost.iter().cycle();
    let mut lost = || *losses.next().unwrap();
    let path = || Path { delay: scenario.delay, queue: VecDeque::new() };
    let (mut to_peer, mut to_machine) = (path(), path());
    let config = Config::rostov(method);
    let role = if scenario.machine_is_client { Role::Server } else { Role::Client };
    let mut peer = Peer::new(method, role, scenario.habits.clone());
    let mut machine = scenario.machine_is_client.then(|| BaseTrace::client(config).machine);
    let mut unwritten = scenario.bodies;
    for tick in 0..6_000 {
        let now = at(tick);
        while let Some(datagram) = to_peer.arrived(now) {
            peer.receives(now, &datagram);
        }
        peer.acts(now);
        if peer.gave_up {
            // The machine cannot know this. No rule covers it.
            return;
        }
        for datagram in peer.take_sent() {
            if !lost() {
                to_machine.send(tick, datagram);
            }
        }
        while let Some(datagram) = to_machine.arrived(now) {
            // Like a listener: the first CONNECT is accepted.
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
    assert!(peer.finished && machine.is_drained(), "it never ended: {:?}", machine.ended());
    assert!(matches!(machine.ended(), Some(CloseReason::Finished | CloseReason::PeerLeft)), "{:?}", machine.ended());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_reaches_a_selective_repeat_that_has_finished(scenario in scenario()) {
        run(Method::SelectiveRepeat, &scenario);
    }

    #[test]
    fn nothing_reaches_a_stop_and_wait_that_has_finished(scenario in scenario()) {
        run(Method::StopAndWait, &scenario);
    }
}
