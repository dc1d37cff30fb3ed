//! From a datagram to a packet.

use super::packet::PacketType;
use super::{DecodeError, Framing, MAX_COOKIE, MAX_DATAGRAM, Options, Packet, Sack};
use crate::Seq;

impl Framing {
    /// The packet that `datagram` is.
    ///
    /// # Errors
    ///
    /// It is not exactly one packet of this framing. That is ordinary on a network: count it, and go on.
    pub fn decode<'d>(&self, datagram: &'d [u8]) -> Result<Packet<'d>, DecodeError> {
        let after_prefix = datagram.strip_prefix(self.prefix()).ok_or(DecodeError::Prefix)?;
        if datagram.len() > MAX_DATAGRAM {
            return Err(DecodeError::TooLong);
        }
        let (&type_byte, fields) = after_prefix.split_first().ok_or(DecodeError::Truncated)?;
        match self.packet_type(type_byte).ok_or(DecodeError::Type)? {
            PacketType::Connect => self.decode_options(fields).map(Packet::Connect),
            PacketType::ConnAck => self.decode_options(fields).map(Packet::ConnAck),
            PacketType::Info => decode_info(fields),
            PacketType::Ack => Ok(Packet::Ack { number: Seq::new(u32::from_be_bytes(exactly(fields)?)) }),
            PacketType::Fin => exactly::<0>(fields).map(|[]| Packet::Fin),
            PacketType::FinAck => exactly::<0>(fields).map(|[]| Packet::FinAck),
            PacketType::Sack => Sack::decode(fields).map(Packet::Sack),
            PacketType::Retry => decode_retry(fields),
            PacketType::Reset => exactly(fields).map(|[code]| Packet::Reset { code }),
            PacketType::Probe => {
                let (nonce, padding) = fields.split_first_chunk().ok_or(DecodeError::Truncated)?;
                Ok(Packet::Probe { nonce: u64::from_be_bytes(*nonce), padding })
            }
            PacketType::Echo => Ok(Packet::Echo { nonce: u64::from_be_bytes(exactly(fields)?) }),
        }
    }

    fn decode_options<'d>(&self, list: &'d [u8]) -> Result<Options<'d>, DecodeError> {
        if self.is_base_only() && !list.is_empty() {
            return Err(DecodeError::Trailing);
        }
        Options::parse(list)
    }
}

fn decode_info(fields: &[u8]) -> Result<Packet<'_>, DecodeError> {
    let (length, rest) = fields.split_first_chunk().ok_or(DecodeError::Truncated)?;
    let (number, body) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    if usize::from(u16::from_be_bytes(*length)) != body.len() {
        return Err(DecodeError::Length);
    }
    Ok(Packet::Info { number: Seq::new(u32::from_be_bytes(*number)), body })
}

fn decode_retry(cookie: &[u8]) -> Result<Packet<'_>, DecodeError> {
    if cookie.is_empty() || cookie.len() > MAX_COOKIE {
        return Err(DecodeError::Cookie);
    }
    Ok(Packet::Retry { cookie })
}

/// All of `fields`, which must be `N` bytes.
fn exactly<const N: usize>(fields: &[u8]) -> Result<[u8; N], DecodeError> {
    match fields.split_first_chunk() {
        Some((bytes, [])) => Ok(*bytes),
        Some((_, [_, ..])) => Err(DecodeError::Trailing),
        None => Err(DecodeError::Truncated),
    }
}
