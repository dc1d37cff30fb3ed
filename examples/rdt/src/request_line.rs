//! What a server prints about a request that has ended.

use crate::json::{self, Record};
use crate::messages::{amount, request_outcome, to_stdout};
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;
use rdt_proto::ftp::{Outcome, Server, Session, Transfer};
use std::net::SocketAddr;

/// The end of a request.
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    /// The end of the connection.
    pub(crate) reason: Option<CloseReason>,
    /// The message of the operating system for a failure.
    pub(crate) error: Option<&'a str>,
    pub(crate) took: Duration,
}

/// Prints the line of a request, or its object.
pub(crate) fn print(client: Option<SocketAddr>, session: &Server, end: &End<'_>) {
    let text = request_outcome(end.outcome, end.reason, end.error);
    let command = session.transfer().map(command);
    let (name, bytes) = (session.name(), session.bytes_done());
    if json::is_chosen() {
        let is_sent = end.outcome == Outcome::Sent && end.reason == Some(CloseReason::Finished);
        let record = Record::Request {
            client: client.map(|client| client.to_string()),
            request: command,
            name: name.as_ref().map(|name| name.as_str()),
            ok: is_sent || end.outcome == Outcome::Stored,
            message: &text,
            bytes,
            seconds: json::seconds(end.took),
        };
        return record.print();
    }
    let client = client.map_or(String::new(), |client| client.to_string());
    let request = match (command, name) {
        (Some(command), Some(name)) => format!("{command} \"{name}\""),
        _ => "request".into(),
    };
    match bytes {
        0 => to_stdout(format_args!("{client} {request}: {text}")),
        bytes => to_stdout(format_args!("{client} {request}: {text}; {}", amount(bytes, end.took))),
    }
}

/// The command that makes such a request.
pub(crate) fn command(transfer: Transfer) -> &'static str {
    match transfer {
        Transfer::Upload => "put",
        Transfer::Download => "get",
    }
}
