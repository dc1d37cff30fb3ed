//! How a connection applies the [datagram size of the path](super::path_size) to its handshake and its bodies.

use super::handshake::Handshake;
use super::path_size::{MIN_SIZE, PathSize};
use super::state::State;
use super::{CloseReason, Connection, ConnectionTypes, Lent};
use crate::arq::Arq;
use crate::event::Role;
use crate::store::SendStore;
use crate::wire::{Framing, MIN_CONNECT, Tag};
use crate::{Instant, Seq};

/// The largest CONNECT or CONNACK that is sent, in bytes: the payload of UDP over IPv6 in a packet of 1,500 bytes.
///
/// Most paths carry it. Where an interface takes more than the path behind it, a larger one would be lost, and would cost
/// the handshake a timeout. No data waits for a PROBE that is lost.
const LARGEST_HANDSHAKE: u16 = 1_452;

/// The length of the header of INFO in extended mode, in bytes.
fn info_header_len() -> u16 {
    u16::try_from(Framing::tagged(Tag::new([0; 8])).info_header_len()).unwrap_or(u16::MAX)
}

impl<T: ConnectionTypes> Connection<T> {
    /// Handles the report of the socket that a datagram of `len` bytes is too large for the path (`EMSGSIZE`).
    ///
    /// The datagram counts as lost. CONNECT or CONNACK is repeated at once in a small datagram. An established
    /// connection sends smaller bodies from now on, and searches for the largest size that is carried. INFO keeps its
    /// bytes when it is repeated, and so do the further pieces of a body that was cut and sent in part. If the path
    /// shrinks below their size, the connection ends as [`NoProgress`](CloseReason::NoProgress), or as
    /// [`TimedOut`](CloseReason::TimedOut) if the peer has nothing to say. If `len` is
    /// at most 512 and not above the [segment](super::Config::segment) with its header, no size is left, and the
    /// connection ends as `NoProgress` at once.
    ///
    /// The call has no effect in base mode, nor with a store that [cannot cut](crate::store::SendStore::CUTS): bodies
    /// then have the size that [`Config`](super::Config) says.
    pub fn handle_datagram_too_large(&mut self, now: Instant, len: usize) {
        self.advance(now);
        if !T::Send::CUTS || len == 0 {
            return;
        }
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        match &mut self.state {
            State::Opening(handshake) if !self.negotiation.may_be_base() => handshake.on_too_large(self.role, len),
            State::Established { path, .. } if (1..=MIN_SIZE.min(path.wanted())).contains(&len) => {
                let before = self.before();
                self.give_up(CloseReason::NoProgress);
                self.trace_changes(before);
            }
            State::Established { path, .. } => {
                if path.on_refused(len) {
                    self.fit_to_path();
                }
            }
            State::Opening(_) | State::Ended { .. } => {}
        }
    }

    /// Cuts unsent bodies that may be larger than the config and the peer allow. Returns whether all of them fit now.
    pub(super) fn cut_to_segment(&mut self) -> bool {
        self.send.segment() <= self.segment.into() || self.send.cut(self.arq.base(), self.segment)
    }

    /// Applies the datagram size of the path to the bodies that were not sent yet.
    pub(super) fn fit_to_path(&mut self) {
        if !T::Send::CUTS || !self.negotiation.is_extended() {
            return;
        }
        let Some(path) = self.state.path() else { return };
        let segment = path.size().saturating_sub(info_header_len());
        if segment <= self.segment || self.exceeds_path() {
            // A cut gives the bodies other numbers, and the lent memory may be larger than the limit.
            self.lent = Lent::Nothing;
        }
        self.segment = segment;
        let fits = self.send.cut(self.arq.first_unsent(), segment);
        if let Some(path) = self.state.path_mut() {
            path.set_exceeded(!fits);
        }
    }

    /// Fits the bodies to the path that could not be cut before. Acknowledgements make that possible.
    pub(super) fn retry_fit(&mut self) {
        if T::Send::CUTS && self.exceeds_path() && self.send.can_cut(self.arq.first_unsent()) {
            self.fit_to_path();
        }
    }

    fn exceeds_path(&self) -> bool {
        self.state.path().is_some_and(PathSize::is_exceeded)
    }

