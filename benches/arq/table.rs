//! A table of all rows, since criterion prints no table.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::{Step, WINDOWS};

/// The measured rows. Each row has the time of an operation in ns for each window.
static ROWS: Mutex<Vec<(String, Vec<f64>)>> = Mutex::new(Vec::new());

/// The number of turns of each window.
const ROUNDS: u32 = 40;
/// The minimum duration of a turn.
const TURN: Duration = Duration::from_millis(3);

/// Whether the option `--test` is set. Each bench then runs once and measures nothing.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|arg| arg == "--test")
}

/// Measures a row.
///
/// The windows take turns, and the fastest turn of each window counts. So other load on the machine, which may last
/// seconds, does not count as a cost of one window.
pub(crate) fn compare<R>(row: &str, rigs: &mut [R], step: impl Fn(&mut R) -> Step) {
    let mut fastest = vec![f64::MAX; rigs.len()];
    for _ in 0..ROUNDS {
        for (rig, fastest) in rigs.iter_mut().zip(&mut fastest) {
            *fastest = fastest.min(turn(|| step(rig)));
        }
    }
    ROWS.lock().unwrap_or_else(PoisonError::into_inner).push((row.into(), fastest));
}

/// Measures one turn: the mean time of an operation, in ns.
///
/// The slowest 5 % of the steps do not count, because other load on the machine slows them.
fn turn(mut step: impl FnMut() -> Step) -> f64 {
    let (start, mut nanos) = (Instant::now(), Vec::new());
    while nanos.is_empty() || start.elapsed() < TURN {
        let (took, count) = step();
        nanos.push(took.as_nanos() as f64 / count as f64);
    }
    nanos.sort_by(f64::total_cmp);
    let kept = &nanos[..(nanos.len() * 19).div_ceil(20)];
    kept.iter().sum::<f64>() / kept.len() as f64
}

/// Prints each row, with the excess of its slowest window over its fastest in percent.
pub(crate) fn print() {
    let rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    if rows.is_empty() {
        return;
    }
    print!("\nns, the fastest of {ROUNDS} turns of {} ms\n{:<66}", TURN.as_millis(), "");
    WINDOWS.iter().for_each(|window| print!("{window:>8}"));
    println!("{:>10}", "spread");
    for (row, nanos) in &*rows {
        print!("{row:<66}");
        nanos.iter().for_each(|nanos| print!("{nanos:>8.1}"));
        let (least, most) = nanos.iter().fold((f64::MAX, 0.0_f64), |(a, b), &c| (a.min(c), b.max(c)));
        println!("{:>8.0} %", (most / least - 1.0) * 100.0);
    }
}

/// The cost of reading the clock: the median time between two consecutive readings.
pub(crate) fn clock() -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let mut costs: Vec<Duration> = (0..10_001).map(|_| Instant::now().elapsed()).collect();
        costs.sort();
        costs[costs.len() / 2]
    })
}
