//! The move of a connection to another address, from which a datagram with its tag has arrived.

use super::validation::{Outcome, Side, Start, Validation};
use super::{ECHO_BYTES, Ending, Paths};
use crate::connection::Connection;
use crate::keyed_hash::KeyedHasher;
use crate::listener::peers::Peer;
use crate::listener::stats::increment;
use crate::listener::{Address, Listener, ListenerTypes};
use crate::wire::{Framing, Packet};

use core::hash::Hasher;

/// A peer of a listener.
type PeerOf<T> = Peer<<T as ListenerTypes>::Address, Connection<<T as ListenerTypes>::Storage>>;

impl<T: ListenerTypes> Listener<T> {
    /// Whether the connection takes datagrams from `from`, another address than the peer's.
    ///
    /// If not, the datagram may start or continue a path validation: only the peer, or an observer of its datagrams,
    /// knows the tag.
    pub(in crate::listener) fn takes_from_other(&mut self, index: u32, from: T::Address, datagram: &[u8]) -> bool {
        let now = self.now;
        let Some(connection) = self.peers.get(index).and_then(Peer::connection) else { return true };
        let (is_established, is_open) = (connection.is_established(), connection.ended().is_none());
        let takes = self.peers.paths(index).is_some_and(|paths| paths.trusts(now, from, is_established));
        if !takes && is_open {
            // The record shows how long the handshake has had to go on from its own address.
            self.peers.paths_or_new(index, now);
            self.on_datagram_from_other(index, from, datagram);
        }
        takes
    }

    /// Handles a datagram from `from`, another address than the peer's.
    pub(in crate::listener) fn on_datagram_from_other(&mut self, index: u32, from: T::Address, datagram: &[u8]) {
        let continues = self.peers.paths(index).and_then(Paths::other) == Some(from);
        if continues {
            self.on_counted_datagram(index, datagram, Side::Other);
        } else if !self.start_validation(index, from, datagram) {
            increment(&mut self.stats.other_address);
        }
        self.peers.scheduler_mut().mark_changed(index);
    }

