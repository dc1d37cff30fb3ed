//! The answers to the requests of a client, with everything that they refer to.

use super::client::ClientExchange;
use super::ended::{Failure, Success};
use crate::files::{Detail, EntryBuf, StatusBuf};
use rdt_proto::files::{self, SessionEnd, SessionEvent};
use rdt_proto::ftp::{ErrorCode, StorageError};

pub(crate) enum Answer {
    Confirmed {
        number: u32,
        bytes: u64,
        /// Whether more was written to the end of the file meanwhile.
        has_grown: bool,
    },
    Refused {
        number: u32,
        code: ErrorCode,
    },
    /// The content could not be read.
    NotSent {
        number: u32,
        why: Detail,
    },
    Received {
        number: u32,
        bytes: u64,
    },
    NotReceived {
        number: u32,
        failure: NotReceived,
    },
    Status {
        number: u32,
        status: StatusBuf,
    },
    Entry {
        number: u32,
        entry: EntryBuf,
    },
    Listed {
        number: u32,
        has_more: bool,
    },
    /// The server refuses further requests.
    Leaving,
    Ended {
        unanswered: usize,
        end: SessionEnd,
    },
}

/// Why a file did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotReceived {
    /// This side could not store it.
    Storage(StorageError, String),
    /// It is stored, but perhaps not durable.
    Uncertain(String),
    /// The server has ended it.
    Server(ErrorCode),
    /// It is not what was announced.
    Invalid,
    Ended,
}

impl Answer {
    /// The next answer.
    pub(super) fn poll(exchange: &mut ClientExchange) -> Option<Self> {
        Some(match exchange.session.poll_event()? {
            SessionEvent::Confirmed { number } => {
                let ended = exchange.take_ended(number);
                let (bytes, result) = ended.map_or((0, None), |ended| (ended.bytes, ended.result.ok()));
                let has_grown = matches!(result, Some(Success::Sent { has_grown: true }));
                Self::Confirmed { number, bytes, has_grown }
            }
            SessionEvent::Refused { number, code } => {
                exchange.take_ended(number);
                Self::Refused { number, code }
            }
            SessionEvent::NotSent { number, error } => {
                let why = match exchange.take_ended(number).map(|ended| ended.result) {
                    Some(Err(Failure::Storage(_, detail))) => detail,
                    _ => Detail { text: error.to_string() },
                };
                Self::NotSent { number, why }
            }
            SessionEvent::Received { number } => {
                Self::Received { number, bytes: exchange.take_ended(number).map_or(0, |ended| ended.bytes) }
            }
            SessionEvent::NotReceived { number, failure } => {
                let detail = match exchange.take_ended(number).map(|ended| ended.result) {
                    Some(Err(Failure::Storage(_, detail) | Failure::Uncertain(_, detail))) => Some(detail.text),
                    _ => None,
                };
                let text = |error: StorageError| detail.unwrap_or_else(|| error.to_string());
                let failure = match failure {
                    files::Failure::Storage(StorageError::DigestMismatch) | files::Failure::Length => {
                        NotReceived::Invalid
                    }
                    files::Failure::Storage(error) => NotReceived::Storage(error, text(error)),
                    files::Failure::Uncertain(error) => NotReceived::Uncertain(text(error)),
                    files::Failure::Server(code) => NotReceived::Server(code),
                    files::Failure::Ended => NotReceived::Ended,
                };
                Self::NotReceived { number, failure }
            }
            SessionEvent::Status { number, status } => Self::Status { number, status: StatusBuf::from(status) },
            SessionEvent::Entry { number, entry } => Self::Entry { number, entry: EntryBuf::from(entry) },
            SessionEvent::Listed { number, has_more } => Self::Listed { number, has_more },
            SessionEvent::Leaving { .. } => Self::Leaving,
            SessionEvent::Ended { unanswered, end } => Self::Ended { unanswered, end },
        })
    }
}
