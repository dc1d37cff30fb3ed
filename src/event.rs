//! Roles, transmits and pending events, for both protocols.

use bitflags::bitflags;

/// The side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that opened the connection.
    Client,
    /// The side that accepted the connection.
    Server,
}

/// The datagrams that one call has written into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "the machine counts these datagrams as sent"]
pub struct Transmit {
    /// The number of bytes written, over all datagrams.
    pub len: usize,
    /// The size of each datagram but the last, which may be shorter.
    ///
    /// If there is only one datagram, it equals [`len`](Self::len). Pass it to the kernel for generic segmentation
    /// offload (GSO).
    pub segment_size: usize,
}

bitflags! {
    /// The set of pending events. A kind of event is pending at most once.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Events: u8 {
        const CONNECTED = 1;
        const READABLE = 1 << 1;
        const WRITABLE = 1 << 2;
        const PEER_CLOSED = 1 << 3;
        const CLOSED = 1 << 4;
        /// Not an event. A write found no room for all of its data. Once there is room, WRITABLE becomes pending.
        const BLOCKED = 1 << 5;
    }
}

/// The kind of a pending event.
///
/// Each protocol has its own public events and close reasons.
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

    /// Whether an event is pending.
    pub(crate) const fn is_any_pending(self) -> bool {
        !self.difference(Self::BLOCKED).is_empty()
    }

    /// Removes the first pending event and returns its kind.
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
    fn each_pending_event_is_taken_once_and_closed_is_the_last() {
        let mut events = Events::all();
        assert!(events.is_any_pending());
        let taken: std::vec::Vec<_> = core::iter::from_fn(|| events.take_first()).collect();
        assert_eq!(taken, Events::ORDER.map(|(_, kind)| kind));
        assert_eq!(events, Events::BLOCKED);
        assert!(!events.is_any_pending());
    }
}
