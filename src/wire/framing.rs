//! The prefix and the type byte, which precede the fields of every packet.

use super::packet_type::PacketType;
use super::{FramingError, MAX_DATAGRAM, Tag};
use crate::copy::copy;

/// The framing of the datagrams of *one direction*.
///
/// It defines the prefix of 1 to 8 bytes, the type byte of each packet, and which packets exist. The
/// [table](super#the-protocol-on-the-wire) lists all framings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Framing {
    /// The prefix, followed by zeros.
    prefix: [u8; 8],
    /// The length of the prefix in bytes, 1 to 8.
    prefix_len: u8,
    types: Types,
}

/// The type bytes of a framing, and the fields that all its packets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Types {
    /// Types from `00`.
    Binary,
    /// Types from `'0'`, packets of base mode only.
    Ascii,
    /// Types from `00`, with flags, a counter after the type, and a request in INFO.
    Counted,
}

/// The type byte of CONNECT in a framing with ASCII types.
const ASCII_TYPES: u8 = b'0';
/// The bit of the type byte of a counted INFO or PROBE that asks for an acknowledgement at once.
const AT_ONCE: u8 = 0x40;
/// The length of a counter in bytes.
const COUNTER_BYTES: usize = size_of::<u32>();

impl Framing {
    /// The default framing: prefix `RDT1`, types from `00`.
    pub const NOTE: Self = Self { prefix: *b"RDT1\0\0\0\0", prefix_len: 4, types: Types::Binary };

    /// The framing of the Python implementation: prefix `ROSTOV`, ASCII types `'0'` to `'5'`.
    ///
    /// It has base mode only, without options.
    pub const ROSTOV: Self = Self { prefix: *b"ROSTOV\0\0", prefix_len: 6, types: Types::Ascii };

    /// [`Framing::NOTE`] with a prefix of the application's own.
    ///
    /// The prefix separates applications that share a port or a radio channel.
    ///
    /// # Errors
    ///
    /// If the prefix does not have 1 to 8 bytes.
    pub fn with_prefix(prefix: &[u8]) -> Result<Self, FramingError> {
        let len = prefix.len();
        let mut padded = [0; 8];
        match padded.get_mut(..len) {
            Some(place) if !place.is_empty() => copy(prefix, place),
            Some(_) | None => return Err(FramingError { len }),
        }
        let prefix_len = u8::try_from(len).map_err(|_| FramingError { len })?;
        Ok(Self { prefix: padded, prefix_len, types: Types::Binary })
    }

    /// The framing of extended mode towards the side that chose `tag`: prefix `tag`, types from `00`, then a counter.
    #[must_use]
    pub const fn tagged(tag: Tag) -> Self {
        Self { prefix: *tag.as_bytes(), prefix_len: 8, types: Types::Counted }
    }

    /// The bytes that every datagram starts with.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        self.prefix.get(..self.prefix_len.into()).unwrap_or(&self.prefix)
    }

    /// The prefix, followed by zeros.
    pub(super) const fn padded_prefix(&self) -> [u8; 8] {
        self.prefix
    }

    /// Whether the framing has only the packets of base mode, without options.
    #[must_use]
    pub const fn is_base_only(&self) -> bool {
        matches!(self.types, Types::Ascii)
    }

    /// The length of prefix and type, in bytes. A [counter](super#the-counter) is not part of it.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        (self.prefix_len as usize).saturating_add(1)
    }

    /// The length of an INFO without its body, in bytes.
    #[must_use]
    pub const fn info_header_len(&self) -> usize {
        let request = if self.has_flags() { size_of::<u8>() } else { 0 };
        let header = self.counted_header_len(PacketType::Info).saturating_add(request);
        header.saturating_add(size_of::<u16>()).saturating_add(size_of::<u32>())
    }

    /// The length of the longest body that an INFO of [`MAX_DATAGRAM`] bytes holds, in bytes.
    #[must_use]
    pub const fn max_body_len(&self) -> usize {
        MAX_DATAGRAM.saturating_sub(self.info_header_len())
    }

    /// Whether packets of this type carry a counter.
    pub(super) const fn has_counter(&self, packet_type: PacketType) -> bool {
        matches!(self.types, Types::Counted) && packet_type.is_counted()
    }

    /// The length of everything before the fields of a packet of this type, in bytes.
    pub(super) const fn counted_header_len(&self, packet_type: PacketType) -> usize {
        let counter = if self.has_counter(packet_type) { COUNTER_BYTES } else { 0 };
        self.header_len().saturating_add(counter)
    }

    const fn first_type(&self) -> u8 {
        match self.types {
            Types::Binary | Types::Counted => 0x00,
            Types::Ascii => ASCII_TYPES,
        }
    }

    /// The byte on the wire for `packet_type`. Only a framing with counters can ask for an acknowledgement at once.
    pub(super) const fn type_byte(&self, packet_type: PacketType, at_once: bool) -> u8 {
        let flag = if at_once && self.has_flags() { AT_ONCE } else { 0 };
        self.first_type().wrapping_add(packet_type.code()) | flag
    }

    /// Whether the type byte has flags.
    pub(super) const fn has_flags(&self) -> bool {
        matches!(self.types, Types::Counted)
    }

    /// The packet type of this byte on the wire, and whether it asks for an acknowledgement at once; `None` if the
    /// framing has no such packet.
    pub(super) fn packet_type(&self, byte: u8) -> Option<(PacketType, bool)> {
        let at_once = self.has_flags() && byte & AT_ONCE != 0;
        let code = if at_once { byte ^ AT_ONCE } else { byte.wrapping_sub(self.first_type()) };
        let packet_type = PacketType::from_code(code)?;
        let may_ask = matches!(packet_type, PacketType::Info | PacketType::Probe);
        (self.has(packet_type) && (may_ask || !at_once)).then_some((packet_type, at_once))
    }

    /// Whether `datagram`, which starts with the prefix, has the type byte of CONNECT.
    pub(crate) fn is_connect(&self, datagram: &[u8]) -> bool {
        datagram.get(self.prefix().len()) == Some(&self.type_byte(PacketType::Connect, false))
    }

    /// Whether the framing has packets of this type.
    pub(super) const fn has(&self, packet_type: PacketType) -> bool {
        !self.is_base_only() || packet_type.is_in_base_mode()
    }
}

