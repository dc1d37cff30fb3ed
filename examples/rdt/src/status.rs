//! The status lines of a server, and the line on its terminal while content moves.

use crate::messages::{counted, to_stderr};
use crate::progress::{DRAW_INTERVAL, Line};
use crate::progress_line::{PathView, View};
use crate::rate::Rate;
use crate::refusals::Refusals;
use crate::server::Peers;
use indicatif::HumanBytes;
use rdt_proto::{Duration, Instant};

/// The interval of status lines on a terminal.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Statistics for the status lines.
pub(crate) struct Status {
    /// The time of the next line. `None` if no lines are shown.
    next: Option<Instant>,
    pub(crate) served: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Whether the line of what moves now is drawn. Several threads would draw over each other.
    pub(crate) has_terminal: bool,
    line: Option<Line>,
    /// The rate of everything.
    rate: Rate,
    draw_at: Instant,
    /// The values of `bytes_in` and `bytes_out` at the last line.
    reported: (u64, u64),
}

/// What moves now: a name, the bytes that have moved, the length if it is known, and the path.
pub(crate) type Moving = (String, u64, Option<u64>, PathView);

impl Status {
    pub(crate) fn new(now: Instant, shown: bool) -> Self {
        let next = shown.then(|| now + REPORT_INTERVAL);
        Self {
            next,
            served: 0,
            bytes_in: 0,
            bytes_out: 0,
            has_terminal: shown,
            line: None,
            rate: Rate::default(),
            draw_at: now,
            reported: (0, 0),
        }
    }

    /// The status. `refusals` is there if not all addresses are admitted.
    pub(crate) fn line(&self, active: usize, peers: &Peers, refusals: Option<&Refusals>) -> String {
        let refused = refusals.map_or(String::new(), |refusals| format!(", {} not admitted", refusals.total()));
        let clients = counted(active as u64, "client");
        let (waiting, stats) = (peers.backlog_len(), peers.stats());
        format!(
            "{clients}, {waiting} waiting; {} served; {} in, {} out; {} ignored, {} retried, {} moved{refused}",
            counted(self.served, "request"),
            HumanBytes(self.bytes_in),
            HumanBytes(self.bytes_out),
            counted(stats.dropped.total(), "datagram"),
            stats.retried,
            stats.moved
        )
    }

    /// The time of the next line. An idle server prints none, and removes that of the last client.
    pub(crate) fn poll_timeout(&self, active: usize) -> Option<Instant> {
        if active == 0 && self.line.is_none() {
            return None;
        }
        self.next.map(|next| next.min(self.draw_at))
    }

    /// Draws what moves now on the terminal.
    pub(crate) fn draw(&mut self, now: Instant, moving: impl Iterator<Item = Moving>) {
        if !self.has_terminal || now < self.draw_at {
            return;
        }
        self.draw_at = now + DRAW_INTERVAL;
        let Some((title, done, total, path)) = together(moving) else {
            (self.line, self.rate) = (None, Rate::default());
            return;
        };
        self.rate.sample(now, self.bytes_in + self.bytes_out);
        let line = self.line.get_or_insert_with(|| Line::new(&title, ""));
        line.draw_of_server(&View { name: &title, done, total, rate: self.rate.per_second(), path });
    }

    /// Prints a line after each interval in which data was transferred.
    pub(crate) fn handle_timeout(&mut self, now: Instant, active: usize, peers: &Peers, refusals: Option<&Refusals>) {
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + REPORT_INTERVAL);
            let bytes = (self.bytes_in, self.bytes_out);
            if std::mem::replace(&mut self.reported, bytes) != bytes {
                to_stderr(self.line(active, peers, refusals));
            }
        }
    }
}

/// All that moves, as if it were one. `None` if nothing does.
fn together(moving: impl Iterator<Item = Moving>) -> Option<Moving> {
    let (mut count, mut done, mut total, mut first) = (0_usize, 0_u64, Some(0_u64), None);
    // That of the last client that was heard.
    let mut unheard: Option<Duration> = None;
    for (name, moved, length, path) in moving {
        count += 1;
        done = done.saturating_add(moved);
        unheard = unheard.into_iter().chain(path.unheard).min();
        total = total.zip(length).map(|(total, length)| total.saturating_add(length));
        first.get_or_insert((name, path));
    }
    let (name, path) = first?;
    Some(if count == 1 {
        (name, done, total, path)
    } else {
        (format!("{count} transfers"), done, total, PathView { unheard, ..PathView::default() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_clients_are_silent_only_together() {
        let path = |seconds| PathView { unheard: Some(Duration::from_secs(seconds)), ..PathView::default() };
        let of = |silences: [u64; 2]| {
            together(silences.map(|seconds| ("a".to_owned(), 1, Some(2), path(seconds))).into_iter())
        };
        assert_eq!(of([9, 5]), Some(("2 transfers".to_owned(), 2, Some(4), path(5))));
        assert_eq!(of([9, 0]), Some(("2 transfers".to_owned(), 2, Some(4), path(0))));
    }

    /// Regression: nothing woke the server, and the line stayed until the next datagram.
    #[test]
    fn the_line_of_the_last_client_is_removed() {
        let now = Instant::ZERO;
        let mut status = Status::new(now, true);
        status.draw(now, [("a".to_owned(), 1, Some(2), PathView::default())].into_iter());
        assert_eq!(status.poll_timeout(0), Some(now + DRAW_INTERVAL));
        status.draw(now + DRAW_INTERVAL, std::iter::empty());
        assert_eq!(status.poll_timeout(0), None);
    }
}
