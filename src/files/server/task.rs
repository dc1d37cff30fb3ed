//! What the sending half does.

use crate::files::outgoing::Outgoing;
use crate::ftp::ErrorCode;

/// What the sending half does.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Idle,
    /// Storage gets the request next.
    Ask,
    Asked,
    Send(Outgoing),
    /// Storage gets the request for the next entry next.
    NextEntry,
    EntryAsked,
    /// ERROR follows.
    Refuse(ErrorCode),
}

impl Task {
    /// Whether storage works on a request. Its answer is the next message.
    pub(super) const fn awaits_storage(&self) -> bool {
        match self {
            Self::Asked | Self::EntryAsked => true,
            Self::Send(outgoing) => outgoing.is_asked(),
            Self::Idle | Self::Ask | Self::NextEntry | Self::Refuse(_) => false,
        }
    }
}
