//! What a server prints about a request that has ended.

use crate::json::{self, Record};
use crate::log::{now_text, object_to_log, to_log};
use crate::memory_file::is_memory_file;
use crate::messages::{amount, request_outcome};
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;
use rdt_proto::ftp::{Outcome, Server, Session, Transfer};
use std::ffi::OsStr;
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
    /// The name of the file if it is another than the one in the request.
    pub(crate) stored_as: Option<&'a OsStr>,
    pub(crate) took: Duration,
}

/// Prints the line of a request, or its object.
pub(crate) fn print(client: Option<SocketAddr>, session: &Server, end: &End<'_>) {
    let text = match end.stored_as {
        Some(name) => format!("stored as {name:?}"),
        None => request_outcome(end.outcome, end.reason, end.error),
    };
    let command = session.transfer().map(command);
    let (name, bytes) = (session.name(), session.bytes_done());
    if (1..SMALL).contains(&bytes) && name.is_some_and(|name| is_memory_file(name.as_str())) {
        // A measurement makes hundreds of them.
        return;
    }
    if json::is_chosen() {
        let is_sent = end.outcome == Outcome::Sent && end.reason == Some(CloseReason::Finished);
        let record = Record::Request {
            time: now_text(),
            client: client.map(|client| client.to_string()),
            request: command,
            name: name.as_ref().map(|name| name.as_str()),
            ok: is_sent || end.outcome == Outcome::Stored,
            message: &text,
            bytes,
            seconds: json::seconds(end.took),
        };
        return object_to_log(&record.line());
    }
    let client = client.map_or(String::new(), |client| client.to_string());
    let request = match (command, name) {
        (Some(command), Some(name)) => format!("{command} \"{name}\""),
        _ => "request".into(),
    };
    match bytes {
        0 => to_log(format_args!("{client} {request}: {text}")),
        bytes => to_log(format_args!("{client} {request}: {text}; {}", amount(bytes, end.took))),
    }
}

/// The command that makes such a request.
pub(crate) fn command(transfer: Transfer) -> &'static str {
    match transfer {
        Transfer::Upload => "put",
        Transfer::Download => "get",
    }
}
