//! Variable-length integers of QUIC (RFC 9000 §16), for the lengths of options.
//!
//! The two top bits of the first byte give the length of the integer: 1, 2, 4 or 8 bytes. A value below 64 is its own
//! single byte. The shortest form is written; any form is read.

use super::writer::Writer;

/// The largest value that two bytes hold: the longest option that is written.
pub(super) const MAX_OF_TWO_BYTES: usize = (1 << 14) - 1;

/// Reads an integer from the start of `bytes`. Also returns the bytes after it.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let start = u64::from(first & 0x3f);
    let more = match first >> 6 {
        0 => 0,
        1 => 1,
        2 => 3,
        _ => 7,
    };
    let (more, after) = rest.split_at_checked(more)?;
    Some((more.iter().fold(start, |value, &byte| value << 8 | u64::from(byte)), after))
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
            assert_eq!(read(&[bytes, b"rest"].concat()), Some((value, &b"rest"[..])));
            for len in 0..bytes.len() {
                assert_eq!(read(&bytes[..len]), None, "{len} bytes of {value}");
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
            assert_eq!(read(&place[..bytes]), Some((value as u64, &[][..])));
        }
    }
}
