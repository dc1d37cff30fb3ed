//! The packets.

use super::packet_type::PacketType;
use super::{Options, Sack};
use crate::Seq;

/// A packet. What it borrows is the datagram that it was decoded from, or memory of whoever is about to encode it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packet<'a> {
    /// Type 0: open a connection.
    Connect(Options<'a>),
    /// Type 1: the connection is accepted.
    ConnAck(Options<'a>),
    /// Type 2: data, or nothing; even an empty body takes a number.
    Info {
        /// Its place among the INFO of this direction, from 0.
        number: Seq,
        /// The payload.
        body: &'a [u8],
    },
    /// Type 3: this one INFO has been received (base mode).
    Ack {
        /// The number of that INFO.
        number: Seq,
    },
    /// Type 4: I will send no more.
    Fin,
    /// Type 5: FIN has been received.
    FinAck,
    /// Type 6: what has been received so far (extended mode).
    Sack(Sack<'a>),
    /// Type 7: try again with this cookie (extended mode).
    Retry {
        /// 1 to 64 bytes.
        cookie: &'a [u8],
    },
    /// Type 8: the connection has ended at once (extended mode).
    Reset {
        /// The application's reason.
        code: u8,
    },
    /// Type 9: answer with ECHO, and with a SACK (extended mode).
    Probe {
        /// To be handed back.
        nonce: u64,
        /// Ignored by the receiver.
        padding: &'a [u8],
    },
    /// Type 10: the answer to PROBE (extended mode).
    Echo {
        /// That of the PROBE.
        nonce: u64,
    },
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
