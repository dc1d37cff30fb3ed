//! Datagrams with the tag of a connection from another address than its peer's.

use super::{ECHO_BYTES, Outcome, PathValidation};
use crate::arq::Arq;
use crate::listener::stats::increment;
use crate::listener::{Address, Listener, TableMemory};
use crate::store::{RecvStore, SendStore};
use crate::wire::{Framing, Packet};
use core::hash::Hasher;
use siphasher::sip::SipHasher24;

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// An established connection has received `received` bytes from an address that is not its peer's: challenges both.
    pub(in crate::listener) fn challenge(&mut self, index: u32, from: A, received: usize) {
        if let Some((_, validation)) = self.peers.validating_mut(index) {
            // One change at a time.
            if validation.other() == from {
                validation.on_received(received);
            } else {
                increment(&mut self.stats.other_address);
            }
            return;
        }
        let Some(peer) = self.peers.get(index) else { return };
        let Some(connection) = peer.connection().filter(|connection| connection.is_established()) else { return };
        let rto = connection.rto();
        let challenged = self.may_move(peer.address, from) && {
            let nonces = [self.nonce(), self.nonce()];
            self.peers.start_validation(index, PathValidation::new(self.now, from, rto, nonces, received))
        };
        if !challenged {
            increment(&mut self.stats.other_address);
        }
    }

    /// Takes an ECHO that answers a challenge. Returns whether the datagram is one.
    pub(in crate::listener) fn handle_echo(&mut self, index: u32, from: A, datagram: &[u8]) -> bool {
        let now = self.now;
        let Some((peer, validation)) = self.peers.validating_mut(index) else { return false };
        if validation.is_over(now) {
            // It decides nothing any more, and another one may begin before `handle_timeout`.
            self.peers.end_validation(index);
            return false;
        }
        let from_other = from == validation.other();
        let Some(tag) = peer.tag.filter(|_| datagram.len() == ECHO_BYTES && (from_other || from == peer.address))
        else {
            return false;
        };
        let Ok(Packet::Echo { nonce }) = Framing::tagged(tag).decode(datagram) else { return false };
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

    /// Whether there may be one more connection at an address, which comes from another one.
    fn may_move(&self, from: A, to: A) -> bool {
        (from.host() == to.host() || self.has_room_for_validated(to.host()))
            && (self.has_room_at(to) || self.find_victim(to).is_some())
    }

    /// The new address has answered.
    fn migrate(&mut self, index: u32) {
        let Some((peer, validation)) = self.peers.validating_mut(index) else { return };
        let (old, new) = (peer.address, validation.other());
        let victim = if self.has_room_at(new) { None } else { self.find_victim(new) };
        // Others may have come there since the challenge.
        if !self.may_move(old, new) || !self.peers.migrate(index) {
            increment(&mut self.stats.other_address);
            self.peers.end_validation(index);
            return;
        }
        if let Some(victim) = victim {
            self.evict_victim(victim);
        }
        increment(&mut self.stats.moved);
    }

    /// The old address has answered as well.
    fn revert(&mut self, index: u32) {
        let Some(old) = self.peers.validation(index).map(PathValidation::other) else { return };
        if !self.has_room_at(old) {
            let Some(victim) = self.find_victim(old) else {
                // An endpoint there has opened as many others since. To leave the connection at the new address would
                // give it to an attacker that only forwards what the peer sends.
                self.evict(index);
                return;
            };
            self.evict_victim(victim);
        }
        self.peers.revert(index);
    }

    /// What a PROBE asks for: only an endpoint that received it can echo it.
    fn nonce(&mut self) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.nonce_secret);
        hasher.write_u64(self.nonces);
        self.nonces += 1;
        hasher.finish()
    }
}
