//! The packet types and their attributes, as a table.

/// The type of a packet, whatever its byte in a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// How extended mode frames a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extended {
    /// Extended mode does not have the packet.
    Absent,
    /// Under the common prefix: the peer's tag is not yet known.
    UnderPrefix,
    /// Under the tag of the receiver, before both sides know both tags.
    Handshake,
    /// Under the tag of the receiver, with a counter.
    Counted,
}

/// The side that sends a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Server,
    Both,
}

struct Attributes {
    code: u8,
    in_base_mode: bool,
    extended: Extended,
    sender: Sender,
    has_options: bool,
}

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
    const fn attributes(self) -> Attributes {
        const fn row(
            code: u8, in_base_mode: bool, extended: Extended, sender: Sender, has_options: bool,
        ) -> Attributes {
            Attributes { code, in_base_mode, extended, sender, has_options }
        }
        match self {
            //                    code  base   extended               sender          options
            Self::Connect => row( 0,   true,  Extended::UnderPrefix, Sender::Client, true),
            Self::ConnAck => row( 1,   true,  Extended::Handshake,   Sender::Server, true),
            Self::Info    => row( 2,   true,  Extended::Counted,     Sender::Both,   false),
            Self::Ack     => row( 3,   true,  Extended::Absent,      Sender::Both,   false),
            Self::Fin     => row( 4,   true,  Extended::Counted,     Sender::Both,   false),
            Self::FinAck  => row( 5,   true,  Extended::Counted,     Sender::Both,   false),
            Self::Sack    => row( 6,   false, Extended::Counted,     Sender::Both,   false),
            Self::Retry   => row( 7,   false, Extended::Handshake,   Sender::Server, false),
            Self::Reset   => row( 8,   false, Extended::Counted,     Sender::Both,   false),
            Self::Probe   => row( 9,   false, Extended::Counted,     Sender::Both,   false),
            Self::Echo    => row(10,   false, Extended::Counted,     Sender::Both,   false),
        }
    }

    /// The type byte in a framing whose types start at 0.
    pub(super) const fn code(self) -> u8 {
        self.attributes().code
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    pub(super) const fn has_options(self) -> bool {
        self.attributes().has_options
    }

    /// Whether base mode has the packet.
    pub(crate) const fn is_in_base_mode(self) -> bool {
        self.attributes().in_base_mode
    }

    /// Whether extended mode has the packet, under the tag of the receiver.
    pub(crate) const fn is_tagged(self) -> bool {
        matches!(self.attributes().extended, Extended::Handshake | Extended::Counted)
    }

    /// Whether the packet carries a counter in extended mode.
    pub(crate) const fn is_counted(self) -> bool {
        matches!(self.attributes().extended, Extended::Counted)
    }

    /// Whether extended mode has the packet, under the common prefix.
    pub(crate) const fn comes_before_tags(self) -> bool {
        matches!(self.attributes().extended, Extended::UnderPrefix)
    }

    /// Whether a client sends the packet.
    pub(crate) const fn is_sent_by_client(self) -> bool {
        matches!(self.attributes().sender, Sender::Client | Sender::Both)
    }

    /// Whether a server sends the packet.
    pub(crate) const fn is_sent_by_server(self) -> bool {
        matches!(self.attributes().sender, Sender::Server | Sender::Both)
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
