//! Arbitrary packets for fuzzing.
//!
//! Each packet can be encoded in a tagged framing. An INFO with another request than the default exists in no other.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::packet_type::PacketType;
use super::{AckRequest, MAX_BITMAP, MAX_COOKIE, Options, Packet, Sack};
use crate::Seq;

/// The longest body, padding or list of options: as long as a datagram on a link with an MTU of 1,500 bytes.
const MAX_SLICE: usize = 1_500;

impl<'a> Arbitrary<'a> for Options<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        slice(u, 0, MAX_SLICE).map(Options::longest_in)
    }
}

impl<'a> Arbitrary<'a> for Sack<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            next: u.arbitrary()?,
            window: u.arbitrary()?,
            latest: u.arbitrary()?,
            counter: u.arbitrary()?,
            delay: u.arbitrary()?,
            ce: u.arbitrary()?,
            base: u.arbitrary()?,
            bitmap: slice(u, 0, MAX_BITMAP)?,
        })
    }
}

impl<'a> Arbitrary<'a> for Packet<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let code = u.int_in_range(0..=PacketType::Echo.code())?;
        let packet_type = PacketType::from_code(code).ok_or(arbitrary::Error::IncorrectFormat)?;
        Ok(match packet_type {
            PacketType::Connect => Self::Connect(u.arbitrary()?),
            PacketType::ConnAck => Self::ConnAck(u.arbitrary()?),
            PacketType::Info => {
                let (number, at_once, body) = (Seq::arbitrary(u)?, u.arbitrary()?, slice(u, 0, MAX_SLICE)?);
                Self::Info { number, body, request: AckRequest::from_code(u.arbitrary()?).with_at_once(at_once) }
            }
            PacketType::Ack => Self::Ack { number: u.arbitrary()? },
            PacketType::Fin => Self::Fin,
            PacketType::FinAck => Self::FinAck,
            PacketType::Sack => Self::Sack(u.arbitrary()?),
            PacketType::Retry => Self::Retry { cookie: slice(u, 1, MAX_COOKIE)? },
            PacketType::Reset => Self::Reset { code: u.arbitrary()? },
            PacketType::Probe => {
                Self::Probe { nonce: u.arbitrary()?, for_window: u.arbitrary()?, padding: slice(u, 0, MAX_SLICE)? }
            }
            PacketType::Echo => Self::Echo { nonce: u.arbitrary()?, counter: u.arbitrary()? },
        })
    }
}

/// Takes `min` to `max` bytes of the input.
fn slice<'a>(u: &mut Unstructured<'a>, min: usize, max: usize) -> Result<&'a [u8]> {
    let len = u.int_in_range(min..=max)?.min(u.len().max(min));
    u.bytes(len)
}
