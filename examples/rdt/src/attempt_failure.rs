//! Why an attempt to connect failed, and what the user can do.

use crate::link::Link;
use crate::messages;
use rdt_proto::connection::CloseReason;
use rdt_proto::ftp::ErrorCode;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server answered with this code.
    Refused(ErrorCode),
    /// The connection ended for another reason.
    Ended(CloseReason),
    ClosedPort,
    Silent,
    /// The same in base mode, where a server has no answer for those that it does not admit.
    SilentInBaseMode,
    /// No connection could be made on this machine.
    NotStarted(String),
}

impl Failure {
    /// The failure of a connection that has ended. `None` if it has not.
    pub(crate) fn of(link: &Link, is_base_mode: bool) -> Option<Self> {
        Some(match link.connection.ended()? {
            CloseReason::Refused { code } => Self::Refused(code.into()),
            CloseReason::HandshakeTimedOut if is_base_mode => Self::SilentInBaseMode,
            CloseReason::HandshakeTimedOut => Self::Silent,
            _ if link.is_port_closed() => Self::ClosedPort,
            reason => Self::Ended(reason),
        })
    }

    /// How much the failure says about the server. The largest is reported.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Self::Refused(_) => 4,
            Self::Ended(_) => 3,
            Self::ClosedPort => 2,
            Self::Silent | Self::SilentInBaseMode => 1,
            Self::NotStarted(_) => 0,
        }
    }

    /// The failure at `servers`, and how the user can fix it.
    pub(crate) fn text(&self, servers: &str, request: &str, network: &str) -> String {
        match self {
            Self::Refused(ErrorCode::NotPermitted) => {
                format!("{servers} does not admit the address of this machine (--allow): ask its operator")
            }
            Self::Refused(code) => format!("{servers} refused {request}: {}", messages::refusal(*code)),
            Self::Ended(reason) => {
                let advice = match reason {
                    CloseReason::Version { .. } => "use the same version of rdt on both sides",
                    _ => "try again",
                };
                format!("no connection to {servers}: {}{network}: {advice}", messages::end_reason(Some(*reason)))
            }
            Self::ClosedPort => format!("nothing listens on {servers}: start the server there, or give its port"),
            Self::Silent => {
                format!(
                    "no answer from {servers}{network}: is a server running there, on this port? One that was started \
                     with --profile rostov answers only clients with the same option"
                )
            }
            Self::SilentInBaseMode => format!(
                "no answer from {servers}{network}: is a server running there, on this port, with --profile rostov? \
                 One without it answers only clients without it, and one in base mode cannot say that it does not \
                 admit this address (--allow)"
            ),
            Self::NotStarted(why) => format!("cannot connect to {servers}: {why}: try again"),
        }
    }
}
