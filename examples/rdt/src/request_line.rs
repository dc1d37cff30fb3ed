//! What a server prints about a request that has ended.

use crate::json::{self, Record};
use crate::log::{now_text, object_to_log, to_log};
use crate::memory_file::is_memory_file;
use crate::messages::{amount, command, request_outcome};
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
    /// What is said instead of the outcome.
    pub(crate) text: Option<String>,
    /// Whether more was written to the end of the file while it was sent.
    pub(crate) has_grown: bool,
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
    command: &'static str,
    name: Option<&str>,
    bytes: u64,
    end: &End<'_>,
) -> Line {
    line(client, Some(command), name, bytes, end)
}

fn line(
    client: Option<SocketAddr>,
    command: Option<&'static str>,
    name: Option<&str>,
    bytes: u64,
    end: &End<'_>,
) -> Line {
    let text = end.text.clone().unwrap_or_else(|| request_outcome(end.outcome, end.reason, end.error));
    let text =
        if end.has_grown { format!("{text}; the file grew meanwhile, and arrived as it was before") } else { text };
    let is_sent = end.outcome == Outcome::Sent && end.reason == Some(CloseReason::Finished);
    let ok = is_sent || end.outcome == Outcome::Stored;
    let is_measurement = bytes >= SMALL && name.is_some_and(is_memory_file);
    // A client ends each of its measurements so.
    let is_measured = is_measurement && end.outcome == Outcome::Cancelled;
    let (ok, text) = if is_measured { (true, "measured".into()) } else { (ok, text) };
    Line { client, command, name: name.map(ToOwned::to_owned), ok, text, bytes, took: end.took, is_measurement }
}

impl Line {
    /// Whether it is one of the small requests of a measurement, which makes hundreds of them.
    pub(crate) fn is_of_no_interest(&self) -> bool {
        (1..SMALL).contains(&self.bytes) && self.name.as_deref().is_some_and(is_memory_file)
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
