//! Why bytes are no packet, and why a packet cannot be bytes.

use thiserror::Error;

use crate::BufferTooSmall;
use crate::counts::countable;

/// Why a datagram is not a packet. It is to be ignored and counted; the reasons are told apart for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It starts with another prefix, or is shorter than the prefix: it is not meant for this framing.
    #[error("the datagram starts with another prefix")]
    Prefix,
    /// The framing has no packet of this type.
    #[error("no packet has this type")]
    Type,
    /// It ends before the last field of its packet.
    #[error("the datagram ends before its last field")]
    Truncated,
    /// The length that INFO announces is not the length of what follows.
    #[error("the length of INFO disagrees with what follows")]
    Length,
    /// Bytes are left after the last field of its packet.
    #[error("bytes are left after the last field")]
    Trailing,
    /// The options of CONNECT or CONNACK are malformed, repeat a kind, or hold a value that is not allowed.
    #[error("the options are malformed")]
    Options,
    /// The bitmap of SACK is longer than 128 bytes.
    #[error("the bitmap of SACK is too long")]
    Sack,
    /// The cookie of RETRY has no bytes, or more than 64.
    #[error("the cookie of RETRY is empty or too long")]
    Cookie,
    /// It is longer than [`MAX_DATAGRAM`](super::MAX_DATAGRAM).
    #[error("the datagram is too long")]
    TooLong,
}

countable!(DecodeError: Prefix, Type, Truncated, Length, Trailing, Options, Sack, Cookie, TooLong);

/// Why a packet cannot be written. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum EncodeError {
    /// The memory lent cannot hold the datagram.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// The framing is base mode only, and the packet, or an option in it, is not part of base mode.
    #[error("the packet does not exist in this framing")]
    NotInProfile,
    /// The datagram would be longer than [`MAX_DATAGRAM`](super::MAX_DATAGRAM).
    #[error("the datagram would be too long")]
    TooLong,
    /// A field has a value that the wire cannot express: a cookie that is not 1 to 64 bytes, or a bitmap of more than 128.
    #[error("a field has a value that has no form on the wire")]
    Unrepresentable,
}

/// Why an option cannot be added to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum OptionsError {
    /// The memory lent cannot hold the list with this option.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// An option of this kind is in the list already.
    #[error("an option of kind {0} is in the list already")]
    Repeated(u8),
    /// The option does not allow this value: a segment below 64, a window of 0 or of 2^31 and more, a cookie that is not 1 to
    /// 64 bytes, a value longer than 255 bytes, or a raw value of another length than its kind has.
    #[error("an option of kind {0} cannot have this value")]
    Value(u8),
}

/// A prefix has 1 to 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("a prefix has 1 to 8 bytes, not {len}")]
pub struct FramingError {
    /// How many bytes the refused prefix has.
    pub len: usize,
}
