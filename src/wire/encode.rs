//! From a packet to a datagram.

use super::{EncodeError, Framing, MAX_BITMAP, MAX_COOKIE, MAX_DATAGRAM, Packet};
use crate::BufferTooSmall;

impl Packet<'_> {
    /// How many bytes the packet takes in this framing.
    #[must_use]
    pub fn encoded_len(&self, framing: &Framing) -> usize {
        let fields = match self {
            Self::Connect(options) | Self::ConnAck(options) => options.as_bytes().len(),
            Self::Info { body, .. } => return framing.info_header_len().saturating_add(body.len()),
            Self::Ack { .. } => size_of::<u32>(),
            Self::Fin | Self::FinAck => 0,
            Self::Sack(sack) => sack.encoded_len(),
            Self::Retry { cookie } => cookie.len(),
            Self::Reset { .. } => size_of::<u8>(),
            Self::Probe { padding, .. } => size_of::<u64>().saturating_add(padding.len()),
            Self::Echo { .. } => size_of::<u64>(),
        };
        framing.header_len().saturating_add(fields)
    }

    /// Writes the packet at the start of `buf` and returns how many bytes it took. What follows them in `buf` stays as it
    /// was.
    ///
    /// # Errors
    ///
    /// The packet has no form in this framing, would be longer than [`MAX_DATAGRAM`], or does not fit into `buf`. Nothing was
    /// written.
    pub fn encode(&self, framing: &Framing, buf: &mut [u8]) -> Result<usize, EncodeError> {
        self.check(framing)?;
        let needed = self.encoded_len(framing);
        if needed > MAX_DATAGRAM {
            return Err(EncodeError::TooLong);
        }
        let datagram = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let mut out = Writer::new(datagram, needed);
        out.bytes(framing.prefix())?;
        out.array([framing.type_byte(self.packet_type())])?;
        match self {
            Self::Connect(options) | Self::ConnAck(options) => out.bytes(options.as_bytes())?,
            Self::Info { number, body } => {
                let length = u16::try_from(body.len()).map_err(|_| EncodeError::TooLong)?;
                out.array(length.to_be_bytes())?;
                out.array(number.value().to_be_bytes())?;
                out.bytes(body)?;
            }
            Self::Ack { number } => out.array(number.value().to_be_bytes())?,
            Self::Fin | Self::FinAck => (),
            Self::Sack(sack) => sack.write(&mut out)?,
            Self::Retry { cookie } => out.bytes(cookie)?,
            Self::Reset { code } => out.array([*code])?,
            Self::Probe { nonce, padding } => {
                out.array(nonce.to_be_bytes())?;
                out.bytes(padding)?;
            }
            Self::Echo { nonce } => out.array(nonce.to_be_bytes())?,
        }
        Ok(needed)
    }

    /// Whether the packet has a form in `framing`, but for its length.
    fn check(&self, framing: &Framing) -> Result<(), EncodeError> {
        if !framing.has(self.packet_type()) {
            return Err(EncodeError::NotInProfile);
        }
        match self {
            Self::Connect(options) | Self::ConnAck(options) if framing.is_base_only() && !options.is_empty() => {
                Err(EncodeError::NotInProfile)
            }
            Self::Sack(sack) if sack.bitmap.len() > MAX_BITMAP => Err(EncodeError::Unrepresentable),
            Self::Retry { cookie } if cookie.is_empty() || cookie.len() > MAX_COOKIE => {
                Err(EncodeError::Unrepresentable)
            }
            Self::Connect(_)
            | Self::ConnAck(_)
            | Self::Info { .. }
            | Self::Ack { .. }
            | Self::Fin
            | Self::FinAck
            | Self::Sack(_)
            | Self::Retry { .. }
            | Self::Reset { .. }
            | Self::Probe { .. }
            | Self::Echo { .. } => Ok(()),
        }
    }
}

/// Fills memory from the front.
pub(super) struct Writer<'b> {
    rest: &'b mut [u8],
    /// What to ask for when the memory is not enough.
    needed: usize,
}

impl<'b> Writer<'b> {
    pub(super) const fn new(rest: &'b mut [u8], needed: usize) -> Self {
        Self { rest, needed }
    }

    pub(super) fn array<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), BufferTooSmall> {
        let too_small = BufferTooSmall { needed: self.needed };
        let (place, rest) = core::mem::take(&mut self.rest).split_first_chunk_mut().ok_or(too_small)?;
        *place = bytes;
        self.rest = rest;
        Ok(())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        let too_small = BufferTooSmall { needed: self.needed };
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()).ok_or(too_small)?;
        place.copy_from_slice(bytes);
        self.rest = rest;
        Ok(())
    }
}
