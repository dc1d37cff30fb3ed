//! Segments: text with four separators before the body.

use crate::BufferTooSmall;
use core::fmt::Write;
use heapless::Vec;
use thiserror::Error;

/// The most bytes that a body has.
pub const MAX_BODY: usize = 16;

/// Numbers end here: whoever would have to go further ends the connection instead of wrapping.
pub const MAX_NUMBER: u64 = 1 << 63;

/// The most bytes that a segment has: three flags, nineteen digits, four separators and a body.
pub const MAX_SEGMENT: usize = 3 + 19 + 4 * SEPARATOR.len() + MAX_BODY;

const SEPARATOR: &[u8] = b"|||";

/// One segment.
///
/// ```
/// use rdt_proto::socket_tcp::{Kind, Segment};
///
/// let segment = Segment::decode(b"0|||0|||0|||14|||a|||b").unwrap();
/// assert_eq!(segment, Segment { kind: Kind::Data, number: 14, body: b"a|||b" });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment<'d> {
    /// What the flags say that it is.
    pub kind: Kind,
    /// Its number, `seq` on the wire: that of the first byte of its body, or what an acknowledgement acknowledges. At most
    /// [`MAX_NUMBER`].
    pub number: u64,
    /// At most [`MAX_BODY`] bytes; only data have any.
    pub body: &'d [u8],
}

/// What the flags of a segment say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Kind {
    /// SYN: opens a connection.
    Syn,
    /// SYN and ACK: accepts it.
    SynAck,
    /// ACK: everything before its number has arrived.
    Ack,
    /// No flag: the length of a message, or a piece of it.
    Data,
    /// FIN: closes the connection, or says at last that the answer to that has arrived.
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

/// Why a datagram is no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// It has fewer than four separators (the exercise that came before the protocol had three).
    #[error("fewer than four separators")]
    Separators,
    /// A flag is neither 0 nor 1, or they are a combination that means nothing.
    #[error("flags that mean nothing")]
    Flags,
    /// The number is not a decimal number without sign and leading zeros, or above [`MAX_NUMBER`].
    #[error("not a number")]
    Number,
    /// The body has more than [`MAX_BODY`] bytes, or stands where there is none.
    #[error("a body that is too long, or stands where there is none")]
    Body,
}

impl<'d> Segment<'d> {
    /// A segment without a body.
    #[must_use]
    pub const fn bare(kind: Kind, number: u64) -> Self {
        Self { kind, number, body: &[] }
    }

    /// Reads a datagram. The separators count from the left: a body may contain any byte, and `|||` too.
    ///
    /// # Errors
    ///
    /// If it is not exactly one segment: to be counted and ignored.
    pub fn decode(datagram: &'d [u8]) -> Result<Self, SegmentError> {
        let (syn, rest) = field(datagram)?;
        let (ack, rest) = field(rest)?;
        let (fin, rest) = field(rest)?;
        let (number, body) = field(rest)?;
        let kind = Kind::from_flags(flag(syn)?, flag(ack)?, flag(fin)?).ok_or(SegmentError::Flags)?;
        let number = decimal(number).filter(|&number| number <= MAX_NUMBER).ok_or(SegmentError::Number)?;
        let longest = if kind == Kind::Data { MAX_BODY } else { 0 };
        if body.len() > longest {
            return Err(SegmentError::Body);
        }
        Ok(Self { kind, number, body })
    }

    /// Writes it into `buf`, and returns how many bytes it has, at most [`MAX_SEGMENT`]. A body longer than [`MAX_BODY`] is cut.
    ///
    /// # Errors
    ///
    /// If it does not fit: nothing of use was written.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let [syn, ack, fin] = self.kind.flags().map(u8::from);
        let mut segment = Vec::<u8, { MAX_SEGMENT + 1 }, u8>::new();
        // Whatever the number, it has at most one digit more than one that may be sent.
        let written = write!(segment, "{syn}|||{ack}|||{fin}|||{}|||", self.number);
        let body = self.body.get(..MAX_BODY).unwrap_or(self.body);
        debug_assert!(written.is_ok() && segment.len() + body.len() <= segment.capacity());
        let _ = segment.extend_from_slice(body);
        let needed = segment.len();
        buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?.copy_from_slice(&segment);
        Ok(needed)
    }
}

