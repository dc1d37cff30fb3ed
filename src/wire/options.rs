//! Reads the options of CONNECT and CONNACK.

use super::reader::{Reader, big_endian};
use super::{DecodeError, MAX_COOKIE, MAX_WINDOW, MIN_SEGMENT, Tag, VERSION, varint};

/// The kinds of options that this crate knows, with their values on the wire.
pub mod option_kind {
    /// Ends the list. It has no length, and all bytes that follow are ignored.
    pub const END: u8 = 0;
    /// 8 bytes: the prefix of all datagrams to the sender of the option.
    pub const TAG: u8 = 1;
    /// u16: the largest INFO body that the sender of the option accepts.
    pub const SEGMENT: u8 = 2;
    /// u32: the initial receive window of the sender of the option, in packets.
    pub const WINDOW: u8 = 3;
    /// 1 to 64 bytes: the cookie of a RETRY.
    pub const COOKIE: u8 = 4;
    /// u32: the idle limit of the sender of the option, in milliseconds.
    pub const IDLE: u8 = 5;
    /// u32, at least 1: the version of extended mode that the sender of the option speaks.
    pub const VERSION: u8 = 7;
    /// u8: in CONNECT the number of the transmission, in CONNACK that of the CONNECT that it answers.
    pub const ATTEMPT: u8 = 8;
    /// 8 bytes, in CONNACK: the token of a stateless reset of the connection.
    pub const TOKEN: u8 = 9;
    /// Any bytes: makes the datagram longer. A list that ends within it is invalid.
    pub const PADDING: u8 = 10;
}

/// The least idle limit in milliseconds. A lower value of IDLE counts as this limit.
const MIN_IDLE_MS: u32 = 1_000;

/// The list of options of a CONNECT or CONNACK: a view of validated bytes.
///
/// The list keeps options of unknown kinds, and padding. Each kind occurs at most once, so a list has at most 255
/// options, and the time of a look-up is bounded. [`OptionsWriter`](super::OptionsWriter) builds a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// The empty list.
    pub const NONE: Self = Self(&[]);

    /// Only the version of this crate: all that a side of another version must learn.
    pub(crate) const OUR_VERSION: Self = Self(&{
        let [a, b, c, d] = VERSION.to_be_bytes();
        [option_kind::VERSION, 4, a, b, c, d]
    });

    /// Validates `bytes` as a list of options.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Options`] if the list ends inside an option, repeats a kind, or has a known option with a value
    /// that is [out of range](super#options).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut kinds = KindSet::default();
        let mut list = Reader::new(bytes);
        while let Some((kind, value)) = list.option() {
            if !kinds.insert(kind) || !is_allowed(kind, value) {
                return Err(DecodeError::Options);
            }
        }
        if list.is_valid() { Ok(Self(bytes)) } else { Err(DecodeError::Options) }
    }

    /// The bytes of the list on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether the list has no bytes: neither options nor padding.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// TAG: the prefix of all datagrams to the sender of the option.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        self.value(option_kind::TAG)?.try_into().ok().map(Tag::new)
    }

    /// SEGMENT: the largest INFO body that the sender of the option accepts, in bytes.
    ///
    /// The value is at least 64. Without the option, the limit is 1,200.
    #[must_use]
    pub fn segment(&self) -> Option<u16> {
        self.number(option_kind::SEGMENT).and_then(|bytes| u16::try_from(bytes).ok())
    }

    /// WINDOW: the initial receive window of the sender of the option, in packets.
    ///
    /// The value is 1 to 2^31 − 1. Without the option, the window is 1.
    #[must_use]
    pub fn window(&self) -> Option<u32> {
        self.number(option_kind::WINDOW)
    }

    /// COOKIE: the cookie of a RETRY, 1 to 64 bytes.
    #[must_use]
    pub fn cookie(&self) -> Option<&'a [u8]> {
        self.value(option_kind::COOKIE)
    }

    /// IDLE: the idle limit of the sender of the option, in milliseconds.
    ///
    /// A value below 1,000 on the wire counts as 1,000.
    #[must_use]
    pub fn idle_ms(&self) -> Option<u32> {
        self.number(option_kind::IDLE).map(|limit_ms| limit_ms.max(MIN_IDLE_MS))
    }

    /// VERSION: the version of extended mode that the sender of the option speaks, at least 1.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.number(option_kind::VERSION)
    }

    /// ATTEMPT: in CONNECT the number of the transmission, in CONNACK that of the CONNECT that it answers.
    #[must_use]
    pub fn attempt(&self) -> Option<u8> {
        self.number(option_kind::ATTEMPT).and_then(|number| u8::try_from(number).ok())
    }

    /// TOKEN: what stands in the place of a tag in a [stateless reset](super#stateless-reset) of the connection.
    #[must_use]
    pub fn reset_token(&self) -> Option<Tag> {
        self.value(option_kind::TOKEN)?.try_into().ok().map(Tag::new)
    }

    /// The value of the option of this kind, known or unknown; `None` if the list has no such option.
    #[must_use]
    pub fn value(&self, kind: u8) -> Option<&'a [u8]> {
        self.iter().find_map(|(found, value)| (found == kind).then_some(value))
    }

    /// All options as kind and value, in the order of the list, without the padding.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut list = Reader::new(self.0);
        core::iter::from_fn(move || list.option())
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn number(&self, kind: u8) -> Option<u32> {
        self.value(kind).map(big_endian)
    }

    /// The longest prefix of `bytes` that [`Options::parse`] accepts.
    #[cfg(feature = "arbitrary")]
    pub(super) fn longest_in(bytes: &'a [u8]) -> Self {
        let mut kinds = KindSet::default();
        let mut list = Reader::new(bytes);
        loop {
            let rest = list.rest();
            match list.option() {
                None => return Self(bytes),
                Some((kind, value)) if list.is_valid() && kinds.insert(kind) && is_allowed(kind, value) => {}
                Some(_) => return Self(bytes.strip_suffix(rest).unwrap_or_default()),
            }
        }
    }

    /// A list that the caller has validated.
    pub(super) const fn of_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'d> Reader<'d> {
    /// The kind and the value of the next option; `None` if the list has ended, or the rest is padding.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn option(&mut self) -> Option<(u8, &'d [u8])> {
        if self.rest().first().is_none_or(|&kind| kind == option_kind::END) {
            return None;
        }
        let kind = self.u8();
        let length = varint::read(self);
        Some((kind, self.slice(length)))
    }
}

