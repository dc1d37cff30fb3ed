//! What a server prints about a request that has ended.

use crate::json::{self, Record};
use crate::log::{now_text, object_to_log, to_log};
use crate::memory_file::is_memory_file;
use crate::messages::{amount, command, request_outcome};
use crate::session::{Kind, Success};
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;
use rdt_proto::ftp::{Outcome, Server, Session};
use std::net::SocketAddr;

/// The length in bytes from which a measurement has a line.
const SMALL: u64 = 1 << 10;

/// The end of a request.
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    /// The end of the connection.
    pub(crate) reason: Option<CloseReason>,
    /// The message of the operating system for a failure.
    pub(crate) error: Option<&'a str>,
    /// What was done. The client may have left before it had all of it.
    pub(crate) success: Option<&'a Success>,
    pub(crate) took: Duration,
}

/// What is printed of a request.
pub(crate) struct Line {
    client: Option<SocketAddr>,
    command: Option<&'static str>,
    name: Option<String>,
    ok: bool,
    text: String,
    bytes: u64,
    took: Duration,
    is_measurement: bool,
    is_look_up: bool,
}

/// The line of a session with one request.
pub(crate) fn of_session(client: Option<SocketAddr>, session: &Server, end: &End<'_>) -> Line {
    let name = session.name();
    let name = name.as_ref().map(|name| name.as_str());
    line(client, session.transfer().map(command), name, session.bytes_done(), end)
}

/// The line of one of many requests.
pub(crate) fn of_content(
    client: Option<SocketAddr>,
    kind: Kind,
    name: Option<&str>,
    bytes: u64,
    end: &End<'_>,
) -> Line {
    let (command, is_look_up) = match kind {
        Kind::Received => ("put", false),
        Kind::Sent => ("get", false),
        Kind::LookedUp => ("stat", true),
        Kind::Listed => ("ls", true),
    };
    Line { is_look_up, ..line(client, Some(command), name, bytes, end) }
}

fn line(
    client: Option<SocketAddr>,
    command: Option<&'static str>,
    name: Option<&str>,
    bytes: u64,
    end: &End<'_>,
) -> Line {
    let outcome = || request_outcome(end.outcome, end.reason, end.error);
    let is_sent = end.outcome == Outcome::Sent && end.reason == Some(CloseReason::Finished);
    let text = match end.success {
        Some(Success::Stored(Some(name))) if end.outcome == Outcome::Stored => format!("stored as {name:?}"),
        Some(Success::Sent { has_grown: true }) if is_sent => {
            format!("{}; the file grew meanwhile, and arrived as it was before", outcome())
        }
        Some(Success::Listed { unreadable }) => {
            let entries = if *unreadable == 1 { "entry" } else { "entries" };
            format!("listed; {unreadable} {entries} cannot be read (permissions, or a name that is not UTF-8)")
        }
        Some(Success::Stored(_) | Success::Sent { .. }) | None => outcome(),
    };
    let ok = is_sent || end.outcome == Outcome::Stored || matches!(end.success, Some(Success::Listed { .. }));
    let is_measurement = bytes >= SMALL && name.is_some_and(is_memory_file);
    // A client ends each of its measurements so.
    let is_measured = is_measurement && end.outcome == Outcome::Cancelled;
    let (ok, text) = if is_measured { (true, "measured".into()) } else { (ok, text) };
    Line {
        client,
        command,
        name: name.map(ToOwned::to_owned),
        ok,
        text,
        bytes,
        took: end.took,
        is_measurement,
        is_look_up: false,
    }
}

impl Line {
    /// Whether it is one of the small requests of a measurement, which makes hundreds of them.
    pub(crate) fn is_of_no_interest(&self) -> bool {
        (1..SMALL).contains(&self.bytes) && self.name.as_deref().is_some_and(is_memory_file)
    }

    /// Whether it is of content: what a client looks up is counted as no request.
    pub(crate) fn is_of_content(&self) -> bool {
        !self.is_look_up
    }

    /// Whose request it was, the command, and what became of it.
    pub(crate) fn subject(&self) -> (Option<SocketAddr>, Option<&'static str>, &str) {
        (self.client, self.command, &self.text)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Prints the line, or the object.
    pub(crate) fn print(&self) {
        let Self { client, command, name, ok, text, bytes, took, .. } = self;
        if json::is_chosen() {
            let record = Record::Request {
                time: now_text(),
                client: client.map(|client| client.to_string()),
                request: *command,
                name: name.as_deref(),
                ok: *ok,
                message: text,
                bytes: *bytes,
                seconds: json::seconds(*took),
            };
            return object_to_log(&record.line());
        }
        to_log(self.text());
    }

    fn text(&self) -> String {
        let Self { client, command, name, text, bytes, took, .. } = self;
        let client = client.map_or(String::new(), |client| client.to_string());
        let request = match (command, name) {
            (Some("put"), _) if self.is_measurement => "bench up".into(),
            (Some(_), _) if self.is_measurement => "bench down".into(),
            (Some(command), Some(name)) => format!("{command} \"{name}\""),
            (Some(command), None) => (*command).to_owned(),
            (None, _) => "request".into(),
        };
        match bytes {
            0 => format!("{client} {request}: {text}"),
            bytes => format!("{client} {request}: {text}; {}", amount(*bytes, *took)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(kind: Kind, outcome: Outcome, reason: Option<CloseReason>, success: &Success) -> Line {
        let end = End { outcome, reason, error: None, success: Some(success), took: Duration::ZERO };
        of_content(None, kind, Some("a"), 0, &end)
    }

    /// Regression: "cancelled by the client; the file grew meanwhile, and arrived as it was before".
    #[test]
    fn only_a_file_that_arrived_has_grown_meanwhile() {
        let grown = Success::Sent { has_grown: true };
        let says = |outcome, reason| line_of(Kind::Sent, outcome, reason, &grown).text.contains("grew");
        assert!(says(Outcome::Sent, Some(CloseReason::Finished)));
        assert!(!says(Outcome::Sent, Some(CloseReason::Reset { code: 7 })));
        assert!(!says(Outcome::Sent, None));
        assert!(!says(Outcome::Cancelled, Some(CloseReason::Finished)));
        assert!(!says(Outcome::Lost, None));
    }

    /// Regression: a list that had left was a failure, and a look-up counted as a request.
    #[test]
    fn a_list_with_unreadable_entries_has_left() {
        let lines =
            [1, 3].map(|unreadable| line_of(Kind::Listed, Outcome::Sent, None, &Success::Listed { unreadable }));
        let why = "cannot be read (permissions, or a name that is not UTF-8)";
        assert_eq!(lines[0].text, format!("listed; 1 entry {why}"));
        assert_eq!(lines[1].text, format!("listed; 3 entries {why}"));
        assert!(lines.iter().all(|line| line.ok && !line.is_of_content()));
    }
}
