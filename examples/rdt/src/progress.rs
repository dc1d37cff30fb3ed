//! The progress of a transfer, as one line on a terminal that is drawn again, and otherwise as several lines.
//!
//! The first of several lines is printed half a second after the connection, and the last after a success. Between them a
//! line comes for each ten percent, at most once a second. Only a successful transfer shows "100 %".

use crate::common_args::Common;
use crate::json::{self, Record};
use crate::messages::{command, to_stderr};
use crate::observers::Verbosity;
use crate::progress_line::{PathView, View, fit};
use crate::rate::Rate;
use console::Term;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use rdt_proto::ftp::Transfer;
use rdt_proto::{Duration, Instant};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// The time until the first of several lines.
const FIRST_LINE: Duration = Duration::from_millis(500);
/// The difference between two of several lines in percent.
const LINE_PERCENT: u8 = 10;
/// The interval at which the line of a terminal is drawn again, also while nothing arrives.
pub(crate) const DRAW_INTERVAL: Duration = Duration::from_millis(200);
/// The width of a terminal that does not tell.
const COLUMNS: usize = 80;

/// The line on the terminal, which other output must not cut.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// What a request does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The server has the request, or will have it, and has not answered it.
    Asking,
    Transferring {
        done: u64,
        /// The length of all, if it is known.
        total: Option<u64>,
        path: PathView,
    },
    /// All content has arrived, and the receiver makes it durable.
    Storing { total: u64 },
}

pub(crate) enum Progress {
    Quiet,
    Line(Line),
    Lines(Lines),
    Objects(Objects),
}

/// The objects of `--json`.
pub(crate) struct Objects {
    transfer: Transfer,
    title: String,
    rate: Rate,
    /// The time of the next object. The first comes a second after the first content.
    next: Option<Instant>,
    sample_at: Instant,
}

/// Lines that are printed one after the other.
pub(crate) struct Lines {
    title: String,
    /// The earliest time of the next line. The first comes a while after the first update.
    next: Option<Instant>,
    /// The percentage of the last line.
    last: Option<u8>,
}

/// The line on a terminal.
pub(crate) struct Line {
    title: String,
    bar: ProgressBar,
    rate: Rate,
    next: Instant,
}

impl Progress {
    /// The progress of a request. Content on a terminal, and the log of packets, leave no place for a line.
    pub(crate) fn of(common: &Common, transfer: Transfer, title: &str, server: &str, has_content: bool) -> Self {
        match (common.quiet || has_content, common.settings().verbosity == Verbosity::Packets) {
            (true, _) => Self::Quiet,
            (false, _) if common.json => Self::objects(transfer, title),
            (false, true) => Self::lines(title),
            (false, false) => Self::new(title, server),
        }
    }

    /// Begins with a connection to `server`.
    pub(crate) fn new(title: &str, server: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::lines(title);
        }
        Self::Line(Line::new(title, &format!("connecting to {server}…")))
    }

    /// Lines that do not disturb other output, such as the log of packets.
    pub(crate) fn lines(title: &str) -> Self {
        Self::Lines(Lines { title: title.into(), next: None, last: None })
    }

    /// Objects of `--json`.
    pub(crate) fn objects(transfer: Transfer, title: &str) -> Self {
        let rate = Rate::default();
        Self::Objects(Objects { transfer, title: title.into(), rate, next: None, sample_at: Instant::ZERO })
    }

    pub(crate) fn update(&mut self, now: Instant, step: impl FnOnce() -> Step) {
        match self {
            Self::Quiet => {}
            Self::Line(line) => {
                if line.next <= now {
                    line.next = now + DRAW_INTERVAL;
                    line.draw(now, step());
                }
            }
            Self::Objects(objects) => {
                if objects.sample_at <= now {
                    objects.sample_at = now + DRAW_INTERVAL;
                    if let Step::Transferring { done, total, path } = step() {
                        objects.print(now, done, total, path);
                    }
                }
            }
            Self::Lines(lines) => {
                if lines.is_time(now)
                    && let Step::Transferring { done, total: Some(total), .. } = step()
                    && let Some(percent) = lines.percent(now, done, total)
                {
                    print_percent(&lines.title, percent, total);
                }
            }
        }
    }

    /// When the line is to be drawn again, until the end of the transfer.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Line(line) => Some(line.next),
            Self::Objects(objects) => Some(objects.sample_at),
            Self::Quiet | Self::Lines(_) => None,
        }
    }

    /// Removes the line, or prints the last one. `total` is the length of the content, or `None` after a failure.
    pub(crate) fn finish(&mut self, total: Option<u64>) {
        match (self, total) {
            (Self::Line(line), _) => line.remove(),
            (Self::Lines(lines), Some(total)) => print_percent(&lines.title, 100, total),
            (Self::Lines(_), None) | (Self::Quiet | Self::Objects(_), _) => {}
        }
    }
}