impl Tag {
    /// Whether the tag starts with the prefix of `framing`.
    ///
    /// Do not use such a tag on a socket that also serves `framing`: the socket could not distinguish their datagrams.
    #[must_use]
    pub fn starts_like(&self, framing: &Framing) -> bool {
        self.as_bytes().starts_with(framing.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_starts_with_a_prefix_is_recognized() {
        assert!(Tag::new(*b"RDT1\0\0\0\0").starts_like(&Framing::NOTE));
        assert!(!Tag::new(*b"RDT2\0\0\0\0").starts_like(&Framing::NOTE));
        assert!(Tag::new(*b"ROSTOV00").starts_like(&Framing::ROSTOV));
        assert!(!Tag::new(*b"ROSTOW00").starts_like(&Framing::ROSTOV));
    }

    #[test]
    fn each_framing_has_its_prefix_and_header_length() {
        assert_eq!(Framing::NOTE.prefix(), b"RDT1");
        assert_eq!(Framing::NOTE.info_header_len(), 11);
        assert!(!Framing::NOTE.is_base_only());
        assert_eq!(Framing::ROSTOV.prefix(), b"ROSTOV");
        assert_eq!(Framing::ROSTOV.info_header_len(), 13);
        assert_eq!(Framing::ROSTOV.max_body_len(), 65_494);
        assert!(Framing::ROSTOV.is_base_only());
        let tagged = Framing::tagged(Tag::new(*b"12345678"));
        assert_eq!(tagged.prefix(), b"12345678");
        assert_eq!((tagged.header_len(), tagged.info_header_len()), (9, 20));
    }

    #[test]
    fn a_prefix_has_one_to_eight_bytes() {
        assert_eq!(Framing::with_prefix(b"RDT1"), Ok(Framing::NOTE));
        assert_eq!(Framing::with_prefix(b"x").unwrap().prefix(), b"x");
        assert_eq!(Framing::with_prefix(b"12345678").unwrap().prefix(), b"12345678");
        assert_eq!(Framing::with_prefix(b""), Err(FramingError { len: 0 }));
        assert_eq!(Framing::with_prefix(b"123456789"), Err(FramingError { len: 9 }));
    }

    #[test]
    fn the_type_bytes_start_at_the_first_type_of_the_framing() {
        assert_eq!(Framing::NOTE.type_byte(PacketType::Echo, false), 10);
        assert_eq!(Framing::NOTE.packet_type(10), Some((PacketType::Echo, false)));
        assert_eq!(Framing::NOTE.packet_type(11), None);
        assert_eq!(Framing::ROSTOV.type_byte(PacketType::FinAck, false), b'5');
        assert_eq!(Framing::ROSTOV.packet_type(b'5'), Some((PacketType::FinAck, false)));
        assert_eq!(Framing::ROSTOV.packet_type(b'6'), None);
        assert_eq!(Framing::ROSTOV.packet_type(b'0' - 1), None);
        assert_eq!(Framing::ROSTOV.packet_type(0), None);
    }

    #[test]
    fn only_a_counted_info_or_probe_asks_for_a_sack_at_once() {
        let tagged = Framing::tagged(Tag::new(*b"12345678"));
        assert_eq!(tagged.packet_type(2), Some((PacketType::Info, false)));
        assert_eq!(tagged.packet_type(0x42), Some((PacketType::Info, true)));
        assert_eq!(tagged.packet_type(0x49), Some((PacketType::Probe, true)));
        for byte in (0..=u8::MAX).filter(|byte| byte & 0xc0 != 0 && !matches!(byte, 0x42 | 0x49)) {
            assert_eq!(tagged.packet_type(byte), None, "{byte:02x}: the top bit is reserved");
        }
        assert_eq!((Framing::NOTE.packet_type(0x42), Framing::NOTE.type_byte(PacketType::Info, true)), (None, 2));
    }
}
