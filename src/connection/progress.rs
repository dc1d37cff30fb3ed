//! Data without progress: the peer answers, but acknowledges nothing new.
//!
//! Each packet of the peer restarts the idle limit. A path that carries PROBE and SACK, but drops every larger datagram,
//! would therefore keep a connection open that can never deliver its data.

/// The number of timeouts without progress that ends a connection.
///
/// On a path that loses half of all packets or answers, twenty transmissions in a row fail once in a million packets.
/// With the defaults they take two minutes.
const MAX_TIMEOUTS: u8 = 20;

/// Counts the timeouts of data since the last acknowledgement of anything new.
///
/// A timeout counts only if the peer was heard since the one before: the idle limit decides about silence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Progress {
    timeouts: u8,
    heard: bool,
}

impl Progress {
    /// Records a valid packet of the peer.
    pub(super) fn on_heard(&mut self) {
        self.heard = true;
    }

    /// Records that new data was acknowledged.
    pub(super) fn on_acknowledged(&mut self) {
        self.timeouts = 0;
    }

    /// Records a timeout of data. Returns whether to give up.
    pub(super) fn on_timeout(&mut self) -> bool {
        self.timeouts = self.timeouts.saturating_add(self.heard.into());
        self.heard = false;
        self.timeouts >= MAX_TIMEOUTS
    }
}
