//! Segments: text with four separators before the body.

use crate::BufferTooSmall;
use crate::copy::copy;
use core::fmt::Write;
use heapless::Vec;
use thiserror::Error;

/// The maximum length of a body that this side sends, in bytes. The body of a received segment may be longer.
pub const MAX_BODY: usize = 16;

/// The maximum number. A connection ends before it would exceed the maximum: numbers never wrap.
pub const MAX_NUMBER: u64 = 1 << 63;

/// The maximum length of a segment that this side sends, in bytes.
///
/// It has three flags, nineteen digits, four separators and a body. A received segment may be longer, so a datagram
/// needs a larger buffer. The longest segment of the known implementations has 89 bytes.
pub const MAX_SEGMENT: usize = 3 + 19 + 4 * SEPARATOR.len() + MAX_BODY;

const SEPARATOR: &[u8] = b"|||";

/// A segment: the text that one datagram carries.
///
/// ```
/// use rdt_proto::socket_tcp::{Kind, Segment};
///
/// let segment = Segment::decode(b"0|||0|||0|||14|||a|||b").unwrap();
/// assert_eq!(segment, Segment { kind: Kind::Data, number: 14, body: b"a|||b" });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment<'d> {
    /// The kind, encoded as flags.
    pub kind: Kind,
    /// The number, at most [`MAX_NUMBER`]; the report calls it `seq`.
    ///
    /// In a data segment it is the number of the first byte of the body. In an ACK it is the number of the next byte
    /// that the receiver expects.
    pub number: u64,
    /// The body. Only data segments have one.
    pub body: &'d [u8],
}

/// The kind of a segment, encoded as flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Kind {
    /// SYN: opens a connection.
    Syn,
    /// SYN and ACK: accepts a connection.
    SynAck,
    /// ACK: every byte before the number of the segment arrived.
    Ack,
    /// No flag: the length of a message, or a piece of it.
    Data,
    /// FIN: closes the connection, or confirms that FIN+ACK arrived.
    Fin,
    /// FIN and ACK: answers FIN.
    FinAck,
}

impl Kind {
    const fn flags(self) -> [bool; 3] {
        match self {
            Self::Syn => [true, false, false],
            Self::SynAck => [true, true, false],
            Self::Ack => [false, true, false],
            Self::Data => [false, false, false],
            Self::Fin => [false, false, true],
            Self::FinAck => [false, true, true],
        }
    }

    const fn from_flags(syn: bool, ack: bool, fin: bool) -> Option<Self> {
        Some(match (syn, ack, fin) {
            (true, false, false) => Self::Syn,
            (true, true, false) => Self::SynAck,
            (false, true, false) => Self::Ack,
            (false, false, false) => Self::Data,
            (false, false, true) => Self::Fin,
            (false, true, true) => Self::FinAck,
            (true, _, true) => return None,
        })
    }
}

/// Why a datagram is not a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The datagram has fewer than four separators. An earlier protocol of the same kind has three.
    #[error("fewer than four separators")]
    Separators,
    /// A flag is neither 0 nor 1, or the combination is undefined.
    #[error("undefined flags")]
    Flags,
    /// The number is not a decimal number of at most [`MAX_NUMBER`]. A sign is invalid; zeros in front are not.
    #[error("invalid number")]
    Number,
}

impl<'d> Segment<'d> {
    /// A segment without a body.
    #[must_use]
    pub const fn bare(kind: Kind, number: u64) -> Self {
        Self { kind, number, body: &[] }
    }

    /// Decodes a datagram.
    ///
    /// Only the first four separators count, so a body may contain any byte, even `|||`. The body of data may have any
    /// length. The bytes after the fourth separator of any other segment are ignored: some implementations write `0` or
    /// `-` there. Others fill the number with zeros to 8 or 10 digits, so zeros in front of it are ignored as well.
    ///
    /// # Errors
    ///
    /// [`SegmentError`] if the datagram is not exactly one segment.
    pub fn decode(datagram: &'d [u8]) -> Result<Self, SegmentError> {
        let (syn, rest) = field(datagram)?;
        let (ack, rest) = field(rest)?;
        let (fin, rest) = field(rest)?;
        let (number, body) = field(rest)?;
        let kind = Kind::from_flags(flag(syn)?, flag(ack)?, flag(fin)?).ok_or(SegmentError::Flags)?;
        let number = digits(number).filter(|&number| number <= MAX_NUMBER).ok_or(SegmentError::Number)?;
        Ok(Self { kind, number, body: if kind == Kind::Data { body } else { &[] } })
    }

    /// Encodes the segment into `buf`; returns its length.
    ///
    /// The length is at most [`MAX_SEGMENT`] if the number is at most [`MAX_NUMBER`]. A body longer than [`MAX_BODY`]
    /// is truncated.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the segment does not fit. Nothing is written then.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let [syn, ack, fin] = self.kind.flags().map(u8::from);
        let mut segment = Vec::<u8, { MAX_SEGMENT + 1 }, u8>::new();
        // MAX_NUMBER has 19 digits. A higher number of 64 bits has at most 20.
        let written = write!(segment, "{syn}|||{ack}|||{fin}|||{}|||", self.number);
        let body = self.body.get(..MAX_BODY).unwrap_or(self.body);
        debug_assert!(written.is_ok() && segment.len() + body.len() <= segment.capacity());
        let _ = segment.extend_from_slice(body);
        let needed = segment.len();
        copy(&segment, buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?);
        Ok(needed)
    }
}

