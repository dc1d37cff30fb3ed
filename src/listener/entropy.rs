//! The entropy of a listener, and its parts.

use crate::tables::HashKey;
use core::fmt;

/// Unpredictable bytes for a listener.
///
/// A listener generates no randomness itself. Take the bytes from the cryptographic random number generator of the
/// system. An attacker that knows them can choose addresses that slow down look-ups, forge cookies, and take over
/// connections.
///
/// ```
/// use rdt_proto::listener::ListenerEntropy;
///
/// let bytes = [7; ListenerEntropy::BYTES]; // from the generator of the system
/// let entropy = ListenerEntropy::from(bytes);
/// ```
#[derive(Clone)]
pub struct ListenerEntropy {
    pub(super) hash_key: HashKey,
    pub(super) cookie_key: [u8; 16],
    /// The key of the nonces in the challenges of path validation.
    pub(super) nonce_secret: [u8; 16],
}

impl ListenerEntropy {
    /// The number of bytes that a listener needs.
    pub const BYTES: usize = 48;
}

/// Takes the parts in the order of the fields.
impl From<[u8; Self::BYTES]> for ListenerEntropy {
    fn from(bytes: [u8; Self::BYTES]) -> Self {
        let part = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        Self { hash_key: HashKey(part(0)), cookie_key: part(16), nonce_secret: part(32) }
    }
}

/// Prints no bytes: they are secret.
impl fmt::Debug for ListenerEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerEntropy").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_belongs_to_exactly_one_part() {
        let bytes: [u8; ListenerEntropy::BYTES] = core::array::from_fn(|index| u8::try_from(index).unwrap());
        let ListenerEntropy { hash_key, cookie_key, nonce_secret } = ListenerEntropy::from(bytes);
        assert_eq!([hash_key.0, cookie_key, nonce_secret].concat(), bytes);
    }

    #[test]
    fn debug_prints_no_bytes() {
        assert_eq!(std::format!("{:?}", ListenerEntropy::from([7; 48])), "ListenerEntropy { .. }");
    }
}
