//! The progress of a transfer, as a bar on a terminal and otherwise as lines.
//!
//! Lines are printed when content begins to arrive, once a second, and after a success. Only a successful transfer
//! shows "100 %".

use crate::escape::escape;
use crate::messages::to_stderr;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const LINE_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) enum Progress {
    Quiet,
    Bar(ProgressBar),
    Lines { title: String, last: Option<Instant> },
}

impl Progress {
    pub(crate) fn new(title: &str, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines { title: title.into(), last: None };
        }
        let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::no_length().with_style(style.progress_chars("=> "));
        bar.set_message(escape(title).into_owned());
        Self::Bar(bar)
    }

    pub(crate) fn update(&mut self, done: u64, length: Option<u64>) {
        let Some(total) = length else { return };
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                if bar.length() != Some(total) {
                    bar.set_length(total);
                    bar.reset_eta();
                }
                bar.set_position(done);
            }
            Self::Lines { title, last } => {
                let is_time = last.is_none_or(|last| last.elapsed() >= LINE_INTERVAL);
                if (1..total).contains(&done) && is_time {
                    *last = Some(Instant::now());
                    print_percent(title, u128::from(done) * 100 / u128::from(total), total);
                }
            }
        }
    }

    /// Removes the bar, or prints the last line. `total` is the length of the content, or `None` after a failure.
    pub(crate) fn finish(&mut self, total: Option<u64>) {
        match (self, total) {
            (Self::Bar(bar), _) => bar.finish_and_clear(),
            (Self::Lines { title, .. }, Some(total)) => print_percent(title, 100, total),
            (Self::Lines { .. }, None) | (Self::Quiet, _) => {}
        }
    }
}

fn print_percent(title: &str, percent: u128, total: u64) {
    to_stderr(format_args!("{title}: {percent} % of {}", HumanBytes(total)));
}
