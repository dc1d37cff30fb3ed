//! Selective repeat with every controller and in both modes, over networks with every fault.

use crate::endpoints::Runs;
use rdt_proto::Duration;
use rdt_proto::congestion::Controller;
use rdt_proto::connection::{Config, HeapStorage};

/// The defaults with a keep-alive, so that a connection detects a lost peer.
fn extended() -> Runs {
    let config = Config { keep_alive: Duration::from_secs(10), ..Config::default() };
    Runs { seeds: 250, most: 240_000, config }
}

fn base() -> Runs {
    Runs { seeds: 100, config: Config::base(), ..extended() }
}

#[test]
fn delivers_byte_exact_with_limits_lifted() {
    extended().deliver_with_limits_lifted::<HeapStorage<Controller>>();
    base().deliver_with_limits_lifted::<HeapStorage<Controller>>();
}

#[test]
fn the_default_limits_deliver_everything_or_report_the_end() {
    extended().deliver_or_report_the_end::<HeapStorage<Controller>>();
    base().deliver_or_report_the_end::<HeapStorage<Controller>>();
}

#[test]
fn undetected_damage_breaks_no_promise_of_the_machine() {
    extended().bear_damage::<HeapStorage<Controller>>();
    base().bear_damage::<HeapStorage<Controller>>();
}

#[test]
fn the_same_seed_gives_the_same_run() {
    extended().repeat_from_their_seed::<HeapStorage<Controller>>();
}

#[test]
fn a_blackout_shorter_than_the_idle_limit_ends_nothing() {
    extended().survive_a_blackout::<HeapStorage<Controller>>(2_000_000);
    base().survive_a_blackout::<HeapStorage<Controller>>(2_000_000);
}
