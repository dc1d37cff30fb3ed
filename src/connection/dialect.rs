//! Base mode or extended mode: what the two sides say of themselves, and how their datagrams are framed.
//!
//! ```text
//! client, Extended   CONNECT with TAG ------->            <-- CONNACK under the client's tag: extended
//! client, Both       CONNECT with TAG ------->            <-- the same, or CONNACK under the profile's prefix: base, unless
//!                                                             an extended one comes within an RTO
//! client, Base       CONNECT ---------------->            <-- CONNACK under the profile's prefix: base
//! server             extended if it may and the CONNECT has a TAG, base if it may otherwise
//! ```
//!
//! In extended mode everything that is sent to a side begins with the tag which that side chose: 64 bits that somebody who
//! does not see the datagrams has to guess.

use super::event::Ignored;
use crate::wire::{
    Framing, MAX_COOKIE, MAX_WINDOW, MIN_CONNECT, MIN_SEGMENT, Options, OptionsWriter, Packet, Tag, option_kind,
};
use crate::{Duration, Seq};

/// Which modes an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Mode {
    /// Extended mode only: the default.
    #[default]
    Extended,
    /// Base mode only: one acknowledgement for each INFO, no options, no protection against forged addresses.
    Base,
    /// Extended mode where the peer speaks it, otherwise base mode.
    Both,
}

impl Mode {
    pub(crate) const fn allows_extended(self) -> bool {
        matches!(self, Self::Extended | Self::Both)
    }

    pub(crate) const fn allows_base(self) -> bool {
        matches!(self, Self::Base | Self::Both)
    }
}

/// What a side says of itself in CONNECT or CONNACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// What it wants to be called by: extended mode. `None`: base mode.
    pub tag: Option<Tag>,
    /// The largest body that it takes.
    pub segment: u16,
    /// How many INFO packets it takes at the start.
    pub window: u32,
    /// How long it bears silence, if it says so.
    pub idle_limit: Option<Duration>,
}

impl Hello {
    /// What a CONNECT without options says.
    pub const BASE: Self = Self { tag: None, segment: DEFAULT_SEGMENT, window: 1, idle_limit: None };

    /// What the options say, absent ones by their defaults.
    #[must_use]
    pub fn from_options(options: &Options<'_>) -> Self {
        Self {
            tag: options.tag(),
            segment: options.segment().unwrap_or(DEFAULT_SEGMENT),
            window: options.window().unwrap_or(1),
            idle_limit: options.idle_ms().map(|ms| Duration::from_millis(ms.into())),
        }
    }
}

/// What every receiver takes.
const DEFAULT_SEGMENT: u16 = 1_200;

/// Room for all options, with the longest cookie, or for those that fill a CONNECT of [`MIN_CONNECT`] bytes.
pub(crate) const OPTIONS_BYTES: usize = MIN_CONNECT + 2 + MAX_COOKIE;

impl Hello {
    /// As options in lent memory, which holds them with the longest cookie. A client's are padded so that its CONNECT has the
    /// least size, since no answer to it may be larger. `cookie`: what RETRY gave.
    pub(crate) fn to_options<'b>(
        self,
        cookie: Option<&[u8]>,
        pad_to: usize,
        buf: &'b mut [u8; OPTIONS_BYTES],
    ) -> Options<'b> {
        let Some(tag) = self.tag else { return Options::NONE };
        let mut options = OptionsWriter::new(buf)
            .known(option_kind::TAG, tag.as_bytes())
            .known(option_kind::SEGMENT, &self.segment.max(MIN_SEGMENT).to_be_bytes())
            .known(option_kind::WINDOW, &self.window.clamp(1, MAX_WINDOW).to_be_bytes());
        // A limit longer than the option can say is not said.
        if let Some(Ok(limit_ms)) = self.idle_limit.map(|limit| u32::try_from(limit.as_millis())) {
            options = options.known(option_kind::IDLE, &limit_ms.to_be_bytes());
        }
        if let Some(cookie) = cookie {
            options = options.known(option_kind::COOKIE, cookie);
        }
        options.known_pad_to(pad_to).finish()
    }
}

