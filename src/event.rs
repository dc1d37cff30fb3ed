//! What both protocols tell their callers.

use bitflags::bitflags;

/// The side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that opened the connection.
    Client,
    /// The side that accepted it.
    Server,
}

/// `len` bytes of datagrams were written into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "what poll_transmit wrote counts as sent"]
pub struct Transmit {
    /// How many bytes were written.
    pub len: usize,
    /// The size of each datagram in it but the last, which may be shorter: what segmentation offload (GSO) takes.
    pub segment_size: usize,
}

bitflags! {
    /// The events that are pending, derived from what happened: none is there twice.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Events: u8 {
        const CONNECTED = 1;
        const READABLE = 1 << 1;
        const WRITABLE = 1 << 2;
        const PEER_CLOSED = 1 << 3;
        const CLOSED = 1 << 4;
    }
}

/// One event of those that are pending. Each protocol has its own public events, and its own reasons for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Connected,
    Readable,
    Writable,
    PeerClosed,
    Closed,
}

impl Events {
    /// The order in which events are polled.
    const ORDER: [(Self, EventKind); 5] = [
        (Self::CONNECTED, EventKind::Connected),
        (Self::READABLE, EventKind::Readable),
        (Self::WRITABLE, EventKind::Writable),
        (Self::PEER_CLOSED, EventKind::PeerClosed),
        (Self::CLOSED, EventKind::Closed),
    ];

    /// Takes the first pending event.
    pub(crate) fn take_first(&mut self) -> Option<EventKind> {
        let (flag, kind) = Self::ORDER.into_iter().find(|&(flag, _)| self.contains(flag))?;
        self.remove(flag);
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pending_event_is_taken_once_and_the_last_is_the_end() {
        let mut events = Events::all();
        let taken: std::vec::Vec<_> = core::iter::from_fn(|| events.take_first()).collect();
        assert_eq!(taken, Events::ORDER.map(|(_, kind)| kind));
        assert!(events.is_empty());
    }
}
