//! The wire format: framing, packets and options, without state.
//!
//! [`Framing::decode`] turns a datagram into a [`Packet`] that borrows from it. [`Packet::encode`] writes a packet into
//! a buffer of the caller. Neither allocates or panics. Decoding is one pass over the header. Encoding also copies the
//! body once. This module decides whether bytes are a packet. A [`connection`](crate::connection) decides whether to
//! accept that packet in its state.
//!
//! Two laws hold for every framing, and have tests:
//!
//! 1. A packet that can be encoded decodes to itself.
//! 2. A datagram that decodes encodes to itself with its counter, byte for byte. Unknown options, padding and trailing
//!    zeros of a bitmap are preserved.
//!
//! ```
//! use rdt_proto::Seq;
//! use rdt_proto::wire::{AckRequest, Framing, Packet};
//!
//! let mut datagram = [0; 64];
//! let packet = Packet::Info { number: Seq::new(7), body: b"hello", request: AckRequest::DEFAULT };
//! let len = packet.encode(&Framing::NOTE, &mut datagram)?;
//! assert_eq!(&datagram[..len], b"RDT1\x02\x00\x05\x00\x00\x00\x07hello");
//! assert_eq!(Framing::NOTE.decode(&datagram[..len]), Ok(packet));
//! # Ok::<(), rdt_proto::wire::EncodeError>(())
//! ```
//!
//! # The protocol on the wire
//!
//! ```text
//! datagram := prefix  type(1)  fields…                   base mode, and the handshake
//!           | tag(8)  type(1)  counter(4)  fields…        extended mode after the handshake
//! ```
//!
//! All integers are big-endian. A datagram has at most 65,507 bytes ([`MAX_DATAGRAM`]), the most that UDP over IPv4
//! carries. The [`Framing`] defines the prefix and the type byte of CONNECT. The type bytes of the other packets are
//! that byte plus 1 to 10.
//!
//! | framing | prefix | type of CONNECT | packets |
//! |---|---|---|---|
//! | [`Framing::NOTE`] | `52 44 54 31` (`RDT1`) | `00` | all |
//! | [`Framing::with_prefix`] | 1 to 8 bytes that the application chooses | `00` | all |
//! | [`Framing::tagged`] | the 8-byte [`Tag`] of the receiver | `00` | all, with a counter after the handshake |
//! | [`Framing::ROSTOV`] | `52 4f 53 54 4f 56` (`ROSTOV`) | `30` (`'0'`) | types 0 to 5, without options |
//!
//! In *base* mode both directions use one framing.
//!
//! The handshake negotiates *extended* mode. CONNECT has the common prefix, and carries the tag of the client as an
//! option. CONNACK carries the tag of the server. In extended mode every datagram but CONNECT has the tag of its
//! receiver as prefix. Each direction therefore has a framing of its own, and an attacker that sees no datagram has to
//! guess 64 bits.
//!
//! | type | packet | fields after the type and the counter | mode | counter |
//! |---|---|---|---|---|
//! | 0 | CONNECT | none, or options | both | no |
//! | 1 | CONNACK | none, or options | both | no |
//! | 2 | INFO | in extended mode `request` u8; `length` u16, `number` u32, `body` of `length` bytes | both | extended |
//! | 3 | ACK | `number` u32 | base | no |
//! | 4 | FIN | none | both | extended |
//! | 5 | FINACK | none | both | extended |
//! | 6 | SACK | `next` u32, `window` u32, `latest` u32, `counter` u32, `delay` u16, `ce` u32, `base` u32, `bitmap` of 0–128 bytes | extended | yes |
//! | 7 | RETRY | `cookie` of 1 to 64 bytes | extended | no |
//! | 8 | RESET | `code` u8 | extended | yes |
//! | 9 | PROBE | `nonce` u64, `length` u16, `padding` of `length` bytes | extended | yes |
//! | 10 | ECHO | `nonce` u64, `counter` u32 | extended | yes |
//!
//! The connection knows its mode and enforces the fourth column. Decoding enforces it for [`Framing::ROSTOV`] only.
//!
//! ## The type byte in extended mode
//!
//! | bits | meaning |
//! |---|---|
//! | `80` | reserved, 0: the key phase of an authenticated mode |
//! | `40` | in INFO: *answer at once*; in PROBE: *answer with SACK*; reserved in all other packets, 0 |
//! | `3f` | the type |
//!
//! A datagram with a reserved bit has an unknown type. The receiver of an INFO that asks for an answer at once sends
//! its SACK without delay. PROBE brings one answer: SACK, which carries the window, or ECHO.
//!
//! ## The request of an INFO
//!
//! `request` says when the receiver sends its SACK: after so many INFO packets, or so long after the first of them.
//!
//! | bits | meaning |
//! |---|---|
//! | `f0` | *n*: one SACK for 2, 3, 4, 6, 8, 12 … 384 packets, that is (2 + *n* mod 2) · 2^⌊*n* / 2⌋ |
//! | `0f` | *t*: or after 1.25 ms · 2^*t* |
//!
//! The request of the INFO that arrives counts. A receiver may acknowledge earlier, and waits at most 40 ms. See
//! [`AckRequest`].
//!
//! ## The counter
//!
//! Each side counts the datagrams that it sends after the handshake, from 0. Repeats count too, and so do packets that
//! carry no data. The counter has 64 bits and never repeats; its low 32 bits travel. The challenges of a path
//! validation belong to the same count. A RESET that refuses a CONNECT has counter 0, since there is no connection.
//!
//! The counter names a transmission. SACK returns the counter of the INFO that arrived last, and ECHO that of its
//! PROBE. The sender thus knows which transmission of a repeated INFO arrived. A receiver does not require an order:
//! the network may reorder and repeat datagrams.
//!
//! ## Options
//!
//! CONNECT and CONNACK may carry a list of [`Options`], each `kind(1) length value(length)`. The length is a
//! variable-length integer of QUIC (RFC 9000 §16): one byte up to 63, two bytes up to 16,383, four or eight beyond.
//! Kind 0 ends the list and has no length. The receiver ignores all bytes after it.
//!
//! A list is padded by PADDING, and a PROBE says its length: if a relay cuts off the end of a datagram, it does not count,
//! so that it does not seem to show that the path carries its size.
//!
//! | kind | option | value | meaning |
//! |---|---|---|---|
//! | 0 | END | – | the list ends |
//! | 1 | TAG | 8 bytes | the prefix of all datagrams to the sender of the option; required in extended mode |
//! | 2 | SEGMENT | u16, at least 64 | the largest INFO body that the sender of the option accepts; default 1,200 |
//! | 3 | WINDOW | u32, 1 to 2^31 − 1 | the initial receive window of the sender of the option, in packets; default 1 |
//! | 4 | COOKIE | 1 to 64 bytes | the cookie of a RETRY |
//! | 5 | IDLE | u32 | the idle limit of the sender of the option, in milliseconds; below 1,000 counts as 1,000 |
//! | 7 | VERSION | u32, at least 1 | the version of extended mode that the sender of the option speaks: [`VERSION`] |
//! | 8 | ATTEMPT | u8 | CONNECT: the number of this transmission, from 0, modulo 256; CONNACK: that of the CONNECT that arrived last; default 0 |
//! | 9 | TOKEN | 8 bytes | CONNACK: the token of a [stateless reset](#stateless-reset) of this connection |
//! | 10 | PADDING | any bytes | none; CONNECT has at least [`MIN_CONNECT`] bytes, CONNACK may have padding too |
//!
//! The smaller idle limit of the two sides applies to both. The receiver skips options of unknown kinds; kind 6 is not
//! in use. The whole packet is invalid if its list ends inside an option, repeats a kind, has a value that is out of
//! range, or announces a tag that begins with the profile's prefix. The identity of a handshake is the address and the
//! tag of the client: a CONNECT with another cookie or padding repeats it.
//!
//! ## Versions
//!
//! CONNECT and CONNACK of extended mode carry VERSION. A missing one counts as version 0. A server answers a CONNECT of
//! another version by a CONNACK under the client's tag whose only option is the server's VERSION: 15 bytes for at least
//! 124. The server checks the version before it validates the address, and keeps nothing. A client that receives a
//! CONNACK of another version ends at once. The format of CONNECT, CONNACK, TAG and VERSION is the same in all
//! versions.
//!
//! ## Selective acknowledgement
//!
//! - `next`: every number before it has been received.
//! - `window`: the receiver accepts this many numbers from `next` on.
//! - `latest`: the number of the INFO that arrived last.
//! - `counter`: the counter of that INFO. A sender that has never sent it, or a number that SACK acknowledges,
//!   ends the connection.
//! - `delay`: the time since that arrival, in units of 16 µs; `ffff` gives no RTT sample.
//! - `ce`: how many datagrams have arrived with a mark of congestion (ECN CE), modulo 2^32. A side that does not read
//!   the marks sends 0, and a sender must not conclude from 0 that there are none.
//! - `base`, `bitmap`: bit *i* says that number `base + i` has been received. The least significant bit of each byte
//!   comes first.
//!
//! See [`Sack`].
//!
//! ## Stateless reset
//!
//! A server that has lost its state, or has ended a connection whose client has not heard of it, does not know the tag
//! of a datagram. If it has a key for this purpose, it answers (RFC 9000 §10.3):
//!
//! | bytes | content |
//! |---|---|
//! | 8 | the token, in the place of a tag |
//! | 1 | the type of RESET |
//! | 1 | `code` u8: 0 |
//!
//! The token is SipHash-2-4 (u64) of the unknown tag, under the server's 128-bit key. CONNACK carries the token of its
//! TAG in TOKEN, so the client can tell the reset from a forgery: the 64 bits have to be guessed. The reset has 10
//! bytes, is shorter than any other datagram of extended mode, and answers only longer ones. A client whose last FIN
//! is all that is unanswered has finished; otherwise the connection ends with a reason of its own.
//!
//! ## Invalid datagrams
//!
//! A datagram that is not exactly one of these packets gives a [`DecodeError`]. Count such a datagram, ignore it, and
//! never answer it.

