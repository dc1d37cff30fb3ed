//! The tag: the prefix of all datagrams to one side of a connection.

use core::fmt;

/// Eight unpredictable bytes that start all datagrams to one side of a connection (extended mode).
///
/// Each side chooses its own tag in the handshake. An attacker that has not seen the handshake cannot forge a datagram,
/// and a connection recognizes its peer at a new address.
///
/// Take all eight bytes from the system's generator, not from a pseudorandom generator with a small seed. Choose again
/// while the tag [starts like](Self::starts_like) a framing in use on the same socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Tag([u8; 8]);

impl Tag {
    /// The length of a tag in bytes.
    pub const LEN: usize = 8;

    /// The tag of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order of the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl From<[u8; 8]> for Tag {
    fn from(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:016x})", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_bytes_in_the_order_of_the_wire() {
        let tag = Tag::from([1, 2, 3, 4, 5, 6, 7, 0xff]);
        assert_eq!(tag.as_bytes(), &[1, 2, 3, 4, 5, 6, 7, 0xff]);
        assert_eq!(std::format!("{tag:?}"), "Tag(01020304050607ff)");
    }
}
