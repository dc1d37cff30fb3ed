//! The status lines of a server, and the line on its terminal while content moves.

use crate::messages::{counted, to_stderr};
use crate::progress::{DRAW_INTERVAL, Line};
use crate::progress_line::{Moving, PathView, View};
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
    pub(crate) fn draw<'n>(&mut self, now: Instant, moving: impl Iterator<Item = Moving<'n>>) {
        if !self.has_terminal || now < self.draw_at {
            return;
        }
        self.draw_at = now + DRAW_INTERVAL;
        let Some(Moving { name, done, total, path }) = together(moving) else {
            (self.line, self.rate) = (None, Rate::default());
            return;
        };
        self.rate.sample(now, self.bytes_in + self.bytes_out);
        let line = self.line.get_or_insert_with(|| Line::new(&name, ""));
        line.draw_of_server(&View { name: &name, done, total, rate: self.rate.per_second(), path });
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
fn together<'n>(moving: impl Iterator<Item = Moving<'n>>) -> Option<Moving<'n>> {
    let (mut count, mut done, mut all, mut first) = (0_usize, 0_u64, Some(0_u64), None);
    // That of the last client that was heard.
    let mut unheard: Option<Duration> = None;
    for moving in moving {
        count += 1;
        done = done.saturating_add(moving.done);
        unheard = unheard.into_iter().chain(moving.path.unheard).min();
        all = all.zip(moving.total).map(|(all, total)| all.saturating_add(total));
        first.get_or_insert(moving);
    }
    let first = first?;
    Some(if count == 1 {
        first
    } else {
        let (name, path) = (format!("{count} transfers").into(), PathView { unheard, ..PathView::default() });
        Moving { name, done, total: all, path }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_clients_are_silent_only_together() {
        let path = |seconds| PathView { unheard: Some(Duration::from_secs(seconds)), ..PathView::default() };
        let moving = |name: &'static str, at, path| Moving { name: name.into(), done: at, total: Some(2 * at), path };
        let of = |silences: [u64; 2]| together(silences.map(|seconds| moving("a", 1, path(seconds))).into_iter());
        assert_eq!(of([9, 5]), Some(moving("2 transfers", 2, path(5))));
        assert_eq!(of([9, 0]), Some(moving("2 transfers", 2, path(0))));
    }

    /// Regression: nothing woke the server, and the line stayed until the next datagram.
    #[test]
    fn the_line_of_the_last_client_is_removed() {
        let now = Instant::ZERO;
        let mut status = Status::new(now, true);
        let path = PathView::default();
        status.draw(now, [Moving { name: "a".into(), done: 1, total: Some(2), path }].into_iter());
        assert_eq!(status.poll_timeout(0), Some(now + DRAW_INTERVAL));
        status.draw(now + DRAW_INTERVAL, std::iter::empty());
        assert_eq!(status.poll_timeout(0), None);
    }
}
