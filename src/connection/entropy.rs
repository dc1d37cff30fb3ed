//! The entropy of a connection.

use crate::wire::Tag;
use core::fmt;

/// Unpredictable bytes for one connection.
///
/// A connection generates no randomness itself. Pass different bytes to each connection, from the cryptographic random
/// number generator of the system. Base mode uses the bytes only for timer jitter. Extended mode also derives the tag
/// and the nonces of PROBE from the bytes: an attacker that knows the bytes can inject data.
///
/// ```
/// use rdt_proto::connection::Entropy;
///
/// let bytes = [7; Entropy::BYTES]; // from the random number generator of the system
/// let entropy = Entropy::from(bytes);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Entropy {
    jitter_seed: u64,
    tag: Tag,
    nonce_secret: [u8; 16],
}

impl Entropy {
    /// The number of bytes that a connection needs.
    pub const BYTES: usize = 32;

    /// The seed of the timer jitter.
    pub(crate) const fn jitter_seed(&self) -> u64 {
        self.jitter_seed
    }

    /// The tag that this side announces in extended mode.
    pub(crate) const fn tag(&self) -> Tag {
        self.tag
    }

    /// The secret from which the nonces of PROBE are derived.
    pub(crate) const fn nonce_secret(&self) -> [u8; 16] {
        self.nonce_secret
    }

    /// The same entropy with another tag.
    pub(crate) const fn with_tag(self, tag: Tag) -> Self {
        Self { tag, ..self }
    }
}

/// Splits the bytes into seed, tag and secret, in this order.
impl From<[u8; Self::BYTES]> for Entropy {
    fn from(bytes: [u8; Self::BYTES]) -> Self {
        let part = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        let [jitter_seed, tag] = [part(0), part(8)];
        let nonce_secret = bytes.last_chunk().copied().unwrap_or_default();
        Self { jitter_seed: u64::from_be_bytes(jitter_seed), tag: Tag::new(tag), nonce_secret }
    }
}

/// Prints no bytes: they are secret.
impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_belongs_to_exactly_one_part() {
        let bytes: [u8; Entropy::BYTES] = core::array::from_fn(|index| u8::try_from(index).unwrap());
        let entropy = Entropy::from(bytes);
        let seed = entropy.jitter_seed().to_be_bytes();
        let parts = [&seed[..], &entropy.tag().as_bytes()[..], &entropy.nonce_secret()[..]].concat();
        assert_eq!(parts, bytes);
    }

    #[test]
    fn with_tag_keeps_the_other_parts() {
        let (entropy, tag) = (Entropy::from([7; 32]), Tag::new([1; 8]));
        let other = entropy.clone().with_tag(tag);
        assert_eq!(other.tag(), tag);
        assert_eq!(other.with_tag(entropy.tag()), entropy);
    }

    #[test]
    fn debug_prints_no_bytes() {
        assert_eq!(std::format!("{:?}", Entropy::from([7; 32])), "Entropy { .. }");
    }
}
