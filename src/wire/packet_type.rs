//! The packet types and their attributes, as a table.

/// The type of a packet, whatever its byte in a framing. The value is the type byte in a framing whose types start at
/// 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PacketType {
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

/// Base mode has the packet.
const BASE: u8 = 1;
/// Extended mode has it under the common prefix: the peer's tag is not yet known.
const PREFIX: u8 = 1 << 1;
/// Extended mode has it under the tag of the receiver.
const TAG: u8 = 1 << 2;
/// It carries a counter in extended mode.
const COUNTER: u8 = 1 << 3;
/// A client sends it.
const CLIENT: u8 = 1 << 4;
/// A server sends it.
const SERVER: u8 = 1 << 5;
/// Its fields are options.
const OPTIONS: u8 = 1 << 6;

impl PacketType {
    /// Every type, in the order of the codes.
    const ALL: [Self; 11] = [
        Self::Connect,
        Self::ConnAck,
        Self::Info,
        Self::Ack,
        Self::Fin,
        Self::FinAck,
        Self::Sack,
        Self::Retry,
        Self::Reset,
        Self::Probe,
        Self::Echo,
    ];

    #[rustfmt::skip]
    const fn attributes(self) -> u8 {
        match self {
            Self::Connect => BASE | PREFIX        | CLIENT          | OPTIONS,
            Self::ConnAck => BASE | TAG                    | SERVER | OPTIONS,
            Self::Info    => BASE | TAG | COUNTER | CLIENT | SERVER,
            Self::Ack     => BASE                 | CLIENT | SERVER,
            Self::Fin     => BASE | TAG | COUNTER | CLIENT | SERVER,
            Self::FinAck  => BASE | TAG | COUNTER | CLIENT | SERVER,
            Self::Sack    =>        TAG | COUNTER | CLIENT | SERVER,
            Self::Retry   =>        TAG                    | SERVER,
            Self::Reset   =>        TAG | COUNTER | CLIENT | SERVER,
            Self::Probe   =>        TAG | COUNTER | CLIENT | SERVER,
            Self::Echo    =>        TAG | COUNTER | CLIENT | SERVER,
        }
    }

    const fn has(self, attribute: u8) -> bool {
        self.attributes() & attribute != 0
    }

    /// The type byte in a framing whose types start at 0.
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    pub(super) const fn has_options(self) -> bool {
        self.has(OPTIONS)
    }

    /// Whether base mode has the packet.
    pub(crate) const fn is_in_base_mode(self) -> bool {
        self.has(BASE)
    }

    /// Whether extended mode has the packet, under the tag of the receiver.
    pub(crate) const fn is_tagged(self) -> bool {
        self.has(TAG)
    }

    /// Whether the packet carries a counter in extended mode.
    pub(crate) const fn is_counted(self) -> bool {
        self.has(COUNTER)
    }

    /// Whether extended mode has the packet, under the common prefix.
    pub(crate) const fn comes_before_tags(self) -> bool {
        self.has(PREFIX)
    }

    /// Whether a client sends the packet.
    pub(crate) const fn is_sent_by_client(self) -> bool {
        self.has(CLIENT)
    }

    /// Whether a server sends the packet.
    pub(crate) const fn is_sent_by_server(self) -> bool {
        self.has(SERVER)
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
    fn base_mode_has_the_first_six_types() {
        for code in 0..=10 {
            assert_eq!(PacketType::from_code(code).unwrap().is_in_base_mode(), code < 6);
        }
    }

    #[test]
    fn each_type_has_a_sender_and_a_mode_that_carries_it() {
        for packet_type in PacketType::ALL {
            assert!(packet_type.is_sent_by_client() || packet_type.is_sent_by_server());
            assert!(packet_type.is_in_base_mode() || packet_type.is_tagged(), "{packet_type:?}");
        }
    }
}
