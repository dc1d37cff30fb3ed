//! Writes the options of CONNECT and CONNACK.

use super::options::{KindSet, is_allowed};
use super::{Options, OptionsError, Tag, option_kind};
use crate::BufferTooSmall;
use crate::copy::copy;

/// The longest padding.
const ZEROS: [u8; 255] = [0; 255];

/// Builds a list of [`Options`] in a buffer of the caller.
///
/// 92 bytes hold every known option at its longest, except for padding.
///
/// ```
/// use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Tag};
///
/// let mut list = [0; 128];
/// let options = OptionsWriter::new(&mut list)
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
    buf: &'b mut [u8],
    len: usize,
    kinds: KindSet,
}

impl<'b> OptionsWriter<'b> {
    /// An empty list at the start of `buf`.
    #[must_use]
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0, kinds: KindSet::default() }
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

    /// Adds PADDING of `len` zeros, which takes `len` + 2 bytes.
    ///
    /// # Errors
    ///
    /// If `len` is above 255, the list already has padding, or the buffer is full.
    pub fn padding(self, len: usize) -> Result<Self, OptionsError> {
        let value = ZEROS.get(..len).ok_or(OptionsError::Value(option_kind::PADDING))?;
        self.option(option_kind::PADDING, value)
    }

    /// Pads the list to at least `len` bytes.
    ///
    /// A list that is long enough stays as it is. A list that lacks one byte becomes one byte too long, since an option
    /// takes at least two.
    ///
    /// # Errors
    ///
    /// If more than 257 bytes are missing, the list already has padding, or the buffer is full.
    pub fn pad_to(self, len: usize) -> Result<Self, OptionsError> {
        match len.saturating_sub(self.len) {
            0 => Ok(self),
            missing => self.padding(missing.saturating_sub(2)),
        }
    }

    /// Adds an option of any kind, known or unknown.
    ///
    /// # Errors
    ///
    /// If the value is longer than 255 bytes or out of range for its kind, the list already has an option of this kind,
    /// or the buffer is full.
    pub fn option(mut self, kind: u8, value: &[u8]) -> Result<Self, OptionsError> {
        self.add(kind, value)?;
        Ok(self)
    }

    /// Adds an option of a connection, without an error to handle.
    ///
    /// The option must be valid, the first of its kind, and fit into the buffer. An option that does not fit is left
    /// out.
    pub(crate) fn known(&mut self, kind: u8, value: &[u8]) {
        debug_assert!(is_allowed(kind, value), "the value is invalid");
        copy(value, self.known_place(kind, value.len()));
    }

    /// Pads the list as [`pad_to`](Self::pad_to) does, without an error to handle.
    ///
    /// The list must have no padding yet, and must fit into the buffer.
    pub(crate) fn known_pad_to(&mut self, len: usize) {
        let missing = len.saturating_sub(self.len);
        if missing > 0 {
            self.known_place(option_kind::PADDING, missing.saturating_sub(2)).fill(0);
        }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn known_place(&mut self, kind: u8, length: usize) -> &mut [u8] {
        let place = self.place(kind, u8::try_from(length).unwrap_or(u8::MAX));
        debug_assert!(place.is_ok(), "the option does not fit");
        place.unwrap_or_default()
    }

    fn add(&mut self, kind: u8, value: &[u8]) -> Result<(), OptionsError> {
        let length = u8::try_from(value.len()).map_err(|_| OptionsError::Value(kind))?;
        if !is_allowed(kind, value) {
            return Err(OptionsError::Value(kind));
        }
        if !self.kinds.insert(kind) {
            return Err(OptionsError::Repeated(kind));
        }
        copy(value, self.place(kind, length)?);
        Ok(())
    }

    /// Writes the head of an option, and returns the place of its value.
    fn place(&mut self, kind: u8, length: u8) -> Result<&mut [u8], BufferTooSmall> {
        let needed = self.len.saturating_add(2).saturating_add(length.into());
        let option = self.buf.get_mut(self.len..needed).ok_or(BufferTooSmall { needed })?;
        self.len = needed;
        // The split cannot fail: `needed` includes the head.
        let Some((head, value)) = option.split_first_chunk_mut() else { return Ok(&mut []) };
        *head = [kind, length];
        Ok(value)
    }

    /// Returns the list.
    #[must_use]
    pub fn finish(self) -> Options<'b> {
        let list: &'b [u8] = self.buf;
        Options::of_checked(list.get(..self.len).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_in_the_order_of_the_calls() {
        let mut list = [0xee; 64];
        let options = OptionsWriter::new(&mut list)
            .tag(Tag::new([1, 2, 3, 4, 5, 6, 7, 8]))
            .and_then(|list| list.segment(1_200))
            .and_then(|list| list.window(65_536))
            .and_then(|list| list.cookie(&[0xc0, 0x0c]))
            .and_then(|list| list.idle_ms(30_000))
            .and_then(|list| list.padding(3))
            .and_then(|list| list.option(200, &[9]))
            .unwrap()
            .finish();
        let expected = [
            &[1, 8, 1, 2, 3, 4, 5, 6, 7, 8][..],
            &[2, 2, 0x04, 0xb0],
            &[3, 4, 0, 1, 0, 0],
            &[4, 2, 0xc0, 0x0c],
            &[5, 4, 0, 0, 0x75, 0x30],
            &[6, 3, 0, 0, 0],
            &[200, 1, 9],
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
        let mut buf = [0; 400];
        let mut refused = |write: fn(OptionsWriter<'_>) -> Result<OptionsWriter<'_>, OptionsError>| {
            write(OptionsWriter::new(&mut buf)).unwrap_err()
        };
        assert_eq!(refused(|list| list.segment(63)), OptionsError::Value(option_kind::SEGMENT));
        assert_eq!(refused(|list| list.window(0)), OptionsError::Value(option_kind::WINDOW));
        assert_eq!(refused(|list| list.window(1 << 31)), OptionsError::Value(option_kind::WINDOW));
        assert_eq!(refused(|list| list.cookie(&[])), OptionsError::Value(option_kind::COOKIE));
        assert_eq!(refused(|list| list.cookie(&[0; 65])), OptionsError::Value(option_kind::COOKIE));
        assert_eq!(refused(|list| list.padding(256)), OptionsError::Value(option_kind::PADDING));
        assert_eq!(refused(|list| list.option(option_kind::TAG, &[0; 7])), OptionsError::Value(option_kind::TAG));
        assert_eq!(refused(|list| list.option(99, &[0; 256])), OptionsError::Value(99));
    }

    #[test]
    fn a_full_buffer_is_an_error_with_the_needed_length() {
        let mut list = [0; 9];
        let full = OptionsWriter::new(&mut list).segment(64).and_then(|list| list.window(1));
        assert_eq!(full.unwrap_err(), OptionsError::BufferTooSmall(BufferTooSmall { needed: 10 }));
    }

    #[test]
    fn padding_reaches_the_requested_length() {
        for (len, padded) in [(0, 4), (4, 4), (5, 6), (6, 6), (7, 7), (80, 80), (261, 261)] {
            let mut list = [0; 300];
            let options = OptionsWriter::new(&mut list).segment(64).and_then(|list| list.pad_to(len)).unwrap().finish();
            assert_eq!(options.as_bytes().len(), padded, "padded to {len}");
        }
        let mut list = [0; 300];
        assert!(OptionsWriter::new(&mut list).pad_to(258).is_err());
    }
}
