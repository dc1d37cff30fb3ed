//! Decoding a datagram into a packet.

use super::packet_type::PacketType;
use super::reader::Reader;
use super::{AckRequest, Datagram, DecodeError, Framing, MAX_COOKIE, MAX_DATAGRAM, Options, Packet, Sack, Tag};
use crate::Seq;

impl Framing {
    /// Decodes `datagram`, which must be exactly one packet of this framing.
    ///
    /// # Errors
    ///
    /// If the datagram is not exactly one packet, with the reason. A network delivers such datagrams at any time: count
    /// them and ignore them.
    pub fn decode<'d>(&self, datagram: &'d [u8]) -> Result<Packet<'d>, DecodeError> {
        self.decode_datagram(datagram).map(|datagram| datagram.packet)
    }

    /// As [`decode`](Self::decode), but also returns the [counter](super#the-counter).
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode).
    pub fn decode_datagram<'d>(&self, datagram: &'d [u8]) -> Result<Datagram<'d>, DecodeError> {
        let after_prefix = datagram.strip_prefix(self.prefix()).ok_or(DecodeError::Prefix)?;
        if datagram.len() > MAX_DATAGRAM {
            return Err(DecodeError::TooLong);
        }
        let (&type_byte, fields) = after_prefix.split_first().ok_or(DecodeError::Truncated)?;
        let (packet_type, at_once) = self.packet_type(type_byte).ok_or(DecodeError::Type)?;
        if self.is_base_only() && !fields.is_empty() && packet_type.has_options() {
            return Err(DecodeError::Trailing);
        }
        let mut fields = Reader::new(fields);
        let counter = self.has_counter(packet_type).then(|| fields.u32());
        let packet = decode_fields(self, packet_type, counter.map(|_| at_once), &mut fields);
        fields.finish(Datagram { counter, packet })
    }

    /// The [counter](super#the-counter) of a datagram, if it is a packet with a counter.
    pub(crate) fn counter_of(&self, datagram: &[u8]) -> Option<Seq> {
        self.decode_datagram(datagram).ok()?.counter.map(Seq::new)
    }
}

/// An INFO of extended mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaggedInfo<'d> {
    pub(crate) counter: u32,
    pub(crate) number: Seq,
    pub(crate) request: AckRequest,
    pub(crate) body: &'d [u8],
}

impl Tag {
    /// Decodes `datagram`, if it is an INFO under this tag.
    ///
    /// This is the hot path of a transfer. The result is the same as that of [`Framing::decode_datagram`].
    #[inline]
    pub(crate) fn decode_info<'d>(&self, datagram: &'d [u8]) -> Option<TaggedInfo<'d>> {
        let (tag, after_tag) = datagram.split_first_chunk()?;
        let (&[type_byte, a, b, c, d, code], fields) = after_tag.split_first_chunk()?;
        let at_once = type_byte == AT_ONCE_INFO;
        let is_info = at_once || type_byte == PacketType::Info.code();
        if tag != self.as_bytes() || !is_info || datagram.len() > MAX_DATAGRAM {
            return None;
        }
        let (length, rest) = fields.split_first_chunk()?;
        let (number, body) = rest.split_first_chunk()?;
        let fits = usize::from(u16::from_be_bytes(*length)) == body.len();
        let (counter, number) = (u32::from_be_bytes([a, b, c, d]), Seq::new(u32::from_be_bytes(*number)));
        let request = AckRequest::from_code(code).with_at_once(at_once);
        fits.then_some(TaggedInfo { counter, number, request, body })
    }
}

/// The type byte of an INFO that asks for an acknowledgement at once.
const AT_ONCE_INFO: u8 = Framing::tagged(Tag::new([0; Tag::LEN])).type_byte(PacketType::Info, true);

/// Decodes the fields after the counter, in the framing `profile` if they are those of CONNECT. An error stays in
/// `fields`.
///
/// `at_once` is the flag of the type byte; `None` if the framing has no flags.
fn decode_fields<'d>(
    profile: &Framing,
    packet_type: PacketType,
    at_once: Option<bool>,
    fields: &mut Reader<'d>,
) -> Packet<'d> {
    let packet = match packet_type {
        PacketType::Connect => {
            let options = decode_options(fields);
            // Datagrams under such a tag would look like those of the profile.
            fields.require(!options.tag().is_some_and(|tag| tag.starts_like(profile)), DecodeError::Options);
            return Packet::Connect(options);
        }
        PacketType::ConnAck => return Packet::ConnAck(decode_options(fields)),
        PacketType::Info => {
            let request = match at_once {
                Some(at_once) => AckRequest::from_code(fields.u8()).with_at_once(at_once),
                None => AckRequest::DEFAULT,
            };
            let (length, number, body) = (fields.u16(), fields.number(), fields.rest());
            fields.require(usize::from(length) == body.len(), DecodeError::Length);
            return Packet::Info { number, body, request };
        }
        PacketType::Sack => return Packet::Sack(Sack::decode(fields)),
        PacketType::Retry => {
            let cookie = fields.rest();
            fields.require((1..=MAX_COOKIE).contains(&cookie.len()), DecodeError::Cookie);
            return Packet::Retry { cookie };
        }
        PacketType::Probe => {
            let for_window = at_once == Some(true);
            let (nonce, length, padding) = (fields.u64(), fields.u16(), fields.rest());
            fields.require(usize::from(length) == padding.len(), DecodeError::Length);
            return Packet::Probe { nonce, for_window, padding };
        }
        PacketType::Ack => Packet::Ack { number: fields.number() },
        PacketType::Fin => Packet::Fin,
        PacketType::FinAck => Packet::FinAck,
        PacketType::Reset => Packet::Reset { code: fields.u8() },
        PacketType::Echo => Packet::Echo { nonce: fields.u64(), counter: fields.u32() },
    };
    fields.end();
    packet
}

