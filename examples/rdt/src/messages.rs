//! The text that the program prints.

use crate::output::{self, Stream};
use indicatif::HumanBytes;
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;
use rdt_proto::ftp::{ErrorCode, Outcome, StorageError};
use std::fmt::Display;

/// Prints a line of the result.
pub(crate) fn to_stdout(line: impl Display) {
    output::print(Stream::Stdout, &line.to_string());
}

/// Prints a line of progress or an error message.
pub(crate) fn to_stderr(line: impl Display) {
    output::print(Stream::Stderr, &format!("rdt: {line}"));
}

/// Formats an amount of data with its time and rate: "10.00 MiB in 1.25 s (8.00 MiB/s)".
pub(crate) fn amount(bytes: u64, took: Duration) -> String {
    let micros = took.as_micros().max(1);
    let rate = u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(micros)).unwrap_or(u64::MAX);
    format!("{} in {} s ({}/s)", HumanBytes(bytes), seconds(took), HumanBytes(rate))
}

/// Formats a duration in seconds: "1.25".
pub(crate) fn seconds(took: Duration) -> String {
    let hundredths = took.as_micros() / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The reason for the early end of a connection.
pub(crate) fn end_reason(reason: Option<CloseReason>) -> &'static str {
    match reason {
        Some(CloseReason::HandshakeTimedOut) => "no answer came",
        Some(CloseReason::TimedOut) => "it stopped answering",
        Some(CloseReason::NoProgress) => "it answers, but no data reaches it; try a smaller --segment",
        Some(CloseReason::Stalled) => "it made no progress",
        Some(CloseReason::AcknowledgedUnsent) => "it acknowledged what was never sent; do not trust it",
        Some(CloseReason::StatelessReset) => "it does not know this connection; perhaps it has restarted",
        Some(CloseReason::Quiet) => "nothing more came from it",
        Some(CloseReason::PeerLeft) => "it closed early",
        Some(CloseReason::Finished) => "it closed",
        Some(CloseReason::Aborted) => "stopped here",
        Some(_) | None => "the connection broke",
    }
}

/// The outcome of a request at a server. `detail` is the message of the server's operating system.
pub(crate) fn request_outcome(outcome: Outcome, reason: Option<CloseReason>, detail: Option<&str>) -> String {
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    let says_all = |code| matches!(code, ErrorCode::NoSuchFile | ErrorCode::Exists);
    match outcome {
        Outcome::Stored => "stored".into(),
        Outcome::Sent => match reason {
            Some(CloseReason::Finished) => "sent".into(),
            other => format!("sent, but perhaps not all of it arrived: {}", end_reason(other)),
        },
        Outcome::Refused(code) if says_all(code) => format!("refused: {code}"),
        Outcome::Refused(code) => format!("refused: {code}{detail}"),
        Outcome::Cancelled => "cancelled by the client".into(),
        Outcome::Aborted(code) => format!("ended by the client: {code}"),
        Outcome::Lost => format!("the client is gone: {}", end_reason(reason)),
        Outcome::StorageFailed(error) => format!("failed here: {error}{detail}"),
        Outcome::Shrunk => "failed: the file became shorter meanwhile".into(),
        Outcome::NoRequest => "it left without a request".into(),
        _ => "ended".into(),
    }
}

/// The reason for a storage failure of a client.
pub(crate) fn storage_error(error: StorageError, detail: Option<&str>) -> String {
    detail.map_or_else(|| error.to_string(), str::to_owned)
}

/// The meaning of an error code from the server, and what the user can do.
pub(crate) fn refusal(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "it did not understand the request; another version, or another --profile?",
        ErrorCode::NoSuchFile => "it has no such file",
        ErrorCode::TooLarge => "the file is larger than it accepts",
        ErrorCode::NameNotAllowed => "it does not allow this name; choose another one",
        ErrorCode::Exists => "it has a file of this name and does not replace it; choose another name",
        ErrorCode::NoSpace => "it has no space left",
        ErrorCode::StorageFailed => "its storage failed; try again, or tell its operator",
        ErrorCode::Busy => "it is busy; try again later",
        ErrorCode::DigestMismatch => "the content did not arrive as it was sent; try again",
        ErrorCode::NotPermitted => "it does not permit that",
        ErrorCode::Cancelled => "it was stopped there",
        ErrorCode::Other(_) => "for a reason that this version does not know",
    }
}

/// The text of an error. The text of a system error is in lower case, without the error number.
pub(crate) fn error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}
