//! The tags and numbers of a connection, read from its datagrams and its storage.

use super::choice::{Machine, ROOM};
use rdt_proto::arq::Arq;
use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{Instant, Seq};

/// The tags of both sides, as far as they are agreed. They frame the datagrams of extended mode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags {
    profile: Framing,
    /// The tag that this side announces. `None` in base mode.
    ours: Option<Tag>,
    /// The tag that the peer announced. `None` in base mode, and at a client before CONNACK.
    theirs: Option<Tag>,
}

impl Tags {
    /// Reads the tag of a new connection from its first datagram, CONNECT or CONNACK.
    ///
    /// At a server, `theirs` is the tag in the CONNECT of the peer.
    pub(super) fn of_new(machine: &Machine, now: Instant, profile: Framing, theirs: Option<Tag>) -> Self {
        let mut tags = Self { profile, ours: None, theirs: theirs.filter(|_| machine.is_extended()) };
        let mut buf = [0; ROOM];
        let sent = machine.clone().poll_transmit(now, &mut buf);
        let len = sent.map_or(0, |transmit| transmit.map_or(0, |transmit| transmit.len));
        let first = tags.outgoing().decode(buf.get(..len).unwrap_or_default());
        assert!(
            matches!(first, Ok(Packet::Connect(_) | Packet::ConnAck(_))),
            "a connection must begin with CONNECT or CONNACK: {first:?}"
        );
        if let Ok(Packet::Connect(options) | Packet::ConnAck(options)) = first {
            tags.ours = options.tag();
        }
        tags
    }

    /// The tag that this side announces. `None` in base mode.
    pub(super) const fn ours(&self) -> Option<Tag> {
        self.ours
    }

    /// The framing of datagrams to this side.
    pub(super) fn incoming(&self) -> Framing {
        self.ours.map_or(self.profile, Framing::tagged)
    }

    /// The framing of datagrams to the peer.
    pub(super) fn outgoing(&self) -> Framing {
        self.theirs.map_or(self.profile, Framing::tagged)
    }

    /// Updates the tags after a call that may have handled `datagram`.
    ///
    /// A client enters extended mode only by a CONNACK that announces a tag, under the client's own tag.
    pub(super) fn follow(&mut self, machine: &Machine, datagram: &[u8]) {
        if machine.is_extended() && self.theirs.is_none() {
            let answer = self.incoming().decode(datagram);
            if let Ok(Packet::ConnAck(options)) = answer {
                self.theirs = options.tag();
            }
            assert!(
                self.theirs.is_some() && self.ours.is_some(),
                "a client must enter extended mode only by a CONNACK with a tag: {answer:?}"
            );
        } else if machine.is_established() && !machine.is_extended() {
            self.ours = None;
        }
    }
}

/// The oldest number that the peer has not acknowledged, and the next number expected from the peer.
pub(super) fn base_and_next(machine: &Machine) -> (Seq, Seq) {
    let arq = machine.clone().into_storage().arq;
    (arq.base(), arq.next())
}
