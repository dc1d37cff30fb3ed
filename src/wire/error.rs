//! Errors of decoding and encoding.

use thiserror::Error;

use crate::BufferTooSmall;
use crate::counts::countable;

/// Why a datagram is not a packet.
///
/// The receiver counts such a datagram by its reason, and ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The datagram starts with another prefix, or is shorter than the prefix.
    #[error("the datagram starts with another prefix")]
    Prefix,
    /// The framing has no packet of this type, or a reserved bit of the type is set.
    #[error("the packet type is unknown")]
    Type,
    /// The datagram ends before the last field of its packet.
    #[error("the datagram ends before its last field")]
    Truncated,
    /// The `length` field of INFO or PROBE differs from the length of what follows: a relay may have cut it off.
    #[error("the length field differs from the length of what follows")]
    Length,
    /// Bytes follow the last field of the packet.
    #[error("bytes follow the last field")]
    Trailing,
    /// The options of CONNECT or CONNACK are malformed, repeat a kind, or have a value out of range.
    #[error("the options are malformed")]
    Options,
    /// The bitmap of SACK is longer than 128 bytes.
    #[error("the bitmap of SACK is too long")]
    Sack,
    /// The cookie of RETRY has no bytes, or more than 64.
    #[error("the cookie of RETRY is empty or too long")]
    Cookie,
    /// The datagram is longer than [`MAX_DATAGRAM`](super::MAX_DATAGRAM).
    #[error("the datagram is too long")]
    TooLong,
}

countable!(DecodeError: Prefix, Type, Truncated, Length, Trailing, Options, Sack, Cookie, TooLong);

/// Why a packet cannot be encoded. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum EncodeError {
    /// The buffer cannot hold the datagram.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// The framing has only base mode, and the packet, or an option in it, belongs to extended mode.
    #[error("the packet does not exist in this framing")]
    NotInProfile,
    /// The datagram would be longer than [`MAX_DATAGRAM`](super::MAX_DATAGRAM).
    #[error("the datagram would be too long")]
    TooLong,
    /// The wire cannot express a field: a cookie must have 1 to 64 bytes, and a bitmap at most 128.
    ///
    /// Only a tagged framing has counters, and requests of INFO other than the default.
    #[error("the wire cannot express a field of the packet")]
    Unrepresentable,
}

/// Why an option cannot be added to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum OptionsError {
    /// The buffer cannot hold the list with this option.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// The list already has an option of this kind.
    #[error("the list already has an option of kind {0}")]
    Repeated(u8),
    /// The value is out of range for this kind, or has the wrong length.
    ///
    /// A segment is at least 64, a window is 1 to 2^31 − 1, a version is at least 1, a cookie has 1 to 64 bytes, and
    /// any value has at most 16,383 bytes. Kind 0 has no value.
    #[error("an option of kind {0} cannot have this value")]
    Value(u8),
    /// The list was padded, and nothing can follow padding.
    #[error("padding has ended the list")]
    Ended,
}

/// The prefix of a framing does not have 1 to 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("a prefix has 1 to 8 bytes, not {len}")]
pub struct FramingError {
    /// The length of the refused prefix in bytes.
    pub len: usize,
}
