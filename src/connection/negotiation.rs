//! The negotiation of the mode: what the two sides announce, and how their datagrams are framed.
//!
//! ```text
//! client, Extended   CONNECT with TAG ------->            <-- CONNACK under the client's tag: extended
//! client, Both       CONNECT with TAG ------->            <-- the same, or CONNACK under the profile's prefix: base,
//!                                                             unless an extended one arrives within an RTO
//! client, Base       CONNECT ---------------->            <-- CONNACK under the profile's prefix: base
//! server             extended if its mode allows it and the CONNECT has a TAG, otherwise base if its mode allows that
//! ```
//!
//! In extended mode every datagram begins with the tag that its receiver chose. An attacker off the path has to guess
//! these 64 bits.

use super::event::Ignored;
use crate::wire::{
    Framing, MAX_COOKIE, MAX_WINDOW, MIN_CONNECT, MIN_SEGMENT, Options, OptionsWriter, Packet, Tag, option_kind,
};
use crate::{Duration, Seq};

/// The modes that an endpoint speaks.
///
/// The [module documentation](super#modes) compares the two modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Mode {
    /// Extended mode only. The default.
    #[default]
    Extended,
    /// Base mode only: no protection against forged addresses.
    Base,
    /// Extended mode if the peer speaks it, otherwise base mode.
    ///
    /// A client that receives a base-mode answer waits one RTO for an extended one. An attacker can forge the base-mode
    /// answer, and so select base mode if the extended one is late or lost.
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

/// The parameters that a side announces in CONNECT or CONNACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandshakeParameters {
    /// The tag that datagrams to this side begin with, in extended mode; `None` in base mode.
    pub tag: Option<Tag>,
    /// The largest body that it receives, in bytes.
    pub segment: u16,
    /// Its receive window at the start, in INFO packets.
    pub window: u32,
    /// Its idle limit, if it announces one.
    pub idle_limit: Option<Duration>,
}

impl HandshakeParameters {
    /// The parameters of a CONNECT without options.
    pub const BASE: Self = Self { tag: None, segment: DEFAULT_SEGMENT, window: 1, idle_limit: None };

    /// Reads the parameters from options. An absent option means its default.
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

/// The SEGMENT option's default: every receiver takes bodies of this size.
const DEFAULT_SEGMENT: u16 = 1_200;

/// The size of a buffer for all options, with the longest cookie or padded to [`MIN_CONNECT`].
pub(crate) const OPTIONS_BYTES: usize = MIN_CONNECT + 2 + MAX_COOKIE;

impl HandshakeParameters {
    /// Writes the parameters as options into `buf`; [`Options::NONE`] in base mode.
    ///
    /// `cookie` is the cookie of a RETRY. `pad_to` is the least length, by which a client brings its CONNECT to
    /// [`MIN_CONNECT`]: no answer may be larger than the CONNECT.
    pub(crate) fn to_options<'b>(
        self,
        cookie: Option<&[u8]>,
        pad_to: usize,
        buf: &'b mut [u8; OPTIONS_BYTES],
    ) -> Options<'b> {
        let Some(tag) = self.tag else { return Options::NONE };
        let mut options = OptionsWriter::new(buf);
        options.known(option_kind::TAG, tag.as_bytes());
        options.known(option_kind::SEGMENT, &self.segment.max(MIN_SEGMENT).to_be_bytes());
        options.known(option_kind::WINDOW, &self.window.clamp(1, MAX_WINDOW).to_be_bytes());
        // A limit beyond the range of the option is not announced.
        if let Some(Ok(limit_ms)) = self.idle_limit.map(|limit| u32::try_from(limit.as_millis())) {
            options.known(option_kind::IDLE, &limit_ms.to_be_bytes());
        }
        if let Some(cookie) = cookie {
            options.known(option_kind::COOKIE, cookie);
        }
        options.known_pad_to(pad_to);
        options.finish()
    }
}

/// The mode that the two sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Agreed {
    /// None yet: a client that offers extended mode, without an answer.
    Open {
        /// The tag that this side chose.
        ours: Tag,
        /// Base mode is allowed too.
        may_be_base: bool,
    },
    Base,
    Extended {
        /// The tag that this side chose.
        ours: Tag,
        /// The tag that the peer chose.
        theirs: Tag,
    },
}

/// The mode and the framing of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Negotiation {
    profile: Framing,
    agreed: Agreed,
}

