//! Writes the options of CONNECT and CONNACK.

use super::options::{KindSet, is_allowed};
use super::{Options, OptionsError, Tag, Writer, option_kind, varint};
use crate::BufferTooSmall;

/// Builds a list of [`Options`] in a buffer of the caller.
///
/// 112 bytes hold every known option at its longest.
///
/// ```
/// use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Tag, VERSION};
///
/// let mut list = [0; 128];
/// let options = OptionsWriter::new(&mut list)
///     .version(VERSION)?
///     .tag(Tag::new(*b"entropy!"))?
///     .segment(1_200)?
///     .window(256)?
///     .pad_to(MIN_CONNECT - Framing::NOTE.header_len())?
///     .finish();
/// assert_eq!(Packet::Connect(options).encoded_len(&Framing::NOTE), MIN_CONNECT);
/// # Ok::<(), rdt_proto::wire::OptionsError>(())
/// ```
#[derive(Debug)]
pub struct OptionsWriter<'b> {
    list: Writer<'b>,
    kinds: KindSet,
    /// Whether padding ends the list.
    is_ended: bool,
}

impl<'b> OptionsWriter<'b> {
    /// An empty list at the start of `buf`.
    #[must_use]
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self { list: Writer::new(buf), kinds: KindSet::default(), is_ended: false }
    }

    /// Adds TAG.
    ///
    /// # Errors
    ///
    /// If the list already has a tag, or the buffer is full.
    pub fn tag(self, tag: Tag) -> Result<Self, OptionsError> {
        self.option(option_kind::TAG, tag.as_bytes())
    }

    /// Adds SEGMENT: the largest INFO body that the sender of the list accepts.
    ///
    /// # Errors
    ///
    /// If `bytes` is below 64, the list already has a segment, or the buffer is full.
    pub fn segment(self, bytes: u16) -> Result<Self, OptionsError> {
        self.option(option_kind::SEGMENT, &bytes.to_be_bytes())
    }

    /// Adds WINDOW: the initial receive window of the sender of the list.
    ///
    /// # Errors
    ///
    /// If `packets` is 0 or above 2^31 − 1, the list already has a window, or the buffer is full.
    pub fn window(self, packets: u32) -> Result<Self, OptionsError> {
        self.option(option_kind::WINDOW, &packets.to_be_bytes())
    }

    /// Adds COOKIE: the cookie of a RETRY.
    ///
    /// # Errors
    ///
    /// If the cookie does not have 1 to 64 bytes, the list already has a cookie, or the buffer is full.
    pub fn cookie(self, cookie: &[u8]) -> Result<Self, OptionsError> {
        self.option(option_kind::COOKIE, cookie)
    }

    /// Adds IDLE: the idle limit of the sender of the list.
    ///
    /// A limit below 1,000 ms counts as 1,000 ms at the peer.
    ///
    /// # Errors
    ///
    /// If the list already has an idle limit, or the buffer is full.
    pub fn idle_ms(self, limit_ms: u32) -> Result<Self, OptionsError> {
        self.option(option_kind::IDLE, &limit_ms.to_be_bytes())
    }

    /// Adds VERSION: the version of extended mode that the sender of the list speaks.
    ///
    /// # Errors
    ///
    /// If `version` is 0, the list already has a version, or the buffer is full.
    pub fn version(self, version: u32) -> Result<Self, OptionsError> {
        self.option(option_kind::VERSION, &version.to_be_bytes())
    }

    /// Adds ATTEMPT: the number of a CONNECT, or of the CONNECT that a CONNACK answers.
    ///
    /// # Errors
    ///
    /// If the list already has an attempt, or the buffer is full.
    pub fn attempt(self, number: u8) -> Result<Self, OptionsError> {
        self.option(option_kind::ATTEMPT, &[number])
    }

    /// Adds TOKEN: what stands in the place of a tag in a [stateless reset](super#stateless-reset).
    ///
    /// # Errors
    ///
    /// If the list already has a token, or the buffer is full.
    pub fn reset_token(self, token: Tag) -> Result<Self, OptionsError> {
        self.option(option_kind::TOKEN, token.as_bytes())
    }

    /// Ends the list, and pads it to at least `len` bytes, by the option PADDING.
    ///
    /// A list that is long enough stays as it is, and does not end. PADDING takes at most 16,383 bytes; what it cannot
    /// fill are zeros after the end of the list.
    ///
    /// # Errors
    ///
    /// If the list has ended, or the buffer is full.
    pub fn pad_to(mut self, len: usize) -> Result<Self, OptionsError> {
        if self.is_ended {
            return Err(OptionsError::Ended);
        }
        if len > self.list.len() {
            self.check_room(len)?;
            self.list.option_padding(len);
            self.is_ended = true;
        }
        Ok(self)
    }

    /// Adds an option of any kind, known or unknown.
    ///
    /// # Errors
    ///
    /// If the value is longer than 16,383 bytes or out of range for its kind, the list already has an option of this
    /// kind, the list has ended, or the buffer is full.
    pub fn option(mut self, kind: u8, value: &[u8]) -> Result<Self, OptionsError> {
        self.add(kind, value)?;
        Ok(self)
    }

    fn add(&mut self, kind: u8, value: &[u8]) -> Result<(), OptionsError> {
        if self.is_ended {
            return Err(OptionsError::Ended);
        }
        if value.len() > varint::MAX_OF_TWO_BYTES || !is_allowed(kind, value) {
            return Err(OptionsError::Value(kind));
        }
        if !self.kinds.insert(kind) {
            return Err(OptionsError::Repeated(kind));
        }
        let head = varint::len(value.len()).saturating_add(1);
        self.check_room(self.list.len().saturating_add(head).saturating_add(value.len()))?;
        self.list.option(kind, value);
        Ok(())
    }

    /// Checks that the buffer holds a list of `needed` bytes.
    fn check_room(&self, needed: usize) -> Result<(), BufferTooSmall> {
        if needed > self.list.capacity() { Err(BufferTooSmall { needed }) } else { Ok(()) }
    }

    /// Returns the list.
    #[must_use]
    pub fn finish(self) -> Options<'b> {
        Options::of_checked(self.list.into_written())
    }
}

