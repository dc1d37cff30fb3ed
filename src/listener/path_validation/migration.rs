//! The move of a connection to another address, from which a datagram with its tag has arrived.

use super::{ECHO_BYTES, Outcome, PathValidation, SHORTEST_TIMEOUT};
use crate::keyed_hash::KeyedHasher;
use crate::listener::stats::increment;
use crate::listener::{Address, Listener, ListenerTypes};
use crate::wire::{Framing, Packet};
use core::hash::Hasher;

impl<T: ListenerTypes> Listener<T> {
    /// Challenges the peer's address and `from`, after a datagram of `received` bytes for the connection came from
    /// `from`.
    pub(in crate::listener) fn challenge(&mut self, index: u32, from: T::Address, received: usize) {
        if let Some((_, validation)) = self.peers.validating_mut(index) {
            // A connection validates one address at a time.
            if validation.other() == from {
                validation.on_received(received);
            } else {
                increment(&mut self.stats.other_address);
            }
            return;
        }
        let Some(peer) = self.peers.get(index) else { return };
        let Some(connection) = peer.connection().filter(|connection| connection.is_established()) else { return };
        let rto = connection.rto().max(SHORTEST_TIMEOUT);
        let challenged = self.may_move(peer.address, from) && {
            let nonces = [self.nonce(), self.nonce()];
            self.peers.start_validation(index, PathValidation::new(self.now, from, rto, nonces, received))
        };
        if !challenged {
            increment(&mut self.stats.other_address);
        }
    }

    /// Handles an ECHO that answers a challenge. Returns whether the datagram is such an ECHO.
    pub(in crate::listener) fn handle_echo(&mut self, index: u32, from: T::Address, datagram: &[u8]) -> bool {
        let now = self.now;
        let Some((peer, validation)) = self.peers.validating_mut(index) else { return false };
        if validation.is_over(now) {
            // The validation has expired. It ends here, so that the next one need not wait for `handle_timeout`.
            self.peers.end_validation(index);
            return false;
        }
        let from_other = from == validation.other();
        let Some(tag) = peer.tag.filter(|_| datagram.len() == ECHO_BYTES && (from_other || from == peer.address))
        else {
            return false;
        };
        let Ok(Packet::Echo { nonce, .. }) = Framing::tagged(tag).decode(datagram) else { return false };
        let outcome = validation.on_echo(nonce, from_other);
        if outcome == Outcome::Ignored {
            return false;
        }
        if let Some(connection) = peer.connection_mut() {
            connection.on_path_response(now, datagram.len());
        }
        match outcome {
            Outcome::Ignored => {}
            Outcome::Keep => self.peers.end_validation(index),
            Outcome::Migrate => self.migrate(index),
            Outcome::Revert => self.revert(index),
        }
        self.peers.scheduler_mut().mark_changed(index);
        true
    }

    /// Whether the quotas allow a connection to move from one address to another.
    fn may_move(&self, from: T::Address, to: T::Address) -> bool {
        (from.host() == to.host() || self.has_room_for_validated(to.host()))
            && (self.has_room_at(to) || self.find_victim(to).is_some())
    }

    /// Moves the connection to the new address, which has answered.
    fn migrate(&mut self, index: u32) {
        let Some((peer, validation)) = self.peers.validating_mut(index) else { return };
        let (old, new) = (peer.address, validation.other());
        let victim = if self.has_room_at(new) { None } else { self.find_victim(new) };
        // Other connections may have taken the quota since the challenge.
        if !self.may_move(old, new) || !self.peers.migrate(index) {
            increment(&mut self.stats.other_address);
            self.peers.end_validation(index);
            return;
        }
        if let Some(victim) = victim {
            self.evict_victim(victim);
        }
        increment(&mut self.stats.moved);
        self.start_path(index, old, new);
    }

    /// Moves the connection back to the old address, which has answered as well.
    fn revert(&mut self, index: u32) {
        let Some(old) = self.peers.validation(index).map(PathValidation::other) else { return };
        if !self.has_room_at(old) {
            let Some(victim) = self.find_victim(old) else {
                // Other connections have since taken the quota of the old address. The connection must not stay at the
                // new address, which may belong to an attacker that only forwards the peer's datagrams.
                self.evict(index);
                return;
            };
            self.evict_victim(victim);
        }
        if let Some((old, new)) = self.peers.get(index).map(|peer| (peer.address, old)) {
            self.start_path(index, old, new);
        }
        self.peers.revert(index);
    }

    /// Lets the connection measure the path anew (RFC 9000 §9.4).
    ///
    /// Another port of the same host is most often a NAT that has changed its mapping: the path stays the same.
    fn start_path(&mut self, index: u32, old: T::Address, new: T::Address) {
        let now = self.now;
        if old.host() != new.host()
            && let Some(connection) = self.peers.get_mut(index).and_then(|peer| peer.connection_mut())
        {
            connection.start_path(now);
        }
    }

    /// A new nonce for PROBE. Only an endpoint that receives the PROBE can echo it.
    fn nonce(&mut self) -> u64 {
        let mut hasher = KeyedHasher::new_with_key(&self.nonce_secret);
        hasher.write_u64(self.nonces);
        self.nonces += 1;
        hasher.finish()
    }
}
