//! All packets of the protocol.

use super::packet_type::PacketType;
use super::{AckRequest, Options, Sack};
use crate::Seq;

/// A packet, decoded from a datagram or about to be encoded.
///
/// It borrows variable-length fields from the datagram, or from memory of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packet<'a> {
    /// Type 0: opens a connection.
    Connect(Options<'a>),
    /// Type 1: accepts a connection.
    ConnAck(Options<'a>),
    /// Type 2: carries data. A packet with an empty body also takes a number.
    Info {
        /// The sequence number in this direction, from 0.
        number: Seq,
        /// The payload.
        body: &'a [u8],
        /// When the receiver acknowledges (extended mode).
        request: AckRequest,
    },
    /// Type 3: acknowledges one INFO (base mode).
    Ack {
        /// The number of the acknowledged INFO.
        number: Seq,
    },
    /// Type 4: ends the data of its sender.
    Fin,
    /// Type 5: acknowledges FIN.
    FinAck,
    /// Type 6: acknowledges all INFO received so far (extended mode).
    Sack(Sack<'a>),
    /// Type 7: tells a client to repeat its CONNECT with this cookie (extended mode).
    Retry {
        /// 1 to 64 bytes, which the client returns in the COOKIE option.
        cookie: &'a [u8],
    },
    /// Type 8: ends a connection at once (extended mode).
    Reset {
        /// The application's reason.
        code: u8,
    },
    /// Type 9: requests one answer, ECHO or SACK (extended mode).
    Probe {
        /// The value that ECHO returns.
        nonce: u64,
        /// Whether the answer is SACK, which carries the receive window, instead of ECHO.
        for_window: bool,
        /// Bytes that the receiver ignores, which make the datagram longer.
        padding: &'a [u8],
    },
    /// Type 10: answers PROBE (extended mode).
    Echo {
        /// The nonce of the PROBE.
        nonce: u64,
        /// The low 32 bits of the counter of the PROBE.
        counter: u32,
    },
}

/// A packet with the counter of its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Datagram<'a> {
    /// The low 32 bits of the [counter](super#the-counter). `None` in base mode and in packets of the handshake, which
    /// have none.
    pub counter: Option<u32>,
    /// The packet.
    pub packet: Packet<'a>,
}

impl Packet<'_> {
    pub(crate) const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Info { .. } => PacketType::Info,
            Self::Ack { .. } => PacketType::Ack,
            Self::Fin => PacketType::Fin,
            Self::FinAck => PacketType::FinAck,
            Self::Sack(_) => PacketType::Sack,
            Self::Retry { .. } => PacketType::Retry,
            Self::Reset { .. } => PacketType::Reset,
            Self::Probe { .. } => PacketType::Probe,
            Self::Echo { .. } => PacketType::Echo,
        }
    }
}