#![deny(clippy::arithmetic_side_effects)]

mod ack_request;
#[cfg(feature = "arbitrary")]
mod arbitrary;
mod decode;
mod display;
mod encode;
mod error;
mod framing;
mod options;
mod options_writer;
mod packet;
mod packet_type;
mod reader;
mod sack;
mod stateless_reset;
mod tag;
mod varint;
mod writer;

pub use ack_request::AckRequest;
pub(crate) use decode::TaggedInfo;
pub(crate) use encode::InfoHeader;
pub use error::{DecodeError, EncodeError, FramingError, OptionsError};
pub use framing::Framing;
pub use options::{Options, option_kind};
pub use options_writer::OptionsWriter;
pub use packet::{Datagram, Packet};
pub(crate) use packet_type::PacketType;
pub use sack::{Sack, SackDelay};
pub(crate) use stateless_reset::{STATELESS_RESET_BYTES, is_stateless_reset, write_stateless_reset};
pub use tag::Tag;
pub(crate) use writer::Writer;

/// The longest datagram that is encoded or decoded, in bytes.
///
/// It is the longest payload of UDP over IPv4: 65,535 bytes less 20 of IP and 8 of UDP.
pub const MAX_DATAGRAM: usize = 65_507;

/// The version of extended mode that this crate speaks: the value of the VERSION option.
pub const VERSION: u32 = 1;

/// The shortest CONNECT of extended mode, in bytes.
///
/// A client [pads](OptionsWriter::pad_to) its CONNECT at least to this length, so that the answers together are not
/// longer than the CONNECT: CONNACK, its only repeat, and a RESET.
pub const MIN_CONNECT: usize = 124;

/// The longest cookie in RETRY and in the COOKIE option, in bytes. The shortest has 1 byte.
pub const MAX_COOKIE: usize = 64;

/// The longest bitmap in a SACK, in bytes. It covers 1,024 numbers.
pub const MAX_BITMAP: usize = 128;

/// The least value of the SEGMENT option, in bytes.
pub const MIN_SEGMENT: u16 = 64;

/// The largest value of the WINDOW option, in packets.
///
/// Sequence numbers have an order only while they are less than 2^31 apart (RFC 1982).
pub const MAX_WINDOW: u32 = (1 << 31) - 1;