    /// Handles a datagram that the connection has accepted, and that came from the address of the peer.
    pub(in crate::listener) fn on_datagram_from_peer(&mut self, index: u32, datagram: &[u8]) {
        self.on_counted_datagram(index, datagram, Side::Current);
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn on_counted_datagram(&mut self, index: u32, datagram: &[u8], from: Side) {
        let Some((peer, validation)) = self.validating_mut(index) else { return };
        let Some(counter) = peer.tag.and_then(|tag| Framing::tagged(tag).counter_of(datagram)) else { return };
        let outcome = validation.on_datagram(counter, datagram.len(), from);
        self.apply(index, outcome);
    }

    /// Starts a validation of the address `from`. Returns false if none may start.
    fn start_validation(&mut self, index: u32, from: T::Address, datagram: &[u8]) -> bool {
        let now = self.now;
        if self.peers.paths(index).is_some_and(|paths| !paths.may_start(now, from)) {
            return false;
        }
        let Some(peer) = self.peers.get(index) else { return false };
        let Some(connection) = peer.connection().filter(|connection| connection.is_established()) else { return false };
        let Some(counter) = peer.tag.and_then(|tag| Framing::tagged(tag).counter_of(datagram)) else { return false };
        let (old, rto, is_measured) = (peer.address, connection.rto(), connection.rtt().srtt().is_some());
        if !self.may_move(old, from) {
            return false;
        }
        let nonces = [self.nonce(), self.nonce()];
        let start = Start { now, new: from, received: datagram.len(), counter, rto, is_measured, nonces };
        let Some(paths) = self.peers.paths_or_new(index, now) else { return false };
        paths.start(&start);
        true
    }

    /// Handles an ECHO that answers a challenge. Returns whether the datagram is such an ECHO.
    pub(in crate::listener) fn handle_echo(&mut self, index: u32, from: T::Address, datagram: &[u8]) -> bool {
        let now = self.now;
        let Some((peer, validation)) = self.validating_mut(index) else { return false };
        let side = if from == validation.other() {
            Side::Other
        } else if from == peer.address {
            Side::Current
        } else {
            return false;
        };
        let Some(tag) = peer.tag.filter(|_| datagram.len() == ECHO_BYTES) else { return false };
        let Ok(Packet::Echo { nonce, .. }) = Framing::tagged(tag).decode(datagram) else { return false };
        let outcome = validation.on_echo(now, nonce, side);
        if outcome == Outcome::Ignored {
            return false;
        }
        if let Some(connection) = peer.connection_mut() {
            connection.on_path_response(now, datagram.len());
        }
        self.apply(index, outcome);
        self.peers.scheduler_mut().mark_changed(index);
        true
    }

    /// Handles the timeout of the validation of a peer.
    pub(in crate::listener) fn handle_validation_timeout(&mut self, index: u32) {
        let now = self.now;
        let Some((_, validation)) = self.validating_mut(index) else { return };
        let outcome = validation.handle_timeout(now);
        self.apply(index, outcome);
    }

    /// A peer and the validation of another address of it.
    fn validating_mut(&mut self, index: u32) -> Option<(&mut PeerOf<T>, &mut Validation<T::Address>)> {
        let (peer, paths) = self.peers.with_paths_mut(index)?;
        Some((peer, paths.validation_mut()?))
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn apply(&mut self, index: u32, outcome: Outcome) {
        let now = self.now;
        match outcome {
            Outcome::Ignored | Outcome::Answered => {}
            Outcome::Keep => self.peers.end_validation(index, now, Ending::Failed),
            Outcome::Migrate => {
                self.migrate(index);
            }
            Outcome::Revert => self.revert(index),
            Outcome::Return => {
                if self.migrate(index) {
                    self.peers.end_validation(index, now, Ending::Failed);
                }
            }
            Outcome::Confirm => {
                self.peers.end_validation(index, now, Ending::Confirmed);
                if let Some(connection) = self.peers.get_mut(index).and_then(Peer::connection_mut) {
                    connection.on_move_confirmed(now);
                }
            }
            Outcome::Stay => self.peers.end_validation(index, now, Ending::Open),
        }
    }

    /// Whether the quotas allow a connection to move from one address to another.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn may_move(&self, from: T::Address, to: T::Address) -> bool {
        (from.host() == to.host() || self.has_room_for_validated(to.host()))
            && (self.has_room_at(to) || self.find_victim(to).is_some())
    }

    /// Moves the connection to the new address, which has answered. Returns false if the quotas do not allow it.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn migrate(&mut self, index: u32) -> bool {
        let now = self.now;
        let (Some(old), Some(new)) =
            (self.peers.get(index).map(|peer| peer.address), self.peers.paths(index).and_then(Paths::other))
        else {
            return false;
        };
        let victim = if self.has_room_at(new) { None } else { self.find_victim(new) };
        // Other connections may have taken the quota since the challenge.
        if !self.may_move(old, new) || !self.peers.migrate(index, now) {
            increment(&mut self.stats.other_address);
            self.peers.end_validation(index, now, Ending::Failed);
            return false;
        }
        if let Some(victim) = victim {
            self.evict_victim(victim);
        }
        increment(&mut self.stats.moved);
        if let Some(connection) = self.peers.get_mut(index).and_then(Peer::connection_mut) {
            connection.on_moved(now);
        }
        true
    }

    /// Moves the connection back to the old address, which has answered as well.
    fn revert(&mut self, index: u32) {
        let now = self.now;
        let Some(old) = self.peers.paths(index).and_then(Paths::other) else { return };
        if !self.has_room_at(old) {
            let Some(victim) = self.find_victim(old) else {
                // Other connections have since taken the quota of the old address. The connection must not stay at the
                // new address, which may belong to an attacker that only forwards the peer's datagrams.
                self.evict(index);
                return;
            };
            self.evict_victim(victim);
        }
        if let Some(connection) = self.peers.get_mut(index).and_then(Peer::connection_mut) {
            connection.on_reverted(now);
        }
        self.peers.revert(index, now);
    }

    /// A new nonce for PROBE. Only an endpoint that receives the PROBE can echo it.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn nonce(&mut self) -> u64 {
        let mut hasher = KeyedHasher::new_with_key(&self.nonce_secret);
        hasher.write_u64(self.nonces);
        self.nonces += 1;
        hasher.finish()
    }
}
