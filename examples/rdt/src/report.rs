//! What a server reports: its status, and the outcome of each request.

use crate::endpoint::Address;
use crate::log::to_log;
use crate::memory_file::is_memory_file;
use crate::messages::{amount, to_stderr};
use crate::refusals::Refusals;
use crate::server::Peers;
use indicatif::HumanBytes;
use rdt_proto::ftp::{Server, Session, Transfer};
use rdt_proto::{Duration, Instant};

/// The interval of status lines on a terminal.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// The length in bytes from which a measurement has a line.
const SMALL: u64 = 1 << 10;

/// Statistics for the status lines.
pub(crate) struct Report {
    /// The time of the next line. `None` if no lines are shown.
    next: Option<Instant>,
    pub(crate) served: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// The values of `bytes_in` and `bytes_out` at the last line.
    reported: (u64, u64),
}

impl Report {
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

/// Prints the outcome of a request that began at `started`.
pub(crate) fn print_request(now: Instant, address: Option<Address>, session: &Server, started: Instant, text: &str) {
    let client = address.map_or(String::new(), |address| address.peer.to_string());
    let request = match (session.transfer(), session.name()) {
        (Some(Transfer::Upload), Some(name)) => format!("put \"{name}\""),
        (Some(Transfer::Download), Some(name)) => format!("get \"{name}\""),
        _ => "request".into(),
    };
    let is_measurement = session.name().is_some_and(|name| is_memory_file(name.as_str()));
    match session.bytes_done() {
        // A measurement makes hundreds of them.
        1..SMALL if is_measurement => {}
        0 => to_log(format_args!("{client} {request}: {text}")),
        bytes => {
            let amount = amount(bytes, now.saturating_since(started));
            to_log(format_args!("{client} {request}: {text}; {amount}"));
        }
    }
}
