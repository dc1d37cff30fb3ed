//! Measures all stacks over paths that change, that deliver in bursts or out of order, or whose way back is narrow.

mod measure;
mod rows;

use std::time::Instant;

use crate::Args;
use crate::pattern::Pattern;
use crate::report::{spread, table};
use crate::stack::{Control, Settings, Stack};
use crate::stacks::rdt_stop_and_wait::RdtStopAndWait;
use measure::{Measured, measure, overhead};
use rows::{Row, Span, rows};

/// The seeds with which the window of a stack without congestion control is chosen.
const CHOICE: [u64; 3] = [501, 502, 503];

/// The windows to choose from, in bandwidth-delay products.
const WINDOWS: [f64; 7] = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0];

/// The window of the other stacks, as in `simulate`.
const WINDOW: f64 = 8.0;

/// The smallest product of which a window is a multiple, in bytes.
const SMALLEST_PRODUCT: usize = 24_000;

struct Case<'s> {
    stack: &'s dyn Stack,
    control: Control,
}

impl Case<'_> {
    fn label(&self) -> String {
        format!("{}{}", self.stack.name(), if self.control == Control::Tolerant { " (tolerant)" } else { "" })
    }

    /// The settings to choose from.
    fn choices(&self, row: &Row) -> Vec<(f64, Settings)> {
        let windows: &[f64] = if self.stack.window_limited(self.control) { &WINDOWS } else { &[WINDOW] };
        let variants = 0..self.stack.variants(self.control);
        let datagram = (row.datagram + row.lower_headers - self.lower_headers(row)).min(self.stack.largest_datagram());
        variants
            .flat_map(|variant| windows.iter().map(move |&factor| (variant, factor)))
            .map(|(variant, factor)| {
                let window = (row.product.max(SMALLEST_PRODUCT) as f64 * factor) as usize;
                (factor, Settings { datagram, window, control: self.control, variant })
            })
            .collect()
    }

    /// The headers that the simulated link adds to each datagram.
    fn lower_headers(&self, row: &Row) -> usize {
        self.stack.lower_headers().min(row.lower_headers)
    }

    fn runs(&self, row: &Row, settings: &Settings, seeds: &[u64], pattern: &Pattern) -> Result<Vec<Measured>, String> {
        let headers = self.lower_headers(row);
        let overhead = overhead(self.stack, settings, headers, pattern)?;
        let run = |seed: &u64| measure(row, self.stack, settings, headers, overhead, *seed, pattern);
        in_threads(seeds, &run).into_iter().collect()
    }

    /// Chooses settings with three seeds, and measures them with `seeds`.
    fn measure(&self, row: &Row, seeds: &[u64], pattern: &Pattern) -> Result<(String, Vec<Measured>), String> {
        let choices = self.choices(row);
        let mut note = String::new();
        let mut chosen = choices[0].1;
        if choices.len() > 1 {
            let mut best: Option<f64> = None;
            for (factor, settings) in &choices {
                let Ok(runs) = self.runs(row, settings, &CHOICE, pattern) else { continue };
                let median = median(&runs, |run| run.goodput);
                if best.is_none_or(|best| median > best) {
                    (best, chosen) = (Some(median), *settings);
                    note = format!("window {factor}, variant {} ", settings.variant);
                }
            }
        }
        Ok((note, self.runs(row, &chosen, seeds, pattern)?))
    }
}

fn median(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    spread(&runs.iter().map(of).collect::<Vec<_>>()).median
}

/// Calls `run` for all seeds, on as many threads as the machine has cores. `PEERS_THREADS` changes their number.
pub fn in_threads<T: Send>(seeds: &[u64], run: &(impl Fn(&u64) -> T + Sync)) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = std::env::var("PEERS_THREADS").ok().and_then(|number| number.parse().ok()).unwrap_or(cores);
    std::thread::scope(|scope| {
        let parts: Vec<_> = seeds
            .chunks(seeds.len().div_ceil(threads.max(1)).max(1))
            .map(|part| scope.spawn(move || part.iter().map(run).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("a run does not panic")).collect()
    })
}

/// The median of the goodputs of a case, and the cells of its line except for the comparison with the other cases.
struct Line {
    goodput: f64,
    cells: Vec<String>,
}