/// Whether the value is in range for an option of this kind.
pub(super) fn is_allowed(kind: u8, value: &[u8]) -> bool {
    let (length, least, most) = match kind {
        option_kind::TAG | option_kind::TOKEN => (Tag::LEN, 0, u32::MAX),
        option_kind::SEGMENT => (size_of::<u16>(), MIN_SEGMENT.into(), u32::MAX),
        option_kind::WINDOW => (size_of::<u32>(), 1, MAX_WINDOW),
        option_kind::IDLE => (size_of::<u32>(), 0, u32::MAX),
        option_kind::VERSION => (size_of::<u32>(), 1, u32::MAX),
        option_kind::ATTEMPT => (size_of::<u8>(), 0, u32::MAX),
        option_kind::COOKIE => return (1..=MAX_COOKIE).contains(&value.len()),
        option_kind::END => return false,
        6 | 10.. => return true,
    };
    value.len() == length && (least..=most).contains(&big_endian(value))
}

/// A set of option kinds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KindSet([u32; 8]);

impl KindSet {
    /// Adds `kind`, and returns whether it is new.
    pub(super) fn insert(&mut self, kind: u8) -> bool {
        let Some(word) = self.0.get_mut(usize::from(kind / 32)) else { return false };
        let bit = 1 << (kind % 32);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    const REFUSED: Result<Options<'static>, DecodeError> = Err(DecodeError::Options);

    #[test]
    fn every_known_option_is_read() {
        let list = [
            &[1, 8, 1, 2, 3, 4, 5, 6, 7, 8][..],
            &[2, 2, 0x04, 0xb0],
            &[3, 4, 0, 1, 0, 0],
            &[4, 3, 0xc0, 0x0c, 0x1e],
            &[5, 4, 0, 0, 0x75, 0x30],
            &[7, 4, 0, 0, 0, 9],
            &[8, 1, 2],
            &[9, 8, 8, 7, 6, 5, 4, 3, 2, 1],
        ]
        .concat();
        let options = Options::parse(&list).unwrap();
        assert_eq!(options.tag(), Some(Tag::new([1, 2, 3, 4, 5, 6, 7, 8])));
        assert_eq!(options.segment(), Some(1_200));
        assert_eq!(options.window(), Some(65_536));
        assert_eq!(options.cookie(), Some(&[0xc0, 0x0c, 0x1e][..]));
        assert_eq!(options.idle_ms(), Some(30_000));
        assert_eq!(options.version(), Some(9));
        assert_eq!(options.attempt(), Some(2));
        assert_eq!(options.reset_token(), Some(Tag::new([8, 7, 6, 5, 4, 3, 2, 1])));
        assert_eq!(options.as_bytes(), list);
    }

    #[test]
    fn an_empty_list_has_no_options() {
        assert_eq!(Options::parse(&[]), Ok(Options::NONE));
        assert!(Options::NONE.is_empty());
        assert_eq!(Options::NONE.tag(), None);
        assert_eq!(Options::NONE.iter().next(), None);
    }

    #[test]
    fn unknown_kinds_are_skipped_and_kept() {
        let list = [6, 0, 200, 1, 9, 2, 2, 0, 64, 10, 3, 1, 2, 3];
        let options = Options::parse(&list).unwrap();
        assert_eq!(options.segment(), Some(64));
        let all: Vec<_> = options.iter().collect();
        assert_eq!(all, [(6, &[][..]), (200, &[9]), (2, &[0, 64]), (10, &[1, 2, 3])]);
    }

    #[test]
    fn a_list_that_ends_inside_an_option_is_refused() {
        assert_eq!(Options::parse(&[6]), REFUSED);
        assert_eq!(Options::parse(&[6, 1]), REFUSED);
        assert_eq!(Options::parse(&[6, 3, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[6, 0, 2]), REFUSED);
    }

    #[test]
    fn a_repeated_kind_is_refused() {
        assert_eq!(Options::parse(&[2, 2, 4, 0, 2, 2, 4, 0]), REFUSED);
        assert_eq!(Options::parse(&[6, 0, 6, 0]), REFUSED);
        assert_eq!(Options::parse(&[200, 0, 72, 0, 200, 0]), REFUSED);
        assert!(Options::parse(&[200, 0, 72, 0]).is_ok());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert_eq!(Options::parse(&[1, 7, 0, 0, 0, 0, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[2, 2, 0, 63]), REFUSED);
        assert_eq!(Options::parse(&[2, 1, 64]), REFUSED);
        assert_eq!(Options::parse(&[2, 3, 0, 4, 0]), REFUSED);
        assert_eq!(Options::parse(&[3, 4, 0, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[3, 4, 0x80, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[3, 2, 0, 1]), REFUSED);
        assert_eq!(Options::parse(&[4, 0]), REFUSED);
        assert_eq!(Options::parse(&[&[4, 0x40, 65][..], &[1; 65]].concat()), REFUSED);
        assert_eq!(Options::parse(&[5, 3, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[5, 5, 0, 0, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[7, 4, 0, 0, 0, 0]), REFUSED);
        assert_eq!(Options::parse(&[7, 1, 1]), REFUSED);
        assert_eq!(Options::parse(&[8, 2, 0, 1]), REFUSED);
    }

    #[test]
    fn values_at_the_ends_of_the_range_are_accepted() {
        assert_eq!(Options::parse(&[2, 2, 0, 64]).unwrap().segment(), Some(64));
        assert_eq!(Options::parse(&[3, 4, 0, 0, 0, 1]).unwrap().window(), Some(1));
        assert_eq!(Options::parse(&[3, 4, 0x7f, 0xff, 0xff, 0xff]).unwrap().window(), Some(MAX_WINDOW));
        assert_eq!(Options::parse(&[&[4, 0x40, 64][..], &[1; 64]].concat()).unwrap().cookie(), Some(&[1; 64][..]));
        assert!(Options::parse(&[&[6, 63][..], &[1; 63]].concat()).is_ok());
        assert!(Options::parse(&[&[6, 0x40, 64][..], &[1; 64]].concat()).is_ok());
    }

    #[test]
    fn lengths_are_integers_of_rfc_9000() {
        let list = [&[200, 0x41, 0x2c][..], &[1; 300], &[2, 0x40, 2, 0, 64], &[201, 0x80, 0, 0, 1, 9]].concat();
        let options = Options::parse(&list).unwrap();
        assert_eq!(options.value(200), Some(&[1; 300][..]));
        assert_eq!((options.segment(), options.value(201)), (Some(64), Some(&[9][..])));
        assert_eq!(Options::parse(&[200, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), REFUSED);
    }

    #[test]
    fn kind_0_ends_the_list_and_the_rest_is_padding() {
        let list = [2, 2, 0, 64, 0, 3, 4, 0xff, 2];
        let options = Options::parse(&list).unwrap();
        assert_eq!((options.segment(), options.window(), options.iter().count()), (Some(64), None, 1));
        assert_eq!(options.as_bytes(), list, "the padding is kept");
        assert_eq!(Options::parse(&[0]).unwrap().iter().count(), 0);
    }

    #[test]
    fn an_idle_limit_below_a_second_counts_as_a_second() {
        let list = [5, 4, 0, 0, 0, 1];
        let options = Options::parse(&list).unwrap();
        assert_eq!(options.idle_ms(), Some(1_000));
        assert_eq!(options.as_bytes(), list, "reading must not change the bytes of the list");
    }

    #[test]
    fn a_list_holds_every_kind_whose_value_may_be_empty() {
        let list: Vec<u8> =
            (0..=255).filter(|kind| !matches!(kind, 0..=5 | 7..=9)).flat_map(|kind| [kind, 0]).collect();
        assert_eq!(Options::parse(&list).unwrap().iter().count(), 247);
    }
}
