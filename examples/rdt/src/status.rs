//! The status lines of a server.

use crate::messages::to_stderr;
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
    /// The values of `bytes_in` and `bytes_out` at the last line.
    reported: (u64, u64),
}

impl Status {
    pub(crate) fn new(now: Instant, shown: bool) -> Self {
        let next = shown.then(|| now + REPORT_INTERVAL);
        Self { next, served: 0, bytes_in: 0, bytes_out: 0, reported: (0, 0) }
    }

    /// The status. `refusals` is there if not all addresses are admitted.
    pub(crate) fn line(&self, active: usize, peers: &Peers, refusals: Option<&Refusals>) -> String {
        let refused = refusals.map_or(String::new(), |refusals| format!(", {} not admitted", refusals.total()));
        let (waiting, stats) = (peers.backlog_len(), peers.stats());
        format!(
            "{active} clients, {waiting} waiting; {} requests served; {} in, {} out; {} datagrams ignored, {} retried, {} moved{refused}",
            self.served,
            HumanBytes(self.bytes_in),
            HumanBytes(self.bytes_out),
            stats.dropped.total(),
            stats.retried,
            stats.moved
        )
    }

    /// The time of the next line. An idle server prints none.
    pub(crate) fn poll_timeout(&self, active: usize) -> Option<Instant> {
        self.next.filter(|_| active > 0)
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
