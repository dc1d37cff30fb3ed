//! The negotiation of the mode: the parameters of both sides, and the framing of their datagrams.
//!
//! ```text
//! client, Extended   CONNECT with TAG ------->            <-- CONNACK under the client's tag: extended
//! client, Both       CONNECT with TAG ------->            <-- the same, or CONNACK under the profile's prefix: base,
//!                                                             unless a tagged one arrives within an RTO
//! client, Base       CONNECT ---------------->            <-- CONNACK under the profile's prefix: base
//! server             extended if its mode allows it and the CONNECT has a TAG, otherwise base if its mode allows it
//! ```
//!
//! In extended mode every datagram except CONNECT begins with the tag that its receiver chose. An attacker off the path
//! has to guess these 64 bits.

use crate::Duration;
use crate::wire::{
    Framing, MAX_WINDOW, MIN_SEGMENT, Options, PacketType, Tag, TaggedInfo, VERSION, Writer, option_kind,
};

/// The modes that an endpoint supports.
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
    /// Extended mode if the peer supports it, otherwise base mode.
    ///
    /// A client that receives a base-mode answer waits one RTO for an answer in extended mode. If that answer is late
    /// or lost, an attacker can select base mode by a forged base-mode answer.
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
    /// The version of extended mode that this side speaks; 0 if it announces none.
    pub version: u32,
    /// The tag that datagrams to this side begin with, in extended mode; `None` in base mode.
    pub tag: Option<Tag>,
    /// The largest body that this side receives, in bytes.
    pub segment: u16,
    /// The initial receive window of this side, in INFO packets.
    pub window: u32,
    /// The idle limit of this side, if it announces one.
    pub idle_limit: Option<Duration>,
    /// The number of the CONNECT. In CONNACK: of the CONNECT that it answers.
    pub attempt: u8,
    /// In CONNACK: the token of a [stateless reset](crate::wire#stateless-reset), if the server sends such resets.
    pub reset_token: Option<Tag>,
    /// The length of the datagram that carried the parameters, in bytes; 0 if it does not matter.
    ///
    /// A server pads CONNACK to nearly this length. The first INFO then shows that the path to the client carries it.
    pub datagram_len: u16,
}

impl HandshakeParameters {
    /// The parameters of a CONNECT without options.
    pub const BASE: Self = Self {
        version: 0,
        tag: None,
        segment: DEFAULT_SEGMENT,
        window: 1,
        idle_limit: None,
        attempt: 0,
        reset_token: None,
        datagram_len: 0,
    };

    /// Reads the parameters from options. An absent option means its default.
    #[must_use]
    pub fn from_options(options: &Options<'_>) -> Self {
        Self {
            version: options.version().unwrap_or(0),
            tag: options.tag(),
            segment: options.segment().unwrap_or(DEFAULT_SEGMENT),
            window: options.window().unwrap_or(1),
            idle_limit: options.idle_ms().map(|ms| Duration::from_millis(ms.into())),
            attempt: options.attempt().unwrap_or(0),
            reset_token: options.reset_token(),
            datagram_len: 0,
        }
    }

    /// The same parameters, received in a datagram of `len` bytes.
    #[must_use]
    pub fn with_datagram_len(self, len: usize) -> Self {
        Self { datagram_len: u16::try_from(len).unwrap_or(u16::MAX), ..self }
    }
}

/// The default of the SEGMENT option, in bytes. In base mode every receiver accepts bodies of this size.
const DEFAULT_SEGMENT: u16 = 1_200;

impl HandshakeParameters {
    /// Whether the sender speaks our version of extended mode.
    pub(crate) const fn is_our_version(&self) -> bool {
        self.version == VERSION
    }

    /// Writes the parameters as options. Writes no options in base mode.
    ///
    /// `cookie` is the cookie of a RETRY.
    pub(crate) fn write_options(&self, cookie: Option<&[u8]>, out: &mut Writer<'_>) {
        let Some(tag) = self.tag else { return };
        out.option(option_kind::VERSION, &VERSION.to_be_bytes());
        out.option(option_kind::TAG, tag.as_bytes());
        out.option(option_kind::SEGMENT, &self.segment.max(MIN_SEGMENT).to_be_bytes());
        out.option(option_kind::WINDOW, &self.window.clamp(1, MAX_WINDOW).to_be_bytes());
        out.option(option_kind::ATTEMPT, &[self.attempt]);
        if let Some(limit_ms) = self.idle_limit_ms() {
            out.option(option_kind::IDLE, &limit_ms.to_be_bytes());
        }
        if let Some(cookie) = cookie {
            out.option(option_kind::COOKIE, cookie);
        }
        if let Some(token) = self.reset_token {
            out.option(option_kind::TOKEN, token.as_bytes());
        }
    }

    /// The idle limit to announce. A limit beyond the range of the option is not announced.
    fn idle_limit_ms(&self) -> Option<u32> {
        u32::try_from(self.idle_limit?.as_millis()).ok()
    }
}

/// The mode that the two sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Agreed {
    /// No mode yet: a client has offered extended mode and awaits the answer.
    Open {
        /// The tag that this side chose.
        ours: Tag,
        /// Whether base mode is allowed too.
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

    /// The framing of base mode and of CONNECT.
    pub(crate) const fn profile(&self) -> Framing {
        self.profile
    }

    /// The tag that this side chose; `None` in base mode.
    pub(crate) const fn tag(&self) -> Option<Tag> {
        match self.agreed {
            Agreed::Open { ours, .. } | Agreed::Extended { ours, .. } => Some(ours),
            Agreed::Base => None,
        }
    }

    pub(crate) const fn is_extended(&self) -> bool {
        matches!(self.agreed, Agreed::Extended { .. })
    }

    /// Whether the mode is base mode, or may still become base mode.
    pub(crate) const fn may_be_base(&self) -> bool {
        match self.agreed {
            Agreed::Open { may_be_base, .. } => may_be_base,
            Agreed::Base => true,
            Agreed::Extended { .. } => false,
        }
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

    /// Records that the peer's answer carries our tag and announces the tag `theirs`. In base mode this has no effect.
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

    /// The INFO in `datagram`, if it is an INFO of extended mode.
    ///
    /// This is a fast path, since most datagrams of a transfer are INFO. The framing [`incoming`](Self::incoming)
    /// decodes the same packets.
    #[inline]
    pub(crate) fn decode_info<'d>(&self, datagram: &'d [u8]) -> Option<TaggedInfo<'d>> {
        self.tag()?.decode_info(datagram)
    }

    /// The framing of a datagram from the peer, and whether the datagram carries our tag.
    pub(crate) fn incoming(&self, datagram: &[u8]) -> (Framing, bool) {
        match self.tag().filter(|tag| datagram.first_chunk() == Some(tag.as_bytes())) {
            Some(tag) => (Framing::tagged(tag), true),
            None => (self.profile, false),
        }
    }

    /// Whether a packet of this type exists in the mode. A packet that does not is ignored.
    pub(crate) const fn has(&self, packet_type: PacketType, tagged: bool) -> bool {
        if tagged {
            return packet_type.is_tagged();
        }
        self.may_be_base() && packet_type.is_in_base_mode() || packet_type.comes_before_tags()
    }
}

/// Changes a tag that begins like the profile's prefix, since datagrams with this tag would be ambiguous.
fn distinct_tag(tag: Tag, profile: &Framing) -> Tag {
    if !tag.starts_like(profile) {
        return tag;
    }
    let [first, rest @ ..] = *tag.as_bytes();
    let [a, b, c, d, e, f, g] = rest;
    Tag::new([!first, a, b, c, d, e, f, g])
}
