//! The lines of requests on a terminal: some of each second, and the sum of all others.
//!
//! Many small files have thousands of lines a second, which nobody reads and which push everything else off the screen.

use crate::messages::counted;
use crate::request_line::Line;
use indicatif::HumanBytes;
use rdt_proto::{Duration, Instant};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The interval of sums.
const INTERVAL: Duration = Duration::from_secs(1);
/// The number of lines in an interval that are printed one by one.
const SHOWN: usize = 10;
/// The number of sums of an interval. What belongs to none of them is counted together.
const SUMS: usize = 5;

/// The terminal of a server, which all its threads share. Their clocks begin together, to some milliseconds.
#[derive(Clone, Default)]
pub(crate) struct SharedScreen(Arc<Mutex<RequestScreen>>);

impl SharedScreen {
    pub(crate) fn lock(&self) -> MutexGuard<'_, RequestScreen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chooses the lines that a terminal shows.
#[derive(Default)]
pub(crate) struct RequestScreen {
    /// The end of the interval.
    until: Option<Instant>,
    shown: usize,
    sums: Vec<Sum>,
    others: u64,
}

/// Requests of one client with one outcome.
struct Sum {
    client: Option<SocketAddr>,
    command: Option<&'static str>,
    outcome: String,
    count: u64,
    bytes: u64,
}

impl RequestScreen {
    /// Handles a line. Returns whether to print it; otherwise it is counted.
    ///
    /// The sums of the interval before must have been taken.
    pub(crate) fn handle(&mut self, now: Instant, line: &Line) -> bool {
        if self.until.is_none() {
            (self.until, self.shown) = (Some(now + INTERVAL), 0);
        }
        if self.shown < SHOWN {
            self.shown += 1;
            return true;
        }
        let (client, command, outcome) = line.subject();
        let is_same = |sum: &&mut Sum| (sum.client, sum.command, &*sum.outcome) == (client, command, outcome);
        let has_room = self.sums.len() < SUMS;
        match self.sums.iter_mut().find(is_same) {
            Some(sum) => {
                sum.count += 1;
                sum.bytes += line.bytes();
            }
            None if has_room => {
                let (outcome, bytes) = (outcome.to_owned(), line.bytes());
                self.sums.push(Sum { client, command, outcome, count: 1, bytes });
            }
            None => self.others += 1,
        }
        false
    }

    /// The sums of the interval, if it is over.
    pub(crate) fn take_sums(&mut self, now: Instant) -> Vec<String> {
        if self.until.is_some_and(|until| until <= now) { self.take_all() } else { Vec::new() }
    }

    /// The sums of what was not printed.
    pub(crate) fn take_all(&mut self) -> Vec<String> {
        self.until = None;
        let mut lines: Vec<_> = std::mem::take(&mut self.sums).iter().map(Sum::text).collect();
        match std::mem::take(&mut self.others) {
            0 => {}
            others => lines.push(counted(others, "more request")),
        }
        lines
    }

    /// When sums are due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.until.filter(|_| !self.sums.is_empty())
    }
}

impl Sum {
    fn text(&self) -> String {
        let client = self.client.map_or(String::new(), |client| client.to_string());
        let (command, outcome, count) = (self.command.unwrap_or("request"), &self.outcome, self.count);
        match self.bytes {
            0 => format!("{client} {command} of {count} more: {outcome}"),
            bytes => format!("{client} {command} of {count} more: {outcome}; {}", HumanBytes(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_line::{End, of_content};
    use crate::session::Kind;
    use rdt_proto::ftp::{ErrorCode, Outcome};

    fn line(port: u16, outcome: Outcome) -> Line {
        let end = End { outcome, reason: None, error: None, success: None, took: Duration::ZERO };
        of_content(Some(([192, 0, 2, 1], port).into()), Kind::Received, Some("a"), 2_048, &end)
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn a_second_has_ten_lines_and_the_sums_of_the_others() {
        let mut screen = RequestScreen::default();
        let refused = Outcome::Refused(ErrorCode::NoSpace);
        let shown = (0..500).filter(|at_ms| screen.handle(at(*at_ms), &line(7, Outcome::Stored))).count();
        assert_eq!(shown, SHOWN);
        assert!(!screen.handle(at(600), &line(7, refused)) && !screen.handle(at(600), &line(8, Outcome::Stored)));
        assert_eq!(screen.poll_timeout(), Some(at(1_000)));
        assert!(screen.take_sums(at(999)).is_empty());
        let expected = [
            "192.0.2.1:7 put of 490 more: stored; 980.00 KiB",
            "192.0.2.1:7 put of 1 more: refused: no space left; 2.00 KiB",
            "192.0.2.1:8 put of 1 more: stored; 2.00 KiB",
        ];
        assert_eq!(screen.take_sums(at(1_000)), expected);
        assert_eq!(screen.poll_timeout(), None);
        assert!(screen.handle(at(1_001), &line(7, Outcome::Stored)), "a new second");
    }

    /// Regression: each thread of a server showed ten lines a second.
    #[test]
    fn all_threads_together_have_ten_lines_a_second() {
        let screen = SharedScreen::default();
        let threads = [screen.clone(), screen.clone(), screen];
        let shown = |at_ms| {
            let lines = threads.iter().zip(1..).cycle().take(30);
            lines.filter(|(screen, port)| screen.lock().handle(at(at_ms), &line(*port, Outcome::Stored))).count()
        };
        assert_eq!(shown(0), SHOWN);
        let sums = threads[1].lock().take_sums(at(1_000));
        assert_eq!(sums.len(), threads.len(), "{sums:?}");
        assert!(threads[2].lock().take_all().is_empty(), "one thread prints the sums of all");
        assert_eq!(shown(1_000), SHOWN);
    }

    #[test]
    fn many_clients_have_few_sums() {
        let mut screen = RequestScreen::default();
        for port in 1..1_000 {
            screen.handle(at(0), &line(port, Outcome::Stored));
        }
        let sums = screen.take_all();
        assert_eq!(sums.len(), SUMS + 1);
        assert_eq!(sums.last().unwrap(), "984 more requests");
    }
}
