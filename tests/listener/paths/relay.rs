//! A relay that changes the client's address in the midst of a transfer.

use super::{Change, Direction, Pause, Setup, To};
use rdt_proto::Instant;

const CHANGE_AT: Instant = Instant::from_millis(700);

fn setup(direction: Direction, rtt_ms: u64, loss: f64, seed: u64) -> Setup {
    let (pause, change, observer) = (Pause::Never, None, None);
    Setup { direction, bytes: 8_000_000, rtt_ms, loss, seed, pause, change, observer }
}

/// A transfer ends within two seconds of an undisturbed one on the slower of both paths.
fn moves(loss: f64, seeds: u64) {
    for (old, new) in [(4, 4), (4, 100), (40, 300), (100, 20)] {
        for direction in [Direction::Upload, Direction::Download] {
            for to in [To::Host, To::Port] {
                for seed in 1..=seeds {
                    let undisturbed = setup(direction, old.max(new), loss, seed).finish().took;
                    let change = Some(Change { at: CHANGE_AT, to, rtt_ms: new });
                    let moved = Setup { change, ..setup(direction, old, loss, seed) }.finish();
                    let (took, undisturbed) = (moved.took.as_millis(), undisturbed.as_millis());
                    let case = format!("{old} to {new} ms, {direction:?}, {to:?}, loss {loss}, seed {seed}");
                    println!("{case}: {took} ms, undisturbed {undisturbed} ms");
                    assert_eq!(moved.stats.moved, 1, "{case}");
                    assert!(took < undisturbed + 2_000, "{case}: {took} ms, undisturbed {undisturbed} ms");
                }
            }
        }
    }
}

#[test]
fn a_move_costs_at_most_two_seconds_of_a_transfer() {
    moves(0.0, 1);
}

#[test]
fn a_move_on_a_lossy_path_costs_at_most_two_seconds() {
    moves(0.01, 3);
}
