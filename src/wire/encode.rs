//! Encoding a packet into a datagram.

use super::packet_type::PacketType;
use super::writer::Writer;
use super::{AckRequest, Datagram, EncodeError, Framing, MAX_BITMAP, MAX_COOKIE, MAX_DATAGRAM, Packet};
use crate::copy::copy;
use crate::{BufferTooSmall, SHORTCUTS, Seq};

impl Packet<'_> {
    /// The length of the packet in this framing, in bytes.
    #[must_use]
    pub fn encoded_len(&self, framing: &Framing) -> usize {
        let mut out = Writer::new(&mut []);
        self.put(framing, 0, &mut out);
        out.len()
    }

    /// Writes the packet at the start of `buf`, and returns its length in bytes.
    ///
    /// The rest of `buf` is unchanged. A [counter](super#the-counter) is 0; [`Datagram::encode`] writes another one.
    ///
    /// # Errors
    ///
    /// If the packet does not exist in this framing, a field has a value that the wire cannot express, the datagram
    /// would be longer than [`MAX_DATAGRAM`], or it does not fit into `buf`. Nothing was written then.
    pub fn encode(&self, framing: &Framing, buf: &mut [u8]) -> Result<usize, EncodeError> {
        self.encode_counted(framing, 0, buf)
    }

    fn encode_counted(&self, framing: &Framing, counter: u32, buf: &mut [u8]) -> Result<usize, EncodeError> {
        self.check(framing)?;
        let needed = self.encoded_len(framing);
        if needed > MAX_DATAGRAM {
            return Err(EncodeError::TooLong);
        }
        if needed > buf.len() {
            return Err(BufferTooSmall { needed }.into());
        }
        Ok(self.write(framing, counter, buf)?)
    }

    /// Writes the packet without the checks of [`encode`](Self::encode).
    ///
    /// The packet must be valid in this framing and not too long. All packets of a connection are. `counter` is
    /// ignored if the packet has none. If `buf` is too small, a part of the packet may be written.
    pub(crate) fn write(&self, framing: &Framing, counter: u32, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        debug_assert_eq!(self.check(framing), Ok(()), "the packet is not valid in this framing");
        let mut out = Writer::new(buf);
        self.put(framing, counter, &mut out);
        out.finish()
    }

    /// As [`write`](Self::write), into a writer.
    pub(crate) fn put(&self, framing: &Framing, counter: u32, out: &mut Writer<'_>) {
        let packet_type = self.packet_type();
        let at_once = matches!(
            self,
            Self::Info { request: AckRequest { at_once: true, .. }, .. } | Self::Probe { for_window: true, .. }
        );
        framing.put_type(packet_type, at_once, out);
        if framing.has_counter(packet_type) {
            out.u32(counter);
        }
        match self {
            Self::Connect(options) | Self::ConnAck(options) => out.bytes(options.as_bytes()),
            Self::Info { number, body, request } => {
                if framing.has_flags() {
                    out.u8(request.code());
                }
                out.u16(u16::try_from(body.len()).unwrap_or(u16::MAX));
                out.u32(number.value());
                out.bytes(body);
            }
            Self::Ack { number } => out.u32(number.value()),
            Self::Fin | Self::FinAck => {}
            Self::Sack(sack) => sack.encode(out),
            Self::Retry { cookie } => out.bytes(cookie),
            Self::Reset { code } => out.u8(*code),
            Self::Probe { nonce, padding, .. } => {
                out.u64(*nonce);
                out.u16(u16::try_from(padding.len()).unwrap_or(u16::MAX));
                out.bytes(padding);
            }
            Self::Echo { nonce, counter } => {
                out.u64(*nonce);
                out.u32(*counter);
            }
        }
    }

    /// Checks that the packet exists in `framing`, and that the wire can express its fields. The length is not checked.
    fn check(&self, framing: &Framing) -> Result<(), EncodeError> {
        if !framing.has(self.packet_type()) {
            return Err(EncodeError::NotInProfile);
        }
        match self {
            Self::Connect(options) | Self::ConnAck(options) if framing.is_base_only() && !options.is_empty() => {
                Err(EncodeError::NotInProfile)
            }
            Self::Connect(options) if options.tag().is_some_and(|tag| tag.starts_like(framing)) => {
                Err(EncodeError::Unrepresentable)
            }
            Self::Info { request, .. } if !framing.has_flags() && *request != AckRequest::DEFAULT => {
                Err(EncodeError::Unrepresentable)
            }
            Self::Probe { for_window: true, .. } if !framing.has_flags() => Err(EncodeError::Unrepresentable),
            Self::Sack(sack) if sack.bitmap.len() > MAX_BITMAP => Err(EncodeError::Unrepresentable),
            Self::Retry { cookie } if cookie.is_empty() || cookie.len() > MAX_COOKIE => {
                Err(EncodeError::Unrepresentable)
            }
            Self::Connect(_)
            | Self::ConnAck(_)
            | Self::Info { .. }
            | Self::Ack { .. }
            | Self::Fin
            | Self::FinAck
            | Self::Sack(_)
            | Self::Retry { .. }
            | Self::Reset { .. }
            | Self::Probe { .. }
            | Self::Echo { .. } => Ok(()),
        }
    }
}

