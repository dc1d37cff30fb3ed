//! What a client says about a connection that ended before its time, with one request or with many.

use crate::link::Link;
use crate::messages;
use crate::network_error::last_error;
use rdt_proto::connection::CloseReason;
use rdt_proto::files::SessionEnd;
use rdt_proto::ftp::ErrorCode;
use std::io;

/// What the user calls the requests, what has become of their content, and what the user can do.
pub(crate) struct Early<'a> {
    pub(crate) title: &'a str,
    pub(crate) again: &'a str,
    pub(crate) network_error: Option<&'a io::Error>,
}

impl Early<'_> {
    /// Why the session ended on this connection, and how the user can fix it.
    pub(crate) fn text(&self, end: SessionEnd, link: &Link) -> String {
        let Self { title, again, network_error } = *self;
        let (server, reason) = (link.server(), link.connection.ended());
        match end {
            SessionEnd::Lost(Some(code)) => self.ended_with(code, link),
            SessionEnd::Lost(None) if link.is_port_closed() => {
                format!("lost {server} while transferring {title} (its program has ended): {again}")
            }
            SessionEnd::Lost(None) => {
                let reached = link.connection.path().delivered > 0 || reason == Some(CloseReason::NoProgress);
                let hint = if reached { "" } else { ", and no data has reached it; try a smaller --segment" };
                let (reason, network) = (messages::end_reason(reason), last_error(network_error, ("; ", "")));
                format!("lost {server} while transferring {title} ({reason}{hint}{network}): {again}")
            }
            SessionEnd::Closed => format!("{server} closed before the end of {title}: {again}"),
            SessionEnd::Violation => format!("{server} sent an invalid answer: another version or --profile?"),
        }
    }

    fn ended_with(&self, code: ErrorCode, link: &Link) -> String {
        let Self { title, again, .. } = self;
        let server = link.server();
        match code {
            ErrorCode::Busy => format!("{server} refused {title}: {}", messages::refusal(ErrorCode::Busy)),
            ErrorCode::Cancelled => {
                format!("{server} ended the transfer of {title}: it was stopped there: {again}")
            }
            // A limit on the time without progress ends a connection with the same code.
            ErrorCode::Malformed => format!(
                "{server} ended the transfer of {title}: nothing moved for too long, or it did not understand the \
                 request: {again}"
            ),
            code => format!("{server} ended the transfer of {title} ({code}): {again}"),
        }
    }
}