    /// Where sending stops: at a body that waits to be cut, or that waits because the peer takes one INFO at a time.
    ///
    /// It waits only while something is in flight, whose acknowledgement may allow the cut. A body that cannot be cut
    /// even then keeps its size. If the path does not carry it, the connection ends without progress.
    #[inline]
    pub(super) fn sendable_end(&self) -> Seq {
        let end = self.send.end();
        if self.peer.takes_one_info() {
            let next = self.arq.first_unsent();
            return if next == self.arq.base() { end } else { next };
        }
        if !T::Send::CUTS || !self.exceeds_path() {
            return end;
        }
        let is_uncut = |number| self.send.body(number).len() > self.segment.into() && !self.send.can_cut(number);
        let next = self.arq.first_unsent();
        if next != self.arq.base() && is_uncut(next) {
            next
        } else if is_uncut(next.next()) {
            // Nor does it leave in place of a number that is held back.
            next.next()
        } else {
            end
        }
    }

    /// Searches another path for its datagram size.
    pub(super) fn search_new_path(&mut self) {
        if T::Send::CUTS
            && let Some(path) = self.state.path_mut()
        {
            *path = PathSize::new(path.wanted(), 0);
            path.search();
            self.fit_to_path();
        }
    }

    /// Records what the CONNACK shows that answers the CONNECT with this number, before the mode is agreed on.
    pub(super) fn on_connack(&mut self, attempt: u8) {
        let (len, is_extended) = (self.large_handshake_len(), !self.negotiation.may_be_base());
        if T::Send::CUTS
            && is_extended
            && let Some(handshake) = self.state.handshake_mut()
        {
            handshake.on_answer(attempt, len);
        }
    }

    /// The least length of the next CONNECT or CONNACK of extended mode, in bytes.
    ///
    /// The server may answer CONNECT by as many bytes. A large one also shows that the path carries its size. A
    /// client that may fall back to base mode sends no large one: foreign peers need not take it.
    pub(super) fn handshake_len(&self) -> usize {
        let least = if self.role == Role::Client { MIN_CONNECT } else { 0 };
        let Some(handshake) = self.state.handshake().filter(|_| T::Send::CUTS) else { return least };
        let len = self.large_handshake_len();
        let large = match self.role {
            Role::Client if handshake.is_large(handshake.attempt(self.role)) && !self.negotiation.may_be_base() => len,
            Role::Client => 0,
            // Every path carries `MIN_SIZE`.
            Role::Server => Some(handshake.padded_len().min(len)).filter(|&large| large > MIN_SIZE).unwrap_or(0),
        };
        least.max(large.into())
    }

    /// Records the length of a CONNACK.
    pub(super) fn on_connack_sent(&mut self, len: usize) {
        if T::Send::CUTS
            && let Some(handshake) = self.state.handshake_mut()
        {
            handshake.on_connack_sent(len);
        }
    }

    /// What the handshake has shown about the path.
    pub(super) fn path_of_handshake(&mut self) -> PathSize {
        if !T::Send::CUTS || !self.negotiation.is_extended() {
            return PathSize::NONE;
        }
        let shown = self.state.handshake().map_or(0, Handshake::shown);
        self.rtt.set_handshake_bytes(shown);
        let mut path = PathSize::new(self.wanted_size(), shown);
        path.search();
        path
    }

    /// The largest body that config, peer and send store allow, in bytes, whatever the path has shown.
    pub(super) fn whole_segment(&self) -> usize {
        match self.state.path() {
            Some(path) if T::Send::CUTS && self.negotiation.is_extended() => {
                path.wanted().saturating_sub(info_header_len()).into()
            }
            Some(_) | None => self.segment(),
        }
    }

    /// Whether a PROBE of a datagram size is due.
    ///
    /// It follows the first body, since a server answers none before INFO 0 has arrived. It leaves while large bodies
    /// are sent: more than half of what the path allows, as pieces of a cut body are. Smaller ones gain nothing.
    pub(super) fn is_size_probe_due(&self) -> bool {
        if !T::Send::CUTS || self.state.path().and_then(PathSize::probe_due).is_none() {
            return false;
        }
        let (base, next) = (self.arq.base(), self.arq.first_unsent());
        // A store that fetches bodies may have dropped the one in flight.
        next != base && [base, next].into_iter().any(|number| self.send.body(number).len() > self.segment() / 2)
    }

    /// The length of a large CONNECT or CONNACK, in bytes.
    fn large_handshake_len(&self) -> u16 {
        self.wanted_size().min(LARGEST_HANDSHAKE)
    }

    /// The largest datagram that the config, the peer and the send store allow, in extended mode.
    pub(super) fn wanted_size(&self) -> u16 {
        u16::try_from(self.segment()).unwrap_or(u16::MAX).saturating_add(info_header_len())
    }
}
