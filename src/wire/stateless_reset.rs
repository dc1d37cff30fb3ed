//! The stateless reset: the answer to a datagram with an unknown tag (RFC 9000 §10.3).
//!
//! ```text
//! stateless reset := token 8 bytes   type of RESET   code u8
//! ```

use super::{PacketType, Tag};
use crate::BufferTooSmall;

/// The length of a stateless reset in bytes. Every other datagram of extended mode is longer.
pub(crate) const STATELESS_RESET_BYTES: usize = Tag::LEN + 2;

/// Writes a stateless reset into `buf`. `token` stands in the place of a tag.
pub(crate) fn write_stateless_reset(token: Tag, code: u8, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let error = BufferTooSmall { needed: STATELESS_RESET_BYTES };
    let (place, rest) = buf.split_first_chunk_mut().ok_or(error)?;
    let [packet_type, last, ..] = rest else { return Err(error) };
    *place = *token.as_bytes();
    (*packet_type, *last) = (PacketType::Reset.code(), code);
    Ok(STATELESS_RESET_BYTES)
}

/// Whether `datagram` is a stateless reset with this token. Its code has no meaning yet.
///
/// The duration of the comparison does not depend on the bits that differ (RFC 9000 §10.3.1).
pub(crate) fn is_stateless_reset(token: Tag, datagram: &[u8]) -> bool {
    let Some((found, &[packet_type, _code])) = datagram.split_first_chunk() else { return false };
    u64::from_ne_bytes(*found) == u64::from_ne_bytes(*token.as_bytes()) && packet_type == PacketType::Reset.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Tag = Tag::new(*b"token 01");

    #[test]
    fn a_stateless_reset_is_read_under_its_token_only() {
        let mut buf = [0; 16];
        assert_eq!(write_stateless_reset(TOKEN, 7, &mut buf), Ok(10));
        assert_eq!(&buf[..10], b"token 01\x08\x07");
        assert!(is_stateless_reset(TOKEN, &buf[..10]));
        assert!(!is_stateless_reset(Tag::new(*b"token 02"), &buf[..10]));
        assert!(!is_stateless_reset(TOKEN, &buf[..9]));
        assert!(!is_stateless_reset(TOKEN, &buf[..11]));
        assert!(!is_stateless_reset(TOKEN, b"token 01\x04\x07"));
        assert!(write_stateless_reset(TOKEN, 7, &mut buf[..9]).is_err());
    }
}
