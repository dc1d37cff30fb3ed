//! The objects of `--json`, one on a line of the standard output. README documents them.

use crate::escape::is_unprintable;
use crate::output::{self, Stream};
use rdt_proto::Duration;
use serde::Serialize;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the standard output has objects instead of text.
static CHOSEN: AtomicBool = AtomicBool::new(false);

/// Lets the standard output have objects instead of text.
pub(crate) fn choose() {
    CHOSEN.store(true, Ordering::Relaxed);
}

pub(crate) fn is_chosen() -> bool {
    CHOSEN.load(Ordering::Relaxed)
}

/// An object. Fields are added to it, but none is removed or gets another meaning.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Record<'a> {
    /// Content is moving: once a second.
    Progress {
        request: &'static str,
        name: &'a str,
        bytes: u64,
        length: Option<u64>,
        bytes_per_second: Option<u64>,
        round_trip_seconds: Option<f64>,
        loss_percent: Option<f64>,
    },
    /// A put or get has succeeded: the last line.
    Result { request: &'static str, name: &'a str, file: String, server: String, bytes: u64, seconds: f64 },
    /// Both sides have a file already, which is not transferred.
    Skipped { request: &'static str, name: &'a str },
    /// All of several requests: the last line.
    Sum { request: &'static str, files: u64, folders: u64, skipped: u64, failed: u64, bytes: u64, seconds: f64 },
    /// An entry of a list.
    Entry { path: &'a str, kind: &'static str, bytes: u64, modified: Option<String> },
    /// A client of a load test has failed.
    ClientError { client: usize, message: &'a str },
    /// The result of a load test.
    Load { clients: usize, equal: usize, bytes: u64, seconds: f64, client_seconds: Option<Spread> },
    /// A server is ready.
    Serving { root: String, address: String },
    /// A server has ended a request.
    Request {
        time: String,
        client: Option<String>,
        request: Option<&'static str>,
        name: Option<&'a str>,
        ok: bool,
        message: &'a str,
        bytes: u64,
        seconds: f64,
    },
    /// The result of a measurement. Times are those of small requests, alone and beside each transfer.
    Bench {
        up_bits_per_second: u64,
        down_bits_per_second: u64,
        idle: Requests,
        beside_up: Requests,
        beside_down: Requests,
    },
    /// The command has failed: the last line.
    Error { message: &'a str, exit_code: u8 },
}

/// The times of small requests, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Requests {
    pub(crate) count: usize,
    pub(crate) median: f64,
    pub(crate) percentile_99: f64,
    pub(crate) most: f64,
}

/// How the times of the clients of a load test are spread.
#[derive(Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) percentile_99: f64,
    pub(crate) most: f64,
}

impl Record<'_> {
    pub(crate) fn print(&self) {
        output::print_object(Stream::Stdout, &self.line());
    }

    /// The object on one line of printable characters.
    pub(crate) fn line(&self) -> String {
        // Only a map whose keys are not strings cannot be written, and there is none.
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut line = String::with_capacity(text.len());
        for char in text.chars() {
            // They are in strings.
            if is_unprintable(char) {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            } else {
                line.push(char);
            }
        }
        line
    }
}

/// Seconds to the microsecond. A single division gives the number with at most six decimals that is nearest.
#[allow(clippy::cast_precision_loss, reason = "the microseconds of 285 years are exact")]
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

/// A percentage to two decimals.
pub(crate) fn percent(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_line_of_printable_characters() {
        let name = "a\"b\\c\n\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{200b}\u{e0041}\u{e9}\u{1f600}";
        let record = Record::ClientError { client: 1, message: name };
        let line = record.line();
        assert!(!line.contains(is_unprintable), "{line:?}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], name);
        assert_eq!((&value["type"], &value["client"]), (&"client_error".into(), &1.into()));
    }

    #[test]
    fn seconds_keep_the_microseconds() {
        assert_eq!(seconds(Duration::from_micros(1_000_001)).to_string(), "1.000001");
        // Regression: the sum of seconds and their fraction was 1.5417969999999999.
        for micros in (0..5_000_000).step_by(997).chain([1_541_797, u64::from(u32::MAX)]) {
            let text = seconds(Duration::from_micros(micros)).to_string();
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            assert!(decimals <= 6, "{micros}: {text}");
        }
    }

    /// Regression: all digits of a quotient were printed.
    #[test]
    fn a_percentage_has_two_decimals() {
        let texts = [0.0, 100.0 / 3.0, 0.004, 12.345_678, 100.0].map(|value| percent(value).to_string());
        assert_eq!(texts, ["0", "33.33", "0", "12.35", "100"]);
    }
}