/// How far the two sides have agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Agreed {
    /// A client without an answer.
    Open,
    Base,
    /// Under the tag that the peer chose.
    Extended(Tag),
}

/// The framing of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dialect {
    profile: Framing,
    /// The tag that this side chose, where it may be in extended mode.
    ours: Option<Tag>,
    may_be_base: bool,
    agreed: Agreed,
}

impl Dialect {
    pub(crate) fn client(profile: Framing, mode: Mode, tag: Tag) -> Self {
        let extended = mode.allows_extended() && !profile.is_base_only();
        let agreed = if extended { Agreed::Open } else { Agreed::Base };
        let ours = extended.then(|| usable(tag, &profile));
        Self { profile, ours, may_be_base: mode.allows_base() || !extended, agreed }
    }

    pub(crate) fn server(profile: Framing, mode: Mode, tag: Tag, hello: &Hello) -> Self {
        let extended = mode.allows_extended() && !profile.is_base_only();
        match hello.tag.filter(|_| extended) {
            Some(theirs) => Self {
                profile,
                ours: Some(usable(tag, &profile)),
                may_be_base: false,
                agreed: Agreed::Extended(theirs),
            },
            None => Self { profile, ours: None, may_be_base: true, agreed: Agreed::Base },
        }
    }

    pub(crate) const fn tag(&self) -> Option<Tag> {
        self.ours
    }

    pub(crate) const fn is_extended(&self) -> bool {
        matches!(self.agreed, Agreed::Extended(_))
    }

    /// The tag that the peer chose.
    pub(crate) const fn peer_tag(&self) -> Option<Tag> {
        match self.agreed {
            Agreed::Extended(theirs) => Some(theirs),
            Agreed::Base | Agreed::Open => None,
        }
    }

    /// Whether the tag in a CONNECT is that of the peer we speak with.
    pub(crate) fn is_peer(&self, tag: Option<Tag>) -> bool {
        match self.agreed {
            Agreed::Extended(theirs) => tag == Some(theirs),
            Agreed::Base | Agreed::Open => true,
        }
    }

    /// How the next datagram to the peer is framed.
    pub(crate) fn outgoing(&self) -> Framing {
        match self.agreed {
            Agreed::Extended(theirs) => Framing::tagged(theirs),
            Agreed::Base | Agreed::Open => self.profile,
        }
    }

    pub(crate) fn agree_extended(&mut self, theirs: Tag) {
        self.agreed = Agreed::Extended(theirs);
    }

    pub(crate) fn agree_base(&mut self) {
        self.agreed = Agreed::Base;
        self.ours = None;
    }

    /// The number and the body, if `datagram` is an INFO of extended mode: ahead of [`decode`](Self::decode), which knows it
    /// too, since most datagrams of a transfer are.
    #[inline]
    pub(crate) fn decode_info<'d>(&self, datagram: &'d [u8]) -> Option<(Seq, &'d [u8])> {
        self.ours?.decode_info(datagram)
    }

    /// The packet in a datagram, and whether it came under our tag. Packets that do not exist in their mode are ignored.
    pub(crate) fn decode<'d>(&self, datagram: &'d [u8]) -> Result<(Packet<'d>, bool), Ignored> {
        if let Some(tag) = self.ours
            && datagram.starts_with(tag.as_bytes())
        {
            let packet = Framing::tagged(tag).decode(datagram)?;
            return if packet.packet_type().is_tagged() { Ok((packet, true)) } else { Err(Ignored::Mode) };
        }
        let packet = self.profile.decode(datagram)?;
        let may_be_base = self.may_be_base && !self.is_extended() && packet.packet_type().is_in_base_mode();
        if may_be_base || packet.packet_type().comes_before_tags() { Ok((packet, false)) } else { Err(Ignored::Mode) }
    }
}

/// A tag must not begin like the profile's prefix, or the two could not be told apart.
fn usable(tag: Tag, profile: &Framing) -> Tag {
    if !tag.starts_like(profile) {
        return tag;
    }
    let [first, rest @ ..] = *tag.as_bytes();
    let [a, b, c, d, e, f, g] = rest;
    Tag::new([!first, a, b, c, d, e, f, g])
}
