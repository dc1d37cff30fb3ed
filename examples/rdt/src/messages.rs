//! The text that the program prints.

use crate::json::{self, Record};
use crate::output::{self, Stream};
use crate::path_pattern;
use indicatif::HumanBytes;
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;
use rdt_proto::ftp::{ErrorCode, Outcome, Transfer};
use std::borrow::Cow;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;

/// Prints a line of the result.
pub(crate) fn to_stdout(line: impl Display) {
    output::print(Stream::Stdout, &line.to_string());
}

/// Prints a line of progress or an error message.
pub(crate) fn to_stderr(line: impl Display) {
    output::print(Stream::Stderr, &format!("rdt: {line}"));
}

/// Prints why the command fails, and for `--json` also an object.
pub(crate) fn fail(failure: &str, exit_code: u8) {
    to_stderr(failure);
    if json::is_chosen() {
        Record::Error { message: failure, exit_code }.print();
    }
}

/// Prints that a server is ready.
pub(crate) fn serving(root: &Path, address: &str) {
    if json::is_chosen() {
        Record::Serving { root: root.display().to_string(), address: address.to_string() }.print();
    } else {
        to_stdout(format_args!("serving {} on {address}", root.display()));
    }
}

/// The command that makes such a request.
pub(crate) fn command(transfer: Transfer) -> &'static str {
    match transfer {
        Transfer::Upload => "put",
        Transfer::Download => "get",
    }
}

/// The result of a transfer, without its amount: "stored 3 files on 192.0.2.1:6969".
pub(crate) fn transferred(transfer: Transfer, what: &str, server: impl Display) -> String {
    match transfer {
        Transfer::Upload => format!("stored {what} on {server}"),
        Transfer::Download => format!("received {what} from {server}"),
    }
}

/// Formats an amount of data with its time and rate: "10.00 MiB in 1.25 s (8.00 MiB/s)". A few bytes in a short time
/// have no rate.
pub(crate) fn amount(bytes: u64, took: Duration) -> String {
    /// The least amount with a rate, unless the transfer took a second.
    const LEAST: u64 = 64 << 10;
    let micros = took.as_micros().max(1);
    let rate = u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(micros)).unwrap_or(u64::MAX);
    let amount = format!("{} in {}", HumanBytes(bytes), duration(took));
    let has_rate = bytes >= LEAST || micros >= 1_000_000;
    if has_rate { format!("{amount} ({}/s)", HumanBytes(rate)) } else { amount }
}

/// A number of things: "1 file", "3 files".
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The verb behind a number of things.
pub(crate) fn was_or_were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// The pronoun for a number of things.
pub(crate) fn it_or_them(count: u64) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

/// Formats a duration: "1.25 s", "6 ms", "0.4 ms".
pub(crate) fn duration(took: Duration) -> String {
    match took.as_micros() {
        micros @ 0..1_000 => format!("0.{} ms", micros / 100),
        micros @ 1_000..1_000_000 => format!("{} ms", micros / 1_000),
        micros => format!("{}.{:02} s", micros / 1_000_000, micros / 10_000 % 100),
    }
}

/// The reason for the early end of a connection.
pub(crate) fn end_reason(reason: Option<CloseReason>) -> Cow<'static, str> {
    let text = match reason {
        Some(reason @ CloseReason::Version { .. }) => return reason.to_string().into(),
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
    };
    text.into()
}

