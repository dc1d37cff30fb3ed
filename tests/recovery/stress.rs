//! Random runs from a seed, with any network, mode, mechanism, controller, window and size, blackouts and restarts.
//!
//! A few hundred seeds run by default. `STRESS_SEEDS=1-10000 cargo test --release --test recovery stress` runs more.
//! `STRESS_SEEDS=17` runs one seed, and prints the last datagrams before a failure.

mod client;
mod ledger;
mod plan;
mod server;
mod session;

use crate::pair::{CLIENT, Checksummed, SERVER};
use client::Client;
use ledger::{Ledger, Side};
use plan::Plan;
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;
use rdt_proto::sim::{Node, Simulation};
use server::Server;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The environment variable with the seeds to run.
const SEEDS: &str = "STRESS_SEEDS";

fn seeds() -> RangeInclusive<u64> {
    let Ok(range) = std::env::var(SEEDS) else { return 1..=300 };
    let number = |text: &str| text.parse().expect("one number, or two as in 1-10000");
    let (first, last) = range.split_once('-').unwrap_or((&range, &range));
    number(first)..=number(last)
}

/// Prints how to repeat a run that panics.
struct RepeatHint(&'static str, u64);

impl Drop for RepeatHint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with {SEEDS}={} cargo test --test recovery stress::{}", self.1, self.0);
        }
    }
}

/// Simulates the plan to its end, checks the ledger, and returns it.
fn run(test: &'static str, seed: u64, plan: &Plan) -> Ledger {
    let _repeat = RepeatHint(test, seed);
    let ledger = Rc::new(RefCell::new(Ledger::default()));
    let mut sim = Simulation::<Box<dyn Node>>::new(seed);
    if seeds().count() == 1 {
        eprintln!("{plan:#?}");
        sim.capture();
    }
    sim.set_timer_granularity(plan.granularity);
    sim.add(Box::new(Checksummed::new(Client::new(SERVER.port(0), plan, Rc::clone(&ledger)))));
    sim.add(Box::new(Checksummed::new(Server::new(plan, Rc::clone(&ledger)))));
    sim.connect_with(CLIENT, SERVER, plan.there.clone(), plan.back.clone());
    sim.run_until_done(Duration::from_secs(100_000));
    drop(sim);
    let ledger = ledger.take();
    ledger.check();
    ledger
}

/// Without limits, all data arrives, and both sides end with `Finished`.
#[test]
fn with_limits_lifted_everything_arrives() {
    for seed in seeds() {
        let ledger = run("with_limits_lifted_everything_arrives", seed, &Plan::new(seed).lifted());
        let _repeat = RepeatHint("with_limits_lifted_everything_arrives", seed);
        for side in [Side::Client, Side::Server] {
            let ends: Vec<_> = ledger.of(side).map(|entry| entry.end).collect();
            assert_eq!(ends, [Some(CloseReason::Finished)], "{side:?}");
        }
    }
}

/// With default limits and restarts, each connection reads an exact prefix of what one incarnation of the peer wrote.
///
/// Each connection ends for a reason that the ledger allows.
#[test]
fn with_restarts_a_prefix_arrives_and_the_reason_is_allowed() {
    let (mut finished, mut total) = (0, 0);
    for seed in seeds() {
        let ledger = run("with_restarts_a_prefix_arrives_and_the_reason_is_allowed", seed, &Plan::new(seed).restarts());
        finished += u64::from(ledger.of(Side::Client).any(|entry| entry.end == Some(CloseReason::Finished)));
        total += 1;
    }
    // Many connections end at a restart or at a limit. At least a quarter of the clients must finish.
    assert!(finished * 4 > total || total < 50, "only {finished} of {total} finished");
}
