//! An observer on the path that copies the client's datagrams and races them.

use super::{Answers, Copying, Direction, Outcome, Pause, RATE, Setup};
use rdt_proto::Instant;

const RTT_MS: u64 = 100;
const DISTANCES_MS: [u64; 6] = [1, 2, 10, 50, 100, 300];
const PAUSES: [Pause; 5] =
    [Pause::Never, Pause::Program(40), Pause::Program(500), Pause::Machine(40), Pause::Machine(500)];
/// Since the first datagram, or shortly before the first pause: then the first race is one against a silent client.
const STARTS_MS: [u64; 2] = [0, 790];
const NEVER: Instant = Instant::from_millis(1_000_000);

fn setup(direction: Direction, pause: Pause) -> Setup {
    let (loss, seed, change, observer) = (0.0, 1, None, None);
    Setup { direction, bytes: 4_000_000, rtt_ms: RTT_MS, loss, seed, pause, change, observer }
}

/// The bytes that the path carries in a round trip.
fn one_round_trip() -> usize {
    usize::try_from(RATE / 8 * RTT_MS / 1_000).unwrap()
}

fn beside(observer: Copying, setup: Setup) -> Outcome {
    Setup { observer: Some(observer), ..setup }.finish()
}

/// The observer gets at most one round trip of data, and the transfer takes at most a fifth longer.
fn observed(answers: Answers, direction: Direction) {
    for pause in PAUSES {
        let alone = setup(direction, pause).finish().took;
        for rtt_ms in DISTANCES_MS {
            for (one_of, from_ms) in [(1, STARTS_MS[0]), (1, STARTS_MS[1]), (10, STARTS_MS[0])] {
                let copying = Copying { rtt_ms, answers, one_of, from: Instant::from_millis(from_ms), until: NEVER };
                let outcome = beside(copying, setup(direction, pause));
                let ratio = outcome.took.as_micros() as f64 / alone.as_micros() as f64;
                let case =
                    format!("{answers:?}, {direction:?}, {pause:?}, {rtt_ms} ms, one of {one_of} from {from_ms} ms");
                println!("{case}: {ratio:.3} of {alone}; {:?}, {} moves", outcome.seen, outcome.stats.moved);
                assert!(outcome.seen.other_bytes <= one_round_trip(), "{case}");
                assert!(ratio <= 1.2, "{case}");
            }
        }
    }
}

#[test]
fn an_observer_that_answers_nothing_gets_no_data() {
    observed(Answers::Nothing, Direction::Upload);
    observed(Answers::Nothing, Direction::Download);
}

#[test]
fn an_observer_that_answers_challenges_gets_little_of_an_upload() {
    observed(Answers::Itself, Direction::Upload);
}

#[test]
fn an_observer_that_answers_challenges_gets_little_of_a_download() {
    observed(Answers::Itself, Direction::Download);
}

#[test]
fn an_observer_that_forwards_challenges_gets_little_data() {
    observed(Answers::Forwards, Direction::Upload);
    observed(Answers::Forwards, Direction::Download);
}

/// The observer takes the stream while the client's machine stands still, and answers as if it were the client.
#[test]
fn the_stream_returns_within_three_round_trips() {
    let at = Instant::from_millis;
    // The first copy arrives after all that the client has sent before it stands still.
    for (direction, from) in [(Direction::Upload, at(495)), (Direction::Download, at(450))] {
        for still_ms in [500, 2_000, 5_000] {
            for until in [at(500 + still_ms / 2), NEVER] {
                let setup = setup(direction, Pause::Once(at(500), still_ms));
                let alone = setup.finish().took;
                let copying = Copying { rtt_ms: 300, answers: Answers::Itself, one_of: 1, from, until };
                let observed = Setup { observer: Some(copying), ..setup };
                let case = format!("{direction:?}, {still_ms} ms, observed until {until:?}");
                let mut run = observed.start();
                run.run_until(at(500 + still_ms - 1));
                assert!(still_ms < 2_000 || !run.is_at_client(), "{case}: nothing was stolen");
                run.run_until(at(500 + still_ms + 3 * RTT_MS));
                assert!(run.is_at_client(), "{case}: after the client has sent again");
                let outcome = run.finish(observed);
                let ratio = outcome.took.as_micros() as f64 / alone.as_micros() as f64;
                println!("{case}: {ratio:.3} of {alone}, {:?}, {} moves", outcome.seen, outcome.stats.moved);
                assert!(outcome.seen.other_bytes <= one_round_trip() && ratio <= 1.2, "{case}");
            }
        }
    }
}

/// Losses hit challenges and answers as well.
#[test]
fn losses_give_an_observer_no_more_data() {
    for direction in [Direction::Upload, Direction::Download] {
        for (pause, rtt_ms, seed) in
            PAUSES.into_iter().flat_map(|pause| [(pause, 1, 1), (pause, 10, 2), (pause, 300, 3)])
        {
            let answers = Answers::Itself;
            let copying = Copying { rtt_ms, answers, one_of: 1, from: Instant::ZERO, until: NEVER };
            let observed = Setup { observer: Some(copying), seed, loss: 0.02, ..setup(direction, pause) };
            let outcome = observed.finish();
            let case = format!("{direction:?}, {pause:?}, {rtt_ms} ms, seed {seed}");
            println!("{case}: {}, {:?}, {} moves", outcome.took, outcome.seen, outcome.stats.moved);
            assert!(outcome.seen.other_bytes <= one_round_trip(), "{case}");
        }
    }
}
