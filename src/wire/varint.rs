//! Variable-length integers of QUIC (RFC 9000 §16), for the lengths of options.
//!
//! The two top bits of the first byte give the length of the integer: 1, 2, 4 or 8 bytes. A value below 64 is its own
//! single byte. The shortest form is written; any form is read.

use super::reader::Reader;
use super::writer::Writer;

/// The largest value that two bytes hold: the longest option that is written.
pub(super) const MAX_OF_TWO_BYTES: usize = (1 << 14) - 1;

/// Reads an integer.
pub(super) fn read(bytes: &mut Reader<'_>) -> u64 {
    let first = bytes.u8();
    let more = match first >> 6 {
        0 => 0,
        1 => 1,
        2 => 3,
        _ => 7,
    };
    (0..more).fold(u64::from(first & 0x3f), |value, _| value << 8 | u64::from(bytes.u8()))
}

/// How many bytes the shortest form of `value` takes. `value` is at most [`MAX_OF_TWO_BYTES`].
pub(super) const fn len(value: usize) -> usize {
    if value < 0x40 { 1 } else { 2 }
}

/// Writes `value`, which is at most [`MAX_OF_TWO_BYTES`], in [`len`] bytes.
pub(super) fn write(value: usize, out: &mut Writer<'_>) {
    let [high, low] = u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes();
    if len(value) > 1 {
        out.u8(high | 0x40);
    }
    out.u8(low);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9000_a_1_sample_decodings() {
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            let list = [bytes, b"rest"].concat();
            let mut reader = Reader::new(&list);
            assert_eq!((read(&mut reader), reader.rest()), (value, &b"rest"[..]));
            assert!(reader.is_valid());
            for len in 0..bytes.len() {
                let mut reader = Reader::new(&bytes[..len]);
                read(&mut reader);
                assert!(!reader.is_valid(), "{len} bytes of {value}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_in_the_shortest_form() {
        for (value, bytes) in [(0, 1), (63, 1), (64, 2), (255, 2), (MAX_OF_TWO_BYTES, 2)] {
            let mut place = [0; 2];
            let mut out = Writer::new(&mut place);
            write(value, &mut out);
            assert_eq!((out.finish(), len(value)), (Ok(bytes), bytes));
            assert_eq!(read(&mut Reader::new(&place[..bytes])), value as u64);
        }
    }
}