/// The outcome of a request at a server. `detail` is the message of the server's operating system.
pub(crate) fn request_outcome(outcome: Outcome, reason: Option<CloseReason>, detail: Option<&str>) -> String {
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    let says_all = |code| {
        use ErrorCode::{Exists, NoReplace, NoSuchFile, PrefixGone, TakenOver};
        matches!(code, NoSuchFile | Exists | PrefixGone | NoReplace | TakenOver)
    };
    match outcome {
        Outcome::Stored => "stored".into(),
        Outcome::Sent => match reason {
            Some(CloseReason::Finished) => "sent".into(),
            other => format!("sent, but perhaps not all of it arrived: {}", end_reason(other)),
        },
        // A server cancels requests only when it ends.
        Outcome::Refused(ErrorCode::Cancelled) => "not complete: this server was stopped".into(),
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

/// The meaning of an error code from the server, and what the user can do.
pub(crate) fn refusal(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "it did not understand the request; another version, or another --profile?",
        ErrorCode::NoSuchFile => "it has no such file; check the name",
        ErrorCode::TooLarge => "the file is larger than it accepts; ask its operator for a larger --max-size",
        ErrorCode::NameNotAllowed => "it does not allow this name; choose another one",
        ErrorCode::Exists => "it has something of this name and does not replace it; choose another name",
        ErrorCode::NoSpace => "it has no space left; try again later, or tell its operator",
        ErrorCode::StorageFailed => "its storage failed; try again, or tell its operator",
        // SIGTERM ends a server once its transfers have ended.
        ErrorCode::Busy => "it is busy or is ending; try again later",
        ErrorCode::DigestMismatch => "the content did not arrive as it was sent; try again",
        ErrorCode::NotPermitted | ErrorCode::NoUploads | ErrorCode::NoDownloads | ErrorCode::NoFolders => {
            "its options, or the permissions of its files, do not permit that; ask its operator"
        }
        ErrorCode::Cancelled => "it was stopped there; try again later",
        ErrorCode::NoReplace => "it has a file of this name, and replaces none (--no-replace); choose another name",
        ErrorCode::PrefixGone => "what was there of it is gone; send it again",
        ErrorCode::TakenOver => "another client has begun to store a file under this name; try again later",
        ErrorCode::Unavailable => "its folder cannot be used any more; tell its operator",
        ErrorCode::Other(_) => "for a reason that this version does not know; try a newer one",
    }
}

/// The same for a path, which may look like a pattern and is a name.
pub(crate) fn refusal_of(path: &str, code: ErrorCode) -> Cow<'static, str> {
    match path_pattern::fault(path).filter(|_| code == ErrorCode::NoSuchFile) {
        Some(fault) => format!("{} (it is no pattern: {fault})", refusal(code)).into(),
        None => refusal(code).into(),
    }
}

/// The refusal of a request for `path`.
pub(crate) fn refused(server: SocketAddr, path: &str, code: ErrorCode) -> String {
    barred(server, code).unwrap_or_else(|| format!("{server} refused \"{path}\": {}", refusal_of(path, code)))
}

/// What a server refuses to every request of a kind. It is not about one path, so that all of them have the same line.
pub(crate) fn barred(server: SocketAddr, code: ErrorCode) -> Option<String> {
    let why = match code {
        ErrorCode::NoUploads => "takes no uploads (--read-only): ask its operator",
        ErrorCode::NoDownloads => "gives neither files nor lists (--write-only): ask its operator",
        ErrorCode::NoFolders => "takes files, but no folders (--write-only): put the files alone, under plain names",
        ErrorCode::Unavailable => {
            "cannot use its folder any more (removed, its disk gone, or its permissions changed): tell its operator"
        }
        _ => return None,
    };
    Some(format!("{server} {why}"))
}

/// The text of an error. The text of a system error is in lower case, without the error number.
pub(crate) fn error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_below_a_second_is_in_milliseconds() {
        let text = |micros| duration(Duration::from_micros(micros));
        let expected = ["0.0 ms", "0.9 ms", "6 ms", "999 ms", "1.00 s", "75.20 s"];
        assert_eq!([0, 999, 6_400, 999_999, 1_000_000, 75_209_999].map(text), expected);
    }

    /// Regression: a server that was ending refused a download since "another client has begun to store a file".
    #[test]
    fn only_an_upload_that_is_taken_over_has_another_client() {
        let server = SocketAddr::from(([192, 0, 2, 1], 6_969));
        let said = |code| refused(server, "a", code);
        assert_eq!(said(ErrorCode::Busy), "192.0.2.1:6969 refused \"a\": it is busy or is ending; try again later");
        assert!(said(ErrorCode::TakenOver).contains(": another client has begun to store a file under this name;"));
        // Only of a name that is not there.
        assert!(!refused(server, "[z-a", ErrorCode::Busy).contains("pattern"));
        assert!(refused(server, "[z-a", ErrorCode::NoSuchFile).contains("it is no pattern"));
    }

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "file")), ["0 files", "1 file", "2 files"]);
        assert_eq!([0, 1, 2].map(was_or_were), ["were", "was", "were"]);
        assert_eq!([0, 1, 2].map(it_or_them), ["them", "it", "them"]);
    }

    #[test]
    fn a_few_bytes_in_a_short_time_have_no_rate() {
        let text = |bytes, millis| amount(bytes, Duration::from_millis(millis));
        assert_eq!(text(2, 6), "2 B in 6 ms");
        assert_eq!(text(10 << 20, 1_250), "10.00 MiB in 1.25 s (8.00 MiB/s)");
        assert_eq!(text(64 << 10, 1), "64.00 KiB in 1 ms (62.50 MiB/s)");
        assert_eq!(text(20 << 10, 20_000), "20.00 KiB in 20.00 s (1.00 KiB/s)");
    }
}