/// What stands before the next separator, and what comes behind it.
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

/// A decimal number as it is written: without a sign, and without leading zeros but for 0 itself.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if text.iter().all(u8::is_ascii_digit) => str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn refused(datagram: &str, error: SegmentError) {
        assert_eq!(Segment::decode(datagram.as_bytes()), Err(error), "{datagram}");
    }

    #[test]
    fn three_separators_are_another_protocol() {
        refused("0|||0|||0|||body", SegmentError::Separators);
        refused("", SegmentError::Separators);
        refused("0|||0|||0|||1||", SegmentError::Separators);
    }

    #[test]
    fn flags_are_digits_and_a_syn_closes_nothing() {
        for flags in ["|||0|||0", "2|||0|||0", "0|||00|||0", "0|||0||| 0", "+1|||0|||0", "1|||0|||1", "1|||1|||1"] {
            refused(&std::format!("{flags}|||7|||"), SegmentError::Flags);
        }
    }

    #[test]
    fn numbers_are_strict() {
        for number in
            ["", "+1", "-1", "01", "00", " 1", "1 ", "1e3", "٣", "9223372036854775809", "99999999999999999999"]
        {
            refused(&std::format!("0|||1|||0|||{number}|||"), SegmentError::Number);
        }
        for number in [0, 1, 10, MAX_NUMBER] {
            let text = std::format!("0|||1|||0|||{number}|||");
            assert_eq!(Segment::decode(text.as_bytes()), Ok(Segment::bare(Kind::Ack, number)));
        }
    }

    #[test]
    fn only_data_have_a_body_and_of_sixteen_bytes_at_most() {
        refused("0|||0|||0|||1|||12345678901234567", SegmentError::Body);
        for flags in ["1|||0|||0", "1|||1|||0", "0|||1|||0", "0|||0|||1", "0|||1|||1"] {
            refused(&std::format!("{flags}|||1|||x"), SegmentError::Body);
        }
    }

    #[test]
    fn a_fourth_stroke_belongs_to_the_body() {
        let segment = Segment::decode(b"0|||0|||0|||1||||\xff\0|||").unwrap();
        assert_eq!(segment.body, b"|\xff\0|||");
    }

    #[test]
    fn the_longest_segment_fits_and_one_byte_less_does_not() {
        let segment = Segment { kind: Kind::Data, number: MAX_NUMBER, body: &[b'x'; MAX_BODY] };
        let mut buf = [0; MAX_SEGMENT];
        assert_eq!(segment.encode(&mut buf), Ok(MAX_SEGMENT));
        assert_eq!(segment.encode(&mut buf[1..]), Err(BufferTooSmall { needed: MAX_SEGMENT }));
        let beyond = Segment { number: u64::MAX, ..segment };
        assert_eq!(beyond.encode(&mut [0; MAX_SEGMENT + 1]), Ok(MAX_SEGMENT + 1));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(flags in 0..6, number in 0..=MAX_NUMBER, body in prop::collection::vec(any::<u8>(), 0..=MAX_BODY)) {
            let kinds = [Kind::Data, Kind::Syn, Kind::SynAck, Kind::Ack, Kind::Fin, Kind::FinAck];
            let kind = kinds[usize::try_from(flags).unwrap()];
            let segment = Segment { kind, number, body: if kind == Kind::Data { &body } else { &[] } };
            let mut buf = [0; MAX_SEGMENT];
            let len = segment.encode(&mut buf).unwrap();
            prop_assert_eq!(Segment::decode(&buf[..len]), Ok(segment));
        }
    }
}
