//! The calls that the input of a fuzzer describes.
//!
//! Seeds depend on the order of variants and fields, so a new variant goes last.

use super::choice::{AnyParameters, Part};
use arbitrary::Arbitrary;
use rdt_proto::wire::{AckRequest, Packet, SackDelay, Tag};

/// A call of the connection, or an advance of the clock.
#[derive(Arbitrary, Debug)]
pub(super) enum Call<'a> {
    Datagram {
        later_us: u32,
        datagram: &'a [u8],
    },
    Arrive {
        later_us: u32,
        under: Under,
        arrival: Arrival<'a>,
    },
    Timeout {
        later_us: u32,
    },
    TimeoutWhenDue,
    Leap {
        hours: u16,
    },
    Earlier {
        by_us: u16,
    },
    Transmit {
        later_us: u16,
        room: u8,
    },
    Drain,
    Event,
    Send(&'a [u8]),
    SendSegment(&'a [u8]),
    Slot,
    Commit(u16),
    Recv(u8),
    Consume(u16),
    Close,
    Abort(u8),
    TakeStats,
    /// A datagram that arrives. The application takes up to `most` bytes of its data at once.
    DatagramInto {
        later_us: u32,
        most: u8,
        under: Under,
        arrival: Arrival<'a>,
    },
    TransmitBatch {
        max_datagrams: u8,
        room: u16,
    },
    /// The caller lends other memory.
    Replace {
        part: Part,
        places: u8,
    },
    Promise(u16),
    /// The socket refuses a datagram of this length.
    TooLarge(u16),
    Leave,
}

/// How a packet is framed.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Under {
    /// Under the connection's own tag if it has one, otherwise under the profile's prefix.
    Ours,
    Profile,
    Foreign(Tag),
}

/// A packet that arrives. Its numbers are relative to those that the connection expects.
#[derive(Arbitrary, Debug)]
pub(super) enum Arrival<'a> {
    Any(Packet<'a>),
    Connect(AnyParameters),
    ConnAck(AnyParameters),
    Info {
        ahead: i8,
        request: AckRequest,
        body: &'a [u8],
    },
    Ack {
        ahead: i8,
    },
    Sack {
        next: i8,
        window: u8,
        latest: i8,
        /// How many datagrams before the last one its INFO was.
        ago: u8,
        delay: SackDelay,
        base: i8,
        bitmap: &'a [u8],
    },
    /// The nonce of the PROBE that was sent `ago` probes before the last one.
    Echo {
        ago: u8,
    },
}
