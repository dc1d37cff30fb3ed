//! Stop-and-wait in base mode over networks with every fault.

use crate::endpoints::Runs;
use rdt_proto::connection::{Config, HeapStopAndWait};

fn runs() -> Runs {
    Runs { seeds: 1_000, most: 24_000, config: Config::base() }
}

#[test]
fn delivers_byte_exact_with_limits_lifted() {
    runs().deliver_with_limits_lifted::<HeapStopAndWait>();
}

#[test]
fn the_default_limits_deliver_everything_or_report_the_end() {
    runs().deliver_or_report_the_end::<HeapStopAndWait>();
}

#[test]
fn undetected_damage_breaks_no_promise_of_the_machine() {
    runs().bear_damage::<HeapStopAndWait>();
}

#[test]
fn the_same_seed_gives_the_same_run() {
    runs().repeat_from_their_seed::<HeapStopAndWait>();
}

#[test]
fn a_blackout_shorter_than_the_idle_limit_ends_nothing() {
    runs().survive_a_blackout::<HeapStopAndWait>(200_000);
}