fn line(row: &Row, label: &str, note: &str, runs: &[Measured]) -> Line {
    let of = |f: &dyn Fn(&Measured) -> f64| spread(&runs.iter().map(f).collect::<Vec<_>>());
    let goodput = of(&|run| run.goodput);
    let (lost, after) = match &row.span {
        Span::Bytes { .. } => (String::new(), String::new()),
        Span::Phases { .. } => {
            let lost = of(&|run| run.lost_seconds);
            let phases = runs.iter().map(|run| run.after_3_s.len()).min().unwrap_or(0);
            let shares: Vec<String> = (0..phases)
                .map(|phase| {
                    let share = of(&|run: &Measured| run.after_3_s[phase] * 100.0);
                    format!("{:.0} ({:.0})", share.median, share.min)
                })
                .collect();
            (format!("{:.1} ({:.1})", lost.median, lost.max), shares.join(" / "))
        }
    };
    let mut note = note.to_string();
    let unfinished = runs.iter().filter(|run| !run.finished).count();
    if unfinished > 0 {
        note.push_str(&format!("{unfinished} cut off "));
    }
    let bound = of(&|run| run.of_stop_and_wait * 100.0);
    if label.ends_with("stop-and-wait") {
        note.push_str(&format!("{:.1} ({:.1}) % of its bound", bound.median, bound.min));
    }
    let share = of(&|run| run.of_link * 100.0);
    let repeats = of(&|run| run.repeats * 100.0);
    let cells = vec![
        row.name.clone(),
        label.into(),
        megabits(goodput.median),
        megabits(goodput.min),
        format!("{:.0}", goodput.min / goodput.median.max(1.0) * 100.0),
        format!("{:.1}", share.median),
        format!("{:.1} ({:.1})", repeats.median, repeats.max),
        lost,
        after,
        note,
    ];
    Line { goodput: goodput.median, cells }
}

fn megabits(goodput: f64) -> String {
    let digits = if goodput < 1e6 { 4 } else { 2 };
    format!("{:.digits$}", goodput / 1e6)
}

/// Measures all stacks that `--only` selects, over the paths that `--filter` selects.
pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let seeds: Vec<u64> = (args.seed..args.seed + args.reps.unwrap_or(20) as u64).collect();
    let bytes = args.mib.unwrap_or(32) << 20;
    let pattern = Pattern::new();
    let stop_and_wait: &dyn Stack = &RdtStopAndWait;
    println!(
        "# paths: {} MiB, seeds {} to {} (+1000), median and worst; windows chosen with the seeds {CHOICE:?}\n",
        bytes >> 20,
        args.seed,
        args.seed + seeds.len() as u64 - 1
    );
    let began = Instant::now();
    let mut lines = Vec::new();
    for row in rows(bytes).iter().filter(|row| row.name.contains(&args.filter)) {
        let mut group: Vec<Line> = Vec::new();
        let mut failed = Vec::new();
        let is_serial = row.lower_headers == 0;
        for stack in stacks.iter().map(|stack| &**stack).chain([stop_and_wait]) {
            if !stack.takes_paths(is_serial) || !args.wants(stack.name()) || stack.smallest_datagram() > row.datagram {
                continue;
            }
            for control in [Control::Default, Control::Tolerant] {
                if control == Control::Tolerant && !stack.has_tolerant() {
                    continue;
                }
                let case = Case { stack, control };
                match case.measure(row, &seeds, &pattern) {
                    Ok((note, runs)) => group.push(line(row, &case.label(), &note, &runs)),
                    Err(error) => failed.push(vec![row.name.clone(), case.label(), format!("failed: {error}")]),
                }
            }
        }
        for (index, line) in group.iter().enumerate() {
            let others = group.iter().enumerate().filter(|&(other, _)| other != index);
            let best = others.map(|(_, line)| line.goodput).fold(0.0, f64::max);
            let mut cells = line.cells.clone();
            let of_best = if best > 0.0 { format!("{:.0}", line.goodput / best * 100.0) } else { "–".into() };
            cells.insert(5, of_best);
            eprintln!("{:>5} s  {}", began.elapsed().as_secs(), cells.join(" | "));
            lines.push(cells);
        }
        lines.extend(failed);
    }
    table(
        &[
            "path",
            "stack",
            "Mbit/s",
            "worst",
            "worst/median %",
            "of best other %",
            "of link %",
            "repeats %",
            "lost s",
            "phases after 3 s, %",
            "note",
        ],
        &lines,
    );
}