impl Negotiation {
    pub(crate) fn client(profile: Framing, mode: Mode, tag: Tag) -> Self {
        let extended = mode.allows_extended() && !profile.is_base_only();
        let agreed = if extended {
            Agreed::Open { ours: distinct_tag(tag, &profile), may_be_base: mode.allows_base() }
        } else {
            Agreed::Base
        };
        Self { profile, agreed }
    }

    pub(crate) fn server(profile: Framing, mode: Mode, tag: Tag, parameters: &HandshakeParameters) -> Self {
        let extended = mode.allows_extended() && !profile.is_base_only();
        let agreed = match parameters.tag.filter(|_| extended) {
            Some(theirs) => Agreed::Extended { ours: distinct_tag(tag, &profile), theirs },
            None => Agreed::Base,
        };
        Self { profile, agreed }
    }

    /// The tag that this side chose; `None` once extended mode is ruled out.
    pub(crate) const fn tag(&self) -> Option<Tag> {
        match self.agreed {
            Agreed::Open { ours, .. } | Agreed::Extended { ours, .. } => Some(ours),
            Agreed::Base => None,
        }
    }

    pub(crate) const fn is_extended(&self) -> bool {
        matches!(self.agreed, Agreed::Extended { .. })
    }

    /// The tag that the peer chose.
    pub(crate) const fn peer_tag(&self) -> Option<Tag> {
        match self.agreed {
            Agreed::Extended { theirs, .. } => Some(theirs),
            Agreed::Base | Agreed::Open { .. } => None,
        }
    }

    /// Whether `tag`, from a CONNECT, belongs to the peer of this connection.
    pub(crate) fn is_peer(&self, tag: Option<Tag>) -> bool {
        match self.agreed {
            Agreed::Extended { theirs, .. } => tag == Some(theirs),
            Agreed::Base | Agreed::Open { .. } => true,
        }
    }

    /// The framing of the next datagram to the peer.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn outgoing(&self) -> Framing {
        match self.agreed {
            Agreed::Extended { theirs, .. } => Framing::tagged(theirs),
            Agreed::Base | Agreed::Open { .. } => self.profile,
        }
    }

    /// The peer's answer carries our tag, and chooses `theirs`. In base mode there is no such answer.
    pub(crate) fn agree_extended(&mut self, theirs: Tag) {
        match self.agreed {
            Agreed::Open { ours, .. } | Agreed::Extended { ours, .. } => {
                self.agreed = Agreed::Extended { ours, theirs };
            }
            Agreed::Base => {}
        }
    }

    pub(crate) fn agree_base(&mut self) {
        self.agreed = Agreed::Base;
    }

    /// The number and the body, if `datagram` is an INFO of extended mode.
    ///
    /// A fast path before [`decode`](Self::decode), which accepts the same: most datagrams of a transfer are INFO.
    #[inline]
    pub(crate) fn decode_info<'d>(&self, datagram: &'d [u8]) -> Option<(Seq, &'d [u8])> {
        self.tag()?.decode_info(datagram)
    }

    /// The packet in a datagram, and whether it carries our tag. A packet that its mode does not have is ignored.
    pub(crate) fn decode<'d>(&self, datagram: &'d [u8]) -> Result<(Packet<'d>, bool), Ignored> {
        if let Some(tag) = self.tag()
            && datagram.starts_with(tag.as_bytes())
        {
            let packet = Framing::tagged(tag).decode(datagram)?;
            return if packet.packet_type().is_tagged() { Ok((packet, true)) } else { Err(Ignored::Mode) };
        }
        let packet = self.profile.decode(datagram)?;
        let may_be_base = match self.agreed {
            Agreed::Open { may_be_base, .. } => may_be_base,
            Agreed::Base => true,
            Agreed::Extended { .. } => false,
        };
        let packet_type = packet.packet_type();
        if may_be_base && packet_type.is_in_base_mode() || packet_type.comes_before_tags() {
            Ok((packet, false))
        } else {
            Err(Ignored::Mode)
        }
    }
}

/// Changes a tag that begins like the profile's prefix: a datagram under it would be ambiguous.
fn distinct_tag(tag: Tag, profile: &Framing) -> Tag {
    if !tag.starts_like(profile) {
        return tag;
    }
    let [first, rest @ ..] = *tag.as_bytes();
    let [a, b, c, d, e, f, g] = rest;
    Tag::new([!first, a, b, c, d, e, f, g])
}
