//! Datagrams with the tag of a connection from another address than its peer's.

use super::path::{ECHO_BYTES, Outcome, PathValidation};
use super::peers::{NO_PATH, Peer};
use super::stats::increment;
use super::{Address, Listener, TableMemory};
use crate::arq::Arq;
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, Packet};
use core::hash::Hasher;
use siphasher::sip::SipHasher24;

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// `received` bytes of the connection have come from an address that is not its peer's.
    pub(super) fn validate_path(&mut self, index: u32, from: A, received: usize) {
        let Some(peer) = self.peers.peer(index) else { return };
        let Some(connection) = peer.connection().filter(|connection| connection.ended().is_none()) else { return };
        if let Some(path) = self.paths.item_mut(peer.path) {
            // One change at a time.
            if path.other == from {
                path.on_received(from, received);
            } else {
                increment(&mut self.stats.other_address);
            }
            return;
        }
        let rto = connection.rto();
        if !self.may_move(peer.address, from) {
            increment(&mut self.stats.other_address);
            return;
        }
        let nonces = [self.nonce(), self.nonce()];
        match self.paths.insert(PathValidation::new(self.now, from, rto, nonces, received)) {
            Ok(path) => {
                if let Some(peer) = self.peers.peer_mut(index) {
                    peer.path = path;
                }
            }
            Err(_) => increment(&mut self.stats.other_address),
        }
    }

    /// Takes an ECHO that answers a challenge of ours. Returns whether the datagram is one.
    pub(super) fn handle_echo(&mut self, index: u32, from: A, datagram: &[u8]) -> bool {
        let now = self.now;
        let Some(peer) = self.peers.peer(index) else { return false };
        if self.paths.item(peer.path).is_some_and(|path| path.is_over(now)) {
            // What has run out decides nothing, and makes way for another, before `handle_timeout`.
            self.end_validation(index);
            return false;
        }
        let (Some(tag), Some(path)) = (peer.tag, self.paths.item_mut(peer.path)) else { return false };
        if datagram.len() != ECHO_BYTES || (from != path.other && from != peer.address) {
            return false;
        }
        let Ok(Packet::Echo { nonce }) = Framing::tagged(tag).decode(datagram) else { return false };
        let (other, present) = (path.other, peer.address);
        let outcome = path.on_echo(nonce, from == other);
        if outcome == Outcome::Ignored {
            return false;
        }
        if let Some(connection) = self.peers.peer_mut(index).and_then(Peer::connection_mut) {
            connection.on_path_response(now, datagram.len());
        }
        match outcome {
            Outcome::Ignored => {}
            Outcome::Keep => self.end_validation(index),
            Outcome::Migrate => self.move_to(index, present, other),
            Outcome::Revert => self.move_back(index, other),
        }
        self.peers.scheduler.mark_changed(index);
        true
    }

    /// Whether there may be one more connection at an address, which comes from another one.
    fn may_move(&self, from: A, to: A) -> bool {
        (from.host() == to.host() || self.has_room_for_validated(to.host()))
            && (self.has_room_at(to) || self.find_victim(to).is_some())
    }

    /// The new address has answered.
    fn move_to(&mut self, index: u32, old: A, new: A) {
        let other_host = old.host() != new.host();
        // Others may have come there since it was asked.
        if !self.may_move(old, new) || (other_host && !self.peers.enter(new.host())) {
            increment(&mut self.stats.other_address);
            self.end_validation(index);
            return;
        }
        if !self.has_room_at(new)
            && let Some(victim) = self.find_victim(new)
        {
            self.evict_victim(victim);
        }
        self.swap(index, new);
        if let Some(path) = self.peers.peer(index).and_then(|peer| self.paths.item_mut(peer.path)) {
            path.counts_twice = other_host;
        }
        increment(&mut self.stats.moved);
    }

    /// The old address has answered as well. Its host has kept the place.
    fn move_back(&mut self, index: u32, old: A) {
        if !self.has_room_at(old) {
            let Some(victim) = self.find_victim(old) else {
                // Whoever receives there has opened as many others since. To leave it at the new address would give it to
                // somebody who only passes on what the peer sends.
                self.end_validation(index);
                self.evict(index);
                return;
            };
            self.evict_victim(victim);
        }
        self.swap(index, old);
        self.end_validation(index);
    }

    /// The address that the peer has, and the other one, change places.
    fn swap(&mut self, index: u32, other: A) {
        let Some(before) = self.peers.set_address(index, other) else { return };
        if let Some(path) = self.peers.peer(index).and_then(|peer| self.paths.item_mut(peer.path)) {
            path.other = before;
        }
    }

    pub(super) fn end_validation(&mut self, index: u32) {
        let Some(peer) = self.peers.peer_mut(index) else { return };
        let path = self.paths.remove(core::mem::replace(&mut peer.path, NO_PATH));
        if let Some(path) = path.filter(|path| path.counts_twice) {
            self.peers.leave(path.other.host());
        }
    }

    /// What a PROBE asks for: only somebody who saw it can echo it.
    fn nonce(&mut self) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        hasher.write_u64(self.nonces);
        self.nonces += 1;
        hasher.finish()
    }
}
