//! All rows side by side, and the clock.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What an operation of each row took: criterion's own output has no place for a comparison.
pub(crate) struct Table;

struct Cell {
    row: String,
    window: u32,
    nanos: f64,
}

static CELLS: Mutex<Vec<Cell>> = Mutex::new(Vec::new());

/// So many steps of a sample are looked at.
const STEPS: usize = 10_000;

/// The steps of a sample, each in ns for an operation.
#[derive(Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn push(&mut self, nanos: f64) {
        if self.0.len() < STEPS {
            self.0.push(nanos);
        }
    }

    /// The mean without the slowest twentieth, in which the machine did something else. `None` where there is too little.
    fn undisturbed(mut self) -> Option<f64> {
        self.0.sort_by(f64::total_cmp);
        let kept = self.0.get(..self.0.len() * 19 / 20).filter(|kept| !kept.is_empty())?;
        Some(kept.iter().sum::<f64>() / kept.len() as f64)
    }
}

impl Table {
    /// Keeps the fastest sample.
    pub(crate) fn note(row: &str, window: u32, sample: Sample) {
        let Some(nanos) = sample.undisturbed() else { return };
        let mut cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
        match cells.last_mut() {
            Some(cell) if cell.row == row && cell.window == window => cell.nanos = cell.nanos.min(nanos),
            _ => cells.push(Cell { row: row.into(), window, nanos }),
        }
    }

    /// One line for each row, and by how much its slowest window exceeds the fastest. Nothing after `--test`, which measures
    /// nothing.
    pub(crate) fn print(windows: &[u32]) {
        let cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.is_empty() || std::env::args().any(|arg| arg == "--test") {
            return;
        }
        print!("\nns, the least disturbed sample of each\n{:<66}", "");
        windows.iter().for_each(|window| print!("{window:>8}"));
        println!("{:>10}", "spread");
        let mut rows: Vec<&str> = cells.iter().map(|cell| cell.row.as_str()).collect();
        rows.dedup();
        for row in rows {
            let nanos: Vec<f64> = cells.iter().filter(|cell| cell.row == row).map(|cell| cell.nanos).collect();
            print!("{row:<66}");
            nanos.iter().for_each(|nanos| print!("{nanos:>8.1}"));
            let (least, most) = nanos.iter().fold((f64::MAX, 0.0_f64), |(a, b), &c| (a.min(c), b.max(c)));
            println!("{:>8.0} %", (most / least - 1.0) * 100.0);
        }
    }
}

/// What two readings of the clock cost, one right after the other.
pub(crate) fn clock() -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let mut costs: Vec<Duration> = (0..10_001).map(|_| Instant::now().elapsed()).collect();
        costs.sort();
        costs[costs.len() / 2]
    })
}
