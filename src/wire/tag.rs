//! The tag that one side asks the other to put before everything it sends.

use core::fmt;

/// Eight unpredictable bytes that a side chooses in extended mode; what is sent to it starts with them, so that nobody who
/// has not seen the handshake can speak to it, and a peer whose address changed can be recognised.
///
/// Take it from the full entropy of the system, not from a small generator, and choose again while it
/// [starts like](Self::starts_like) a framing in use on the same socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Tag([u8; 8]);

impl Tag {
    /// How many bytes a tag has.
    pub const LEN: usize = 8;

    /// The tag of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes, as they stand at the start of a datagram.
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
    fn bytes_come_back_and_debug_shows_them_in_order() {
        let tag = Tag::from([1, 2, 3, 4, 5, 6, 7, 0xff]);
        assert_eq!(tag.as_bytes(), &[1, 2, 3, 4, 5, 6, 7, 0xff]);
        assert_eq!(std::format!("{tag:?}"), "Tag(01020304050607ff)");
    }
}