impl Lines {
    /// Whether another line may come. A transfer that ends at once has no line but its result.
    fn is_time(&mut self, now: Instant) -> bool {
        *self.next.get_or_insert(now + FIRST_LINE) <= now
    }

    /// The percentage to print, unless it is about that of the last line. A transfer may begin again.
    fn percent(&mut self, now: Instant, done: u64, total: u64) -> Option<u8> {
        if !(1..total).contains(&done) {
            return None;
        }
        let percent = u8::try_from(u128::from(done) * 100 / u128::from(total)).ok()?;
        if self.last.is_some_and(|last| last.abs_diff(percent) < LINE_PERCENT) {
            return None;
        }
        (self.next, self.last) = (Some(now + LINE_INTERVAL), Some(percent));
        Some(percent)
    }
}

impl Objects {
    fn print(&mut self, now: Instant, bytes: u64, length: Option<u64>, path: PathView) {
        self.rate.sample(now, bytes);
        if now < *self.next.get_or_insert(now + LINE_INTERVAL) {
            return;
        }
        self.next = Some(now + LINE_INTERVAL);
        let record = Record::Progress {
            request: command(self.transfer),
            name: &self.title,
            bytes,
            length,
            bytes_per_second: self.rate.per_second(),
            round_trip_seconds: path.round_trip.map(json::seconds),
            loss_percent: path.loss.map(json::percent),
        };
        record.print();
    }
}

impl Line {
    /// Draws the line for the first time.
    pub(crate) fn new(title: &str, message: &str) -> Self {
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::no_length().with_style(style);
        bar.set_message(fit(message, columns()));
        bar.tick();
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self { title: title.into(), bar, rate: Rate::default(), next: Instant::ZERO }
    }

    /// Draws the line of what a server transfers.
    pub(crate) fn draw_of_server(&self, view: &View<'_>) {
        self.bar.set_message(view.line(columns()));
    }

    fn draw(&mut self, now: Instant, step: Step) {
        let (title, columns) = (&self.title, columns());
        self.bar.set_message(match step {
            Step::Asking => fit(&format!("requesting {title}…"), columns),
            Step::Transferring { done, total, path } => {
                self.rate.sample(now, done);
                View { name: title, done, total, rate: self.rate.per_second(), path }.line(columns)
            }
            Step::Storing { total } => fit(&format!("storing {title}: all {} arrived…", HumanBytes(total)), columns),
        });
    }

    fn remove(&self) {
        self.bar.finish_and_clear();
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A request that ends early leaves no line.
impl Drop for Line {
    fn drop(&mut self) {
        self.remove();
    }
}

fn columns() -> usize {
    Term::stderr().size_checked().map_or(COLUMNS, |(_, columns)| columns.into())
}

/// Prints while there is no line on the terminal.
pub(crate) fn without_line<T>(print: impl FnOnce() -> T) -> T {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

fn print_percent(title: &str, percent: u8, total: u64) {
    to_stderr(format_args!("{title}: {percent} % of {}", HumanBytes(total)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: a slow transfer printed the same percentage each second.
    #[test]
    fn lines_are_ten_percent_and_a_second_apart() {
        let Progress::Lines(mut lines) = Progress::lines("a") else { panic!("no lines") };
        let mut at = |ms, done| {
            let now = Instant::from_millis(ms);
            if lines.is_time(now) { lines.percent(now, done, 1_000) } else { None }
        };
        assert_eq!([at(0, 1), at(499, 5), at(500, 0), at(600, 9)], [None, None, None, Some(0)]);
        assert_eq!([at(1_599, 150), at(1_600, 99), at(9_000, 109)], [None, None, Some(10)]);
        assert_eq!([at(9_500, 500), at(10_000, 199), at(10_100, 204)], [None, None, Some(20)]);
        // It began again.
        assert_eq!([at(12_000, 110), at(12_100, 90), at(14_000, 1_000)], [None, Some(9), None]);
    }
}
