//! Data without progress: the peer answers, but acknowledges nothing new.
//!
//! Each packet of the peer restarts the idle limit. A path that carries PROBE and SACK, but drops every larger
//! datagram, would therefore keep a connection open that can never deliver its data.

/// The number of timeouts without progress that ends a connection.
///
/// On a path that loses half of all packets or answers, twenty transmissions in a row fail once in a million packets.
/// With the defaults they take two minutes.
const MAX_TIMEOUTS: u8 = 20;

/// The number of timeouts without progress after which the datagrams are probably too large for the path (RFC 8899
/// §4.3).
const BLACK_HOLE_TIMEOUTS: u8 = 3;

/// The most timeouts of one silence that count: the idle limit decides about silence.
///
/// A peer that only keeps the connection alive is heard each half of the idle limit. Two of the longest timeouts fit
/// between. An outage alone is no black hole.
const MOST_OF_SILENCE: u8 = 2;
const _: () = assert!(MOST_OF_SILENCE < BLACK_HOLE_TIMEOUTS);

/// Counts the timeouts of data since the last acknowledgement of anything new.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Progress {
    timeouts: u8,
    /// Timeouts since the last packet of the peer.
    silent: u8,
}

/// What the timeouts without progress mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// Probably losses.
    Losses,
    /// The path probably drops datagrams of this size.
    BlackHole,
    /// Nothing gets through: give up.
    Over,
}

impl Progress {
    /// Records a valid packet of the peer.
    pub(super) fn on_heard(&mut self) {
        self.silent = 0;
    }

    /// Records that new data was acknowledged.
    pub(super) fn on_acknowledged(&mut self) {
        self.timeouts = 0;
    }

    /// Records a timeout of data.
    pub(super) fn on_timeout(&mut self) -> Stall {
        let counts = self.silent < MOST_OF_SILENCE;
        self.silent = self.silent.saturating_add(1);
        self.timeouts = self.timeouts.saturating_add(counts.into());
        match self.timeouts {
            MAX_TIMEOUTS.. => Stall::Over,
            BLACK_HOLE_TIMEOUTS if counts => Stall::BlackHole,
            _ => Stall::Losses,
        }
    }
}