impl Writer<'_> {
    /// Writes an option, which must be valid.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn option(&mut self, kind: u8, value: &[u8]) {
        debug_assert!(is_allowed(kind, value), "the value is invalid");
        self.u8(kind);
        varint::write(value.len(), self);
        self.bytes(value);
    }

    /// Pads a list of options, up to the length `len` of the whole buffer.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn option_padding(&mut self, len: usize) {
        let room = len.saturating_sub(self.len());
        // One byte for the kind, and one or two for the length. A single byte, or one more than a length of one byte
        // covers, remains: a zero, which ends the list.
        if let Some(value) = room.checked_sub(if room > ONE_BYTE_PADDING { 3 } else { 2 }) {
            self.u8(option_kind::PADDING);
            varint::write(value.min(varint::MAX_OF_TWO_BYTES), self);
        }
        self.pad_to(len);
    }
}

/// The longest option whose length takes one byte.
const ONE_BYTE_PADDING: usize = 2 + 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_in_the_order_of_the_calls() {
        let mut list = [0xee; 128];
        let options = OptionsWriter::new(&mut list)
            .tag(Tag::new([1, 2, 3, 4, 5, 6, 7, 8]))
            .and_then(|list| list.segment(1_200))
            .and_then(|list| list.window(65_536))
            .and_then(|list| list.cookie(&[0xc0, 0x0c]))
            .and_then(|list| list.idle_ms(30_000))
            .and_then(|list| list.version(7))
            .and_then(|list| list.option(200, &[9; 64]))
            .and_then(|list| list.pad_to(106))
            .unwrap()
            .finish();
        let expected = [
            &[1, 8, 1, 2, 3, 4, 5, 6, 7, 8][..],
            &[2, 2, 0x04, 0xb0],
            &[3, 4, 0, 1, 0, 0],
            &[4, 2, 0xc0, 0x0c],
            &[5, 4, 0, 0, 0x75, 0x30],
            &[7, 4, 0, 0, 0, 7],
            &[200, 0x40, 64],
            &[9; 64],
            &[10, 1, 0],
        ]
        .concat();
        assert_eq!(options.as_bytes(), expected);
        assert_eq!(Options::parse(&expected), Ok(options));
    }

    #[test]
    fn a_list_without_options_is_empty() {
        assert_eq!(OptionsWriter::new(&mut []).finish(), Options::NONE);
    }

    #[test]
    fn a_repeated_kind_is_refused() {
        let mut list = [0; 64];
        let twice = OptionsWriter::new(&mut list).window(1).and_then(|list| list.window(2));
        assert_eq!(twice.unwrap_err(), OptionsError::Repeated(option_kind::WINDOW));
    }

    #[test]
    fn values_that_a_peer_would_refuse_are_not_written() {
        let mut buf = [0; 17_000];
        let mut refused = |write: fn(OptionsWriter<'_>) -> Result<OptionsWriter<'_>, OptionsError>| {
            write(OptionsWriter::new(&mut buf)).unwrap_err()
        };
        assert_eq!(refused(|list| list.segment(63)), OptionsError::Value(option_kind::SEGMENT));
        assert_eq!(refused(|list| list.window(0)), OptionsError::Value(option_kind::WINDOW));
        assert_eq!(refused(|list| list.window(1 << 31)), OptionsError::Value(option_kind::WINDOW));
        assert_eq!(refused(|list| list.cookie(&[])), OptionsError::Value(option_kind::COOKIE));
        assert_eq!(refused(|list| list.cookie(&[0; 65])), OptionsError::Value(option_kind::COOKIE));
        assert_eq!(refused(|list| list.version(0)), OptionsError::Value(option_kind::VERSION));
        assert_eq!(refused(|list| list.option(option_kind::END, &[])), OptionsError::Value(option_kind::END));
        assert_eq!(refused(|list| list.pad_to(9).unwrap().window(1)), OptionsError::Ended);
        assert_eq!(refused(|list| list.pad_to(9).unwrap().pad_to(10)), OptionsError::Ended);
        assert_eq!(refused(|list| list.option(option_kind::TAG, &[0; 7])), OptionsError::Value(option_kind::TAG));
        assert_eq!(refused(|list| list.option(99, &[0; 16_384])), OptionsError::Value(99));
    }

    #[test]
    fn a_full_buffer_is_an_error_with_the_needed_length() {
        let mut list = [0; 9];
        let full = OptionsWriter::new(&mut list).segment(64).and_then(|list| list.window(1));
        assert_eq!(full.unwrap_err(), OptionsError::BufferTooSmall(BufferTooSmall { needed: 10 }));
    }

    #[test]
    fn padding_reaches_the_requested_length() {
        for len in 0..300 {
            let mut list = [0xee; 300];
            let options = OptionsWriter::new(&mut list).segment(64).and_then(|list| list.pad_to(len)).unwrap().finish();
            assert_eq!(options.as_bytes().len(), len.max(4), "padded to {len}");
            assert_eq!(Options::parse(options.as_bytes()), Ok(options));
        }
        let mut list = [0; 300];
        let too_long = OptionsWriter::new(&mut list).pad_to(301).unwrap_err();
        assert_eq!(too_long, OptionsError::BufferTooSmall(BufferTooSmall { needed: 301 }));
    }
}
