//! Framing, packets, options: bytes to values and back, without state.
//!
//! [`Framing::decode`] turns a datagram into a [`Packet`] that borrows from it, [`Packet::encode`] writes one into memory
//! that the caller lends. Neither allocates, keeps anything, or can panic; the work for a datagram is one pass over its
//! header, and one copy of the body when writing. What a packet *means* is decided elsewhere: this module knows which bytes
//! are a packet, not whether it comes at the right moment.
//!
//! Two laws hold for every framing, and are tested as such:
//!
//! 1. a packet that can be encoded decodes to itself;
//! 2. a datagram that decodes encodes to itself, byte for byte. Unknown options, padding and zero bits at the end of a
//!    bitmap survive.
//!
//! ```
//! use rdt_proto::Seq;
//! use rdt_proto::wire::{Framing, Packet};
//!
//! let mut datagram = [0; 64];
//! let packet = Packet::Info { number: Seq::new(7), body: b"hello" };
//! let len = packet.encode(&Framing::NOTE, &mut datagram)?;
//! assert_eq!(&datagram[..len], b"RDT1\x02\x00\x05\x00\x00\x00\x07hello");
//! assert_eq!(Framing::NOTE.decode(&datagram[..len]), Ok(packet));
//! # Ok::<(), rdt_proto::wire::EncodeError>(())
//! ```
//!
//! # The protocol on the wire
//!
//! ```text
//! datagram := prefix  type(1)  fields…
//! ```
//!
//! All integers are big-endian. A datagram has at most 65,507 bytes ([`MAX_DATAGRAM`]), which is what UDP over IPv4 carries.
//! The prefix and the value of the first type depend on the [`Framing`]:
//!
//! | framing | prefix | type of CONNECT | packets |
//! |---|---|---|---|
//! | [`Framing::NOTE`] | `52 44 54 31` (`RDT1`) | `00` | all |
//! | [`Framing::with_prefix`] | 1 to 8 bytes of the application's own | `00` | all |
//! | [`Framing::tagged`] | the 8-byte [`Tag`] of the side that receives | `00` | all |
//! | [`Framing::ROSTOV`] | `52 4f 53 54 4f 56` (`ROSTOV`) | `30` (`'0'`) | types 0 to 5, without options |
//!
//! In *base* mode both directions use one framing. *Extended* mode is agreed in the handshake: CONNECT goes out under the
//! common prefix and carries the client's tag as an option; CONNACK carries the server's. From CONNACK (or RETRY, or RESET)
//! on, everything that is sent to a side is prefixed by that side's tag, so that each direction has a framing of its own and
//! a stranger who sees no datagram has 64 bits to guess.
//!
//! | type | packet | fields after the type | mode |
//! |---|---|---|---|
//! | 0 | CONNECT | nothing, or options | both |
//! | 1 | CONNACK | nothing, or options | both |
//! | 2 | INFO | `length` u16, `number` u32, then `length` bytes of body, and no more | both |
//! | 3 | ACK | `number` u32 | base |
//! | 4 | FIN | nothing | both |
//! | 5 | FINACK | nothing | both |
//! | 6 | SACK | `next` u32, `window` u32, `latest` u32, `delay` u16, `base` u32, `bitmap` of 0 to 128 bytes | extended |
//! | 7 | RETRY | `cookie`, 1 to 64 bytes, to the end of the datagram | extended |
//! | 8 | RESET | `code` u8 | extended |
//! | 9 | PROBE | `nonce` u64, then any number of padding bytes | extended |
//! | 10 | ECHO | `nonce` u64 | extended |
//!
//! The last column is a matter of the connection, which knows its mode; only [`Framing::ROSTOV`] rules packets out here.
//!
//! ## Options
//!
//! CONNECT and CONNACK may carry a list of options (see [`Options`]), each `kind(1) length(1) value(length)`:
//!
//! | kind | option | value | meaning |
//! |---|---|---|---|
//! | 1 | TAG | 8 bytes | "prefix what you send me with this"; required in extended mode |
//! | 2 | SEGMENT | u16, at least 64 | the largest INFO body that I accept; 1,200 if absent |
//! | 3 | WINDOW | u32, 1 to 2^31 − 1 | my receive window in packets, at the start; 1 if absent |
//! | 4 | COOKIE | 1 to 64 bytes | what RETRY gave, handed back |
//! | 5 | IDLE | u32 | my idle limit in milliseconds, the smaller of the two holds; below 1,000 counts as 1,000 |
//! | 6 | PADDING | any | ignored; a client makes its CONNECT at least 80 bytes ([`MIN_CONNECT`]) with it |
//!
//! Other kinds are skipped. A list that ends inside an option, a kind that occurs twice, or a value outside the table makes
//! the whole packet invalid.
//!
//! ## Selective acknowledgement
//!
//! A SACK says: every number before `next` has been received; `window` numbers from `next` on would be taken now; the INFO
//! that arrived last was `latest`, `delay` × 16 µs ago (`ffff`: no sample); and bit *i* of the bitmap (least significant bit
//! of each byte first) says that number `base + i` has been received. See [`Sack`].
//!
//! ## What is refused
//!
//! Whatever is not exactly one of the above gives a [`DecodeError`] that says why. Such a datagram is to be counted and
//! ignored, never answered.

#![deny(clippy::arithmetic_side_effects)]

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod decode;
mod encode;
mod error;
mod framing;
#[cfg(feature = "arbitrary")]
#[doc(hidden)]
pub mod fuzzing;
mod options;
mod options_writer;
mod packet;
mod packet_type;
mod sack;
mod tag;
mod writer;

pub use error::{DecodeError, EncodeError, FramingError, OptionsError};
pub use framing::Framing;
pub use options::{Options, option_kind};
pub use options_writer::OptionsWriter;
pub use packet::Packet;
pub use sack::{Sack, SackDelay};
pub use tag::Tag;

/// The most bytes that a datagram has: what UDP over IPv4 carries (65,535 less 20 of IP and 8 of UDP). More is neither
/// encoded nor decoded.
pub const MAX_DATAGRAM: usize = 65_507;

/// A client's CONNECT in extended mode has at least this many bytes, so that no answer is larger than the question
/// (see [`OptionsWriter::pad_to`]).
pub const MIN_CONNECT: usize = 80;

/// The most bytes of a cookie, in RETRY and in the COOKIE option. The least is 1.
pub const MAX_COOKIE: usize = 64;

/// The most bytes of the bitmap in a SACK: 1,024 numbers.
pub const MAX_BITMAP: usize = 128;

/// The least value of the SEGMENT option.
pub const MIN_SEGMENT: u16 = 64;

/// The largest value of the WINDOW option. Numbers compare well only while they are less than 2^31 apart.
pub const MAX_WINDOW: u32 = (1 << 31) - 1;