/// Splits `bytes` at the first separator.
fn field(bytes: &[u8]) -> Result<(&[u8], &[u8]), SegmentError> {
    let at = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR).ok_or(SegmentError::Separators)?;
    let (field, rest) = bytes.split_at_checked(at).ok_or(SegmentError::Separators)?;
    Ok((field, rest.get(SEPARATOR.len()..).ok_or(SegmentError::Separators)?))
}

const fn flag(field: &[u8]) -> Result<bool, SegmentError> {
    match field {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(SegmentError::Flags),
    }
}

/// Parses a canonical decimal number: no sign, and no leading zeros except `0` itself.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.len() > 1 && text.first() == Some(&b'0') { None } else { digits(text) }
}

/// Parses a decimal number without a sign.
fn digits(text: &[u8]) -> Option<u64> {
    // `parse` would accept a plus sign.
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn rejects(datagram: &str, error: SegmentError) {
        assert_eq!(Segment::decode(datagram.as_bytes()), Err(error), "{datagram}");
    }

    #[test]
    fn a_segment_has_four_separators() {
        rejects("0|||0|||0|||body", SegmentError::Separators);
        rejects("", SegmentError::Separators);
        rejects("0|||0|||0|||1||", SegmentError::Separators);
    }

    #[test]
    fn flags_are_single_digits_and_syn_excludes_fin() {
        for flags in ["|||0|||0", "2|||0|||0", "0|||00|||0", "0|||0||| 0", "+1|||0|||0", "1|||0|||1", "1|||1|||1"] {
            rejects(&std::format!("{flags}|||7|||"), SegmentError::Flags);
        }
    }

    #[test]
    fn a_number_is_decimal_without_a_sign() {
        for number in ["", "+1", "-1", " 1", "1 ", "1e3", "٣", "9223372036854775809", "99999999999999999999"] {
            rejects(&std::format!("0|||1|||0|||{number}|||"), SegmentError::Number);
        }
        for number in [0, 1, 10, MAX_NUMBER] {
            let text = std::format!("0|||1|||0|||{number}|||");
            assert_eq!(Segment::decode(text.as_bytes()), Ok(Segment::bare(Kind::Ack, number)));
        }
    }

    #[test]
    fn zeros_in_front_of_a_number_are_ignored() {
        for (text, number) in
            [("00", 0), ("00000046", 46), ("0000000022", 22), ("00000000009223372036854775808", MAX_NUMBER)]
        {
            let text = std::format!("0|||1|||0|||{text}|||");
            assert_eq!(Segment::decode(text.as_bytes()), Ok(Segment::bare(Kind::Ack, number)));
        }
        rejects("0|||1|||0|||009223372036854775809|||", SegmentError::Number);
    }

    #[test]
    fn the_length_of_a_message_has_no_zeros_in_front() {
        assert_eq!(
            [&b"0"[..], b"10", b"00", b"07", b"", b"+7"].map(decimal),
            [Some(0), Some(10), None, None, None, None]
        );
    }

    #[test]
    fn data_may_have_64_bytes_and_other_bodies_are_ignored() {
        for len in [17, 64, 1_400] {
            let body = "x".repeat(len);
            let text = std::format!("0|||0|||0|||1|||{body}");
            let segment = Segment { kind: Kind::Data, number: 1, body: body.as_bytes() };
            assert_eq!(Segment::decode(text.as_bytes()), Ok(segment));
        }
        for kind in [Kind::Syn, Kind::SynAck, Kind::Ack, Kind::Fin, Kind::FinAck] {
            let [syn, ack, fin] = kind.flags().map(u8::from);
            let text = std::format!("{syn}|||{ack}|||{fin}|||1|||-");
            assert_eq!(Segment::decode(text.as_bytes()), Ok(Segment::bare(kind, 1)));
        }
    }

    #[test]
    fn a_fourth_bar_belongs_to_the_body() {
        let segment = Segment::decode(b"0|||0|||0|||1||||\xff\0|||").unwrap();
        assert_eq!(segment.body, b"|\xff\0|||");
    }

    #[test]
    fn the_longest_segment_needs_max_segment_bytes() {
        let segment = Segment { kind: Kind::Data, number: MAX_NUMBER, body: &[b'x'; MAX_BODY] };
        let mut buf = [0; MAX_SEGMENT];
        assert_eq!(segment.encode(&mut buf), Ok(MAX_SEGMENT));
        assert_eq!(segment.encode(&mut buf[1..]), Err(BufferTooSmall { needed: MAX_SEGMENT }));
        let beyond = Segment { number: u64::MAX, ..segment };
        assert_eq!(beyond.encode(&mut [0; MAX_SEGMENT + 1]), Ok(MAX_SEGMENT + 1));
    }

    proptest! {
        #[test]
        fn an_encoded_segment_decodes_to_itself(flags in 0..6, number in 0..=MAX_NUMBER, body in prop::collection::vec(any::<u8>(), 0..=MAX_BODY)) {
            let kinds = [Kind::Data, Kind::Syn, Kind::SynAck, Kind::Ack, Kind::Fin, Kind::FinAck];
            let kind = kinds[usize::try_from(flags).unwrap()];
            let segment = Segment { kind, number, body: if kind == Kind::Data { &body } else { &[] } };
            let mut buf = [0; MAX_SEGMENT];
            let len = segment.encode(&mut buf).unwrap();
            prop_assert_eq!(Segment::decode(&buf[..len]), Ok(segment));
        }
    }
}