fn decode_options<'d>(fields: &mut Reader<'d>) -> Options<'d> {
    let options = Options::parse(fields.rest());
    fields.require(options.is_ok(), DecodeError::Options);
    options.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::OptionsWriter;
    use super::super::writer::Writer;
    use super::*;

    /// Decodes these bytes after the prefix of NOTE.
    fn note(type_and_fields: &[u8]) -> Result<(), DecodeError> {
        Framing::NOTE.decode(&[b"RDT1", type_and_fields].concat()).map(|_| ())
    }

    /// Decodes these bytes after the prefix of ROSTOV.
    fn rostov(type_and_fields: &[u8]) -> Result<(), DecodeError> {
        Framing::ROSTOV.decode(&[b"ROSTOV", type_and_fields].concat()).map(|_| ())
    }

    #[test]
    fn a_datagram_with_another_prefix_is_refused() {
        for datagram in [&b""[..], b"R", b"RDT", b"RDT2\x04", b"rdt1\x04", b"ROSTOV4", &[0; 1_500]] {
            assert_eq!(Framing::NOTE.decode(datagram), Err(DecodeError::Prefix), "{datagram:?}");
        }
        assert_eq!(Framing::ROSTOV.decode(b"RDT1\x04"), Err(DecodeError::Prefix));
        assert_eq!(Framing::ROSTOV.decode(b"ROSTO"), Err(DecodeError::Prefix));
    }

    #[test]
    fn a_type_beyond_the_last_is_unknown() {
        assert_eq!(note(&[11]), Err(DecodeError::Type));
        assert_eq!(note(&[0xff, 0, 0, 0, 0]), Err(DecodeError::Type));
        assert_eq!(note(b"4"), Err(DecodeError::Type));
    }

    #[test]
    fn rostov_has_only_the_types_of_base_mode() {
        assert_eq!(rostov(b"4"), Ok(()));
        for unknown in [&b"6"[..], b"7c", b"8\x01", b"90123456", b":01234567", b"\x04", b"/"] {
            assert_eq!(rostov(unknown), Err(DecodeError::Type), "{unknown:?}");
        }
    }

    #[test]
    fn rostov_has_no_options() {
        assert_eq!(rostov(b"0"), Ok(()));
        assert_eq!(rostov(b"0\x06\x00"), Err(DecodeError::Trailing));
        assert_eq!(rostov(b"1x"), Err(DecodeError::Trailing));
    }

    #[test]
    fn a_datagram_without_its_last_fields_is_truncated() {
        assert_eq!(note(&[]), Err(DecodeError::Truncated));
        for (packet_type, fields_len) in [(2, 6), (3, 4), (6, 26), (8, 1), (9, 10), (10, 12)] {
            let mut bytes = [0; 27];
            bytes[0] = packet_type;
            for len in 0..fields_len {
                assert_eq!(note(&bytes[..=len]), Err(DecodeError::Truncated), "type {packet_type}, {len} bytes");
            }
            assert_eq!(note(&bytes[..=fields_len]), Ok(()), "type {packet_type}");
        }
    }

    /// A relay with a small buffer cuts off the end of a datagram. What is left must not show that the path carries it.
    #[test]
    fn what_was_padded_counts_only_with_its_last_byte() {
        let tagged = Framing::tagged(Tag::new([1; 8]));
        let mut probe = [0; 200];
        let mut out = Writer::new(&mut probe);
        tagged.put_probe(7, 200, 1, &mut out);
        assert_eq!(out.finish(), Ok(200));
        assert!(matches!(tagged.decode(&probe), Ok(Packet::Probe { nonce: 7, padding, .. }) if padding.len() == 177));
        assert_eq!(tagged.decode(&probe[..199]), Err(DecodeError::Length));
        let mut list = [0; 200];
        let options = OptionsWriter::new(&mut list).segment(64).and_then(|list| list.pad_to(195)).unwrap().finish();
        let mut connect = [0; 200];
        assert_eq!(Packet::Connect(options).encode(&Framing::NOTE, &mut connect), Ok(200));
        assert_eq!(Framing::NOTE.decode(&connect[..199]), Err(DecodeError::Options));
    }

    #[test]
    fn bytes_after_the_last_field_are_refused() {
        for whole in [&[3, 0, 0, 0, 1][..], &[4], &[5], &[8, 0], &[10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]] {
            assert_eq!(note(whole), Ok(()), "{whole:?}");
            assert_eq!(note(&[whole, &[0]].concat()), Err(DecodeError::Trailing), "{whole:?}");
        }
    }

    #[test]
    fn the_length_field_of_info_must_match_its_body() {
        assert_eq!(note(b"\x02\x00\x02\x00\x00\x00\x00ab"), Ok(()));
        assert_eq!(note(b"\x02\x00\x02\x00\x00\x00\x00a"), Err(DecodeError::Length));
        assert_eq!(note(b"\x02\x00\x02\x00\x00\x00\x00abc"), Err(DecodeError::Length));
        assert_eq!(note(b"\x02\xff\xff\x00\x00\x00\x00ab"), Err(DecodeError::Length));
        assert_eq!(note(b"\x02\x00\x00\x00\x00\x00\x00a"), Err(DecodeError::Length));
    }

    #[test]
    fn the_hot_path_decodes_the_same_info_as_the_framing() {
        let tag = Tag::new(*b"12345678");
        let whole = *b"12345678\x02\x01\x02\x03\x04\x84\x00\x02\x00\x00\x00\x07ab";
        let (number, body) = (Seq::new(7), &b"ab"[..]);
        assert_eq!(
            tag.decode_info(&whole),
            Some(TaggedInfo { counter: 0x0102_0304, number, request: AckRequest::from_code(0x84), body })
        );
        let framing = Framing::tagged(tag);
        for len in 0..whole.len() {
            assert_eq!(tag.decode_info(&whole[..len]), None, "{len} bytes");
        }
        for (index, bit) in (0..whole.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut other = whole;
            other[index] ^= 1 << bit;
            let expected = match framing.decode_datagram(&other) {
                Ok(Datagram { counter: Some(counter), packet: Packet::Info { number, body, request } }) => {
                    Some(TaggedInfo { counter, number, request, body })
                }
                Ok(_) | Err(_) => None,
            };
            assert_eq!(tag.decode_info(&other), expected, "byte {index}, bit {bit}");
        }
    }

    #[test]
    fn malformed_options_invalidate_the_whole_packet() {
        for packet_type in [0, 1] {
            assert_eq!(note(&[packet_type]), Ok(()));
            assert_eq!(note(&[packet_type, 6, 0]), Ok(()));
            assert_eq!(note(&[packet_type, 0, 0xff]), Ok(()), "kind 0 ends the list");
            assert_eq!(note(&[packet_type, 6]), Err(DecodeError::Options));
            assert_eq!(note(&[packet_type, 2, 2, 0, 63]), Err(DecodeError::Options));
            assert_eq!(note(&[packet_type, 6, 0, 6, 0]), Err(DecodeError::Options));
        }
    }

    #[test]
    fn a_tag_that_begins_with_the_prefix_is_refused() {
        let connect = |tag: &[u8; 8]| note(&[&[0, 1, 8], &tag[..]].concat());
        assert_eq!(connect(b"RDT1abcd"), Err(DecodeError::Options));
        assert_eq!(connect(b"RDT2abcd"), Ok(()));
    }

    #[test]
    fn a_bitmap_has_at_most_128_bytes() {
        let mut bytes = [0; 1 + 26 + 129];
        bytes[0] = 6;
        assert_eq!(note(&bytes[..1 + 26 + 128]), Ok(()));
        assert_eq!(note(&bytes), Err(DecodeError::Sack));
    }

    #[test]
    fn a_cookie_has_1_to_64_bytes() {
        let bytes = [7; 1 + 65];
        assert_eq!(note(&bytes[..1]), Err(DecodeError::Cookie));
        assert_eq!(note(&bytes[..2]), Ok(()));
        assert_eq!(note(&bytes[..1 + 64]), Ok(()));
        assert_eq!(note(&bytes), Err(DecodeError::Cookie));
    }

    #[test]
    fn a_datagram_longer_than_udp_carries_is_refused() {
        let mut connect = std::vec![0; MAX_DATAGRAM + 1];
        connect[..5].copy_from_slice(b"RDT1\x00");
        assert!(Framing::NOTE.decode(&connect[..MAX_DATAGRAM]).is_ok());
        assert_eq!(Framing::NOTE.decode(&connect), Err(DecodeError::TooLong));
    }
}