impl Datagram<'_> {
    /// Writes the packet and its counter at the start of `buf`, and returns the length of the datagram in bytes.
    ///
    /// # Errors
    ///
    /// As for [`Packet::encode`]. [`EncodeError::Unrepresentable`] also if the packet has a counter in this framing and
    /// `counter` is `None`, or the other way round.
    pub fn encode(&self, framing: &Framing, buf: &mut [u8]) -> Result<usize, EncodeError> {
        if framing.has(self.packet.packet_type())
            && framing.has_counter(self.packet.packet_type()) != self.counter.is_some()
        {
            return Err(EncodeError::Unrepresentable);
        }
        self.packet.encode_counted(framing, self.counter.unwrap_or_default(), buf)
    }
}

/// The fields of an INFO before its body. A framing without counters leaves out `counter` and `request`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InfoHeader {
    pub(crate) counter: u32,
    pub(crate) number: Seq,
    pub(crate) request: AckRequest,
}

impl Framing {
    /// Writes the prefix and the type byte.
    pub(crate) fn put_type(&self, packet_type: PacketType, at_once: bool, out: &mut Writer<'_>) {
        out.bytes(self.prefix());
        out.u8(self.type_byte(packet_type, at_once));
    }

    /// Writes a PROBE of extended mode that is padded to `len` bytes.
    pub(crate) fn put_probe(&self, nonce: u64, len: usize, counter: u32, out: &mut Writer<'_>) {
        self.put_type(PacketType::Probe, false, out);
        out.u32(counter);
        out.u64(nonce);
        let padding = len.saturating_sub(out.len().saturating_add(size_of::<u16>()));
        out.u16(u16::try_from(padding).unwrap_or(u16::MAX));
        out.pad_to(len);
    }

    /// Writes an INFO at the start of `buf`, and returns its length in bytes.
    ///
    /// This is the hot path of a transfer. The datagram must not be longer than [`MAX_DATAGRAM`].
    pub(crate) fn encode_info(&self, info: InfoHeader, body: &[u8], buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        if !SHORTCUTS {
            let InfoHeader { counter, number, request } = info;
            // A framing without flags has no place for a request.
            let request = if self.has_flags() { request } else { AckRequest::DEFAULT };
            return Packet::Info { number, body, request }.write(self, counter, buf);
        }
        let needed = self.info_header_len().saturating_add(body.len());
        let datagram = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        // The split cannot fail: `needed` includes the header.
        let Some((head, place)) = datagram.split_at_mut_checked(self.info_header_len()) else { return Ok(needed) };
        copy(body, place);
        self.put_info_head(info, body.len(), head);
        Ok(needed)
    }

    /// Writes what precedes a body of `body_len` bytes at the start of `buf`, and returns its length in bytes.
    pub(crate) fn encode_info_head(
        &self,
        info: InfoHeader,
        body_len: usize,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let needed = self.info_header_len();
        self.put_info_head(info, body_len, buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?);
        Ok(needed)
    }

