//! The packets.

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
    pub(super) const fn packet_type(&self) -> PacketType {
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

/// The type of a packet, whatever byte stands for it in a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketType {
    Connect,
    ConnAck,
    Info,
    Ack,
    Fin,
    FinAck,
    Sack,
    Retry,
    Reset,
    Probe,
    Echo,
}

impl PacketType {
    /// Its distance from the first type.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Connect => 0,
            Self::ConnAck => 1,
            Self::Info => 2,
            Self::Ack => 3,
            Self::Fin => 4,
            Self::FinAck => 5,
            Self::Sack => 6,
            Self::Retry => 7,
            Self::Reset => 8,
            Self::Probe => 9,
            Self::Echo => 10,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Connect,
            1 => Self::ConnAck,
            2 => Self::Info,
            3 => Self::Ack,
            4 => Self::Fin,
            5 => Self::FinAck,
            6 => Self::Sack,
            7 => Self::Retry,
            8 => Self::Reset,
            9 => Self::Probe,
            10 => Self::Echo,
            11.. => return None,
        })
    }

    pub(super) const fn is_in_base_mode(self) -> bool {
        match self {
            Self::Connect | Self::ConnAck | Self::Info | Self::Ack | Self::Fin | Self::FinAck => true,
            Self::Sack | Self::Retry | Self::Reset | Self::Probe | Self::Echo => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_types_are_one_to_one() {
        for code in 0..=u8::MAX {
            let packet_type = PacketType::from_code(code);
            assert_eq!(packet_type.is_some(), code <= 10);
            assert!(packet_type.is_none_or(|packet_type| packet_type.code() == code));
        }
    }

    #[test]
    fn base_mode_has_the_first_six() {
        for code in 0..=10 {
            assert_eq!(PacketType::from_code(code).unwrap().is_in_base_mode(), code < 6);
        }
    }
}