    /// Writes what precedes a body of `body_len` bytes.
    #[inline(always)]
    fn put_info_head(&self, info: InfoHeader, body_len: usize, head: &mut [u8]) {
        let InfoHeader { counter, number, request } = info;
        let [length_high, length_low] = u16::try_from(body_len).unwrap_or(u16::MAX).to_be_bytes();
        let [a, b, c, d] = number.value().to_be_bytes();
        // One store of eight bytes writes the prefix with its padding. A header has at least eight bytes, and the
        // fields overwrite the padding afterwards.
        if let Some(prefix) = head.first_chunk_mut() {
            *prefix = self.padded_prefix();
        }
        let type_byte = self.type_byte(PacketType::Info, request.at_once);
        if self.has_counter(PacketType::Info) {
            let [e, f, g, h] = counter.to_be_bytes();
            if let Some(fields) = head.last_chunk_mut() {
                *fields = [type_byte, e, f, g, h, request.code(), length_high, length_low, a, b, c, d];
            }
        } else if let Some(fields) = head.last_chunk_mut() {
            *fields = [type_byte, length_high, length_low, a, b, c, d];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, Sack, SackDelay, Tag};
    use super::*;
    use crate::Seq;

    const INFO: Packet<'static> =
        Packet::Info { number: Seq::new(0x0102_0304), body: b"hello", request: AckRequest::DEFAULT };

    /// Asserts that the packet encodes to `datagram`, and that `datagram` decodes to the packet.
    fn assert_layout(framing: &Framing, packet: &Packet<'_>, datagram: &[u8]) {
        let mut buf = [0xee; 256];
        assert_eq!(packet.encode(framing, &mut buf), Ok(datagram.len()), "{packet:?}");
        assert_eq!(&buf[..datagram.len()], datagram, "{packet:?}");
        assert!(buf[datagram.len()..].iter().all(|byte| *byte == 0xee), "bytes after {packet:?} changed");
        assert_eq!(packet.encoded_len(framing), datagram.len(), "{packet:?}");
        assert_eq!(framing.decode(datagram).as_ref(), Ok(packet));
    }

    #[test]
    fn the_layout_of_every_packet() {
        let options = Options::parse(b"\x01\x08entropy!\x02\x02\x04\xb0\x63\x00").unwrap();
        let sack = Sack {
            next: Seq::new(0x0102_0304),
            window: 0x1112_1314,
            latest: Seq::new(0x2122_2324),
            counter: 0x2526_2728,
            delay: SackDelay::new(0x3132),
            ce: 0x3536_3738,
            base: Seq::new(0x4142_4344),
            bitmap: &[0x81, 0x00],
        };
        let note = |packet, type_and_fields: &[u8]| {
            assert_layout(&Framing::NOTE, &packet, &[b"RDT1", type_and_fields].concat());
        };
        note(Packet::Connect(Options::NONE), b"\x00");
        note(Packet::Connect(options), b"\x00\x01\x08entropy!\x02\x02\x04\xb0\x63\x00");
        note(Packet::ConnAck(Options::NONE), b"\x01");
        note(Packet::ConnAck(options), b"\x01\x01\x08entropy!\x02\x02\x04\xb0\x63\x00");
        note(INFO, b"\x02\x00\x05\x01\x02\x03\x04hello");
        note(
            Packet::Info { number: Seq::ZERO, body: b"", request: AckRequest::DEFAULT },
            b"\x02\x00\x00\x00\x00\x00\x00",
        );
        note(Packet::Ack { number: Seq::new(0x0102_0304) }, b"\x03\x01\x02\x03\x04");
        note(Packet::Fin, b"\x04");
        note(Packet::FinAck, b"\x05");
        note(
            Packet::Sack(sack),
            b"\x06\x01\x02\x03\x04\x11\x12\x13\x14\x21\x22\x23\x24\x25\x26\x27\x28\x31\x32\x35\x36\x37\x38\x41\x42\x43\x44\x81\x00",
        );
        note(Packet::Retry { cookie: b"cookie" }, b"\x07cookie");
        note(Packet::Reset { code: 0xfe }, b"\x08\xfe");
        note(
            Packet::Probe { nonce: 0x0102_0304_0506_0708, for_window: false, padding: b"pad" },
            b"\x09\x01\x02\x03\x04\x05\x06\x07\x08\x00\x03pad",
        );
        note(
            Packet::Echo { nonce: 0x0102_0304_0506_0708, counter: 0x090a_0b0c },
            b"\x0a\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c",
        );
    }

    #[test]
    fn a_counter_follows_the_type_after_the_handshake() {
        let tagged = Framing::tagged(Tag::new(*b"entropy!"));
        let (counter, fin) = (Some(0x2122_2324), Packet::Fin);
        let at_once =
            Packet::Info { number: Seq::new(7), body: b"a", request: AckRequest::from_code(0x84).with_at_once(true) };
        for (datagram, bytes) in [
            (Datagram { counter, packet: fin }, &b"entropy!\x04\x21\x22\x23\x24"[..]),
            (Datagram { counter, packet: at_once }, b"entropy!\x42\x21\x22\x23\x24\x84\x00\x01\x00\x00\x00\x07a"),
            (Datagram { counter: None, packet: Packet::Retry { cookie: b"c" } }, b"entropy!\x07c"),
            (Datagram { counter: None, packet: Packet::ConnAck(Options::NONE) }, b"entropy!\x01"),
        ] {
            let mut buf = [0; 64];
            assert_eq!(datagram.encode(&tagged, &mut buf), Ok(bytes.len()), "{datagram:?}");
            assert_eq!(&buf[..bytes.len()], bytes, "{datagram:?}");
            assert_eq!(tagged.decode_datagram(bytes), Ok(datagram));
        }
        let refused = |counter, packet, framing| Datagram { counter, packet }.encode(framing, &mut [0; 64]);
        assert_eq!(refused(None, fin, &tagged), Err(EncodeError::Unrepresentable));
        assert_eq!(refused(counter, Packet::Retry { cookie: b"c" }, &tagged), Err(EncodeError::Unrepresentable));
        assert_eq!(refused(counter, fin, &Framing::NOTE), Err(EncodeError::Unrepresentable));
        assert_eq!(refused(None, at_once, &Framing::NOTE), Err(EncodeError::Unrepresentable));
    }

    #[test]
    fn framings_differ_in_prefix_and_type_byte() {
        assert_layout(&Framing::tagged(Tag::new(*b"entropy!")), &Packet::Fin, b"entropy!\x04\0\0\0\0");
        assert_layout(&Framing::with_prefix(b"x").unwrap(), &INFO, b"x\x02\x00\x05\x01\x02\x03\x04hello");
        assert_layout(&Framing::ROSTOV, &INFO, b"ROSTOV2\x00\x05\x01\x02\x03\x04hello");
    }

    #[test]
    fn a_base_only_framing_has_no_extended_packets_and_no_options() {
        let refused = |packet: Packet<'_>| packet.encode(&Framing::ROSTOV, &mut [0; 64]).unwrap_err();
        let padding = Options::parse(b"\x06\x00").unwrap();
        assert_eq!(refused(Packet::Connect(padding)), EncodeError::NotInProfile);
        assert_eq!(refused(Packet::ConnAck(padding)), EncodeError::NotInProfile);
        assert_eq!(refused(Packet::Reset { code: 0 }), EncodeError::NotInProfile);
        assert_eq!(refused(Packet::Retry { cookie: b"c" }), EncodeError::NotInProfile);
        assert_eq!(refused(Packet::Echo { nonce: 0, counter: 0 }), EncodeError::NotInProfile);
    }

    #[test]
    fn values_that_the_wire_cannot_express_are_refused() {
        let refused = |packet: Packet<'_>| packet.encode(&Framing::NOTE, &mut [0; 256]).unwrap_err();
        assert_eq!(refused(Packet::Retry { cookie: &[] }), EncodeError::Unrepresentable);
        assert_eq!(refused(Packet::Retry { cookie: &[0; 65] }), EncodeError::Unrepresentable);
        let (next, latest, base) = (Seq::ZERO, Seq::ZERO, Seq::ZERO);
        let (counter, delay, ce) = (0, SackDelay::NO_SAMPLE, 0);
        let sack = Sack { next, window: 0, latest, counter, delay, ce, base, bitmap: &[0; 129] };
        assert_eq!(refused(Packet::Sack(sack)), EncodeError::Unrepresentable);
    }

    #[test]
    fn a_buffer_that_is_too_small_is_unchanged() {
        let needed = INFO.encoded_len(&Framing::NOTE);
        for len in 0..needed {
            let mut buf = [0xee; 16];
            assert_eq!(
                INFO.encode(&Framing::NOTE, &mut buf[..len]),
                Err(EncodeError::BufferTooSmall(BufferTooSmall { needed }))
            );
            assert_eq!(buf, [0xee; 16]);
        }
    }

    #[test]
    fn the_longest_body_fills_the_longest_datagram() {
        let mut buf = std::vec![0; 70_000];
        let bytes = std::vec![0x5a; 70_000];
        for framing in [Framing::NOTE, Framing::ROSTOV] {
            let longest = Packet::Info {
                number: Seq::ZERO,
                body: &bytes[..framing.max_body_len()],
                request: AckRequest::DEFAULT,
            };
            assert_eq!(longest.encode(&framing, &mut buf), Ok(MAX_DATAGRAM));
            assert_eq!(framing.decode(&buf[..MAX_DATAGRAM]), Ok(longest));
            for len in [framing.max_body_len() + 1, 65_535, 65_536, 70_000] {
                let too_long = Packet::Info { number: Seq::ZERO, body: &bytes[..len], request: AckRequest::DEFAULT };
                assert_eq!(too_long.encode(&framing, &mut buf), Err(EncodeError::TooLong));
            }
        }
    }
}
