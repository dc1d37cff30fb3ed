//! Methods that the application calls to accept, refuse, use and release connections.

use super::peers::{Lifecycle, Peer};
use super::replies::Answer;
use super::stats::increment;
use super::{Incoming, Listener, ListenerTypes, PeerId, TableMemory};
use crate::Instant;
use crate::connection::{Changes, Connection, Entropy, HandshakeParameters, accepted_tag};
use crate::store::StoreError;
use crate::wire::Tag;
use thiserror::Error;

/// Why a client was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AcceptError<E> {
    /// The handshake is no longer pending: its limit has expired, it was evicted, or the listener has stopped
    /// accepting.
    #[error("the handshake is no longer pending")]
    Gone,
    /// The listener has as many connections as its limits or its memory allow.
    ///
    /// The handshake stays pending, and [`Listener::poll_incoming`] returns it again once there is room.
    #[error("there is no room for another connection")]
    Full,
    /// The storage could not be made, or does not fit the configuration.
    ///
    /// The handshake is removed, so that a loop over [`Listener::poll_incoming`] ends. The client enters the backlog
    /// again when it repeats its CONNECT.
    #[error("there is no storage for the connection")]
    Storage(#[source] E),
}

impl<T: ListenerTypes> Listener<T> {
    /// Returns the oldest pending handshake that has not been returned yet.
    ///
    /// A handshake for which [`accept`](Self::accept) had no room is returned again.
    ///
    /// Returns `None` while there is no room for another connection. Poll again after each call that may make room.
    /// [`poll_transmit`](Self::poll_transmit) makes room when it writes the last packet of a connection.
    pub fn poll_incoming(&mut self) -> Option<Incoming<T::Address>> {
        if self.has_room() { self.backlog.next_incoming() } else { None }
    }

    /// Whether [`poll_incoming`](Self::poll_incoming) would return a handshake.
    #[must_use]
    pub fn has_incoming(&self) -> bool {
        self.has_room() && self.backlog.has_unreported()
    }

    /// Whether there is room for another connection.
    fn has_room(&self) -> bool {
        self.peers.len() < self.config.peers.min(<T::Tables as TableMemory>::CAPACITY) && self.peers.has_room_for_host()
    }

    /// Accepts a client. CONNACK is due at once.
    ///
    /// `storage` is called only if there is room for the connection.
    ///
    /// # Errors
    ///
    /// - [`AcceptError::Gone`]: the handshake is no longer pending.
    /// - [`AcceptError::Full`]: there is no room for another connection.
    /// - [`AcceptError::Storage`]: `storage` failed, or the storage does not fit the
    ///   [config](super::ListenerConfig::connection).
    // Not inlined: the temporary connection on the stack must not enlarge the stack frame of the caller.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn accept<E: From<StoreError>>(
        &mut self,
        now: Instant,
        incoming: Incoming<T::Address>,
        entropy: impl Into<Entropy>,
        storage: impl FnOnce() -> Result<T::Storage, E>,
    ) -> Result<PeerId, AcceptError<E>> {
        self.advance(now);
        let Some(pending) = self.backlog.find(incoming.slot).cloned() else { return Err(AcceptError::Gone) };
        let state = pending.state();
        let mut config = self.config.connection;
        if state.is_validated() {
            // A client that has received CONNACK retransmits INFO 0 until its idle limit. The server therefore waits
            // at least for its own idle limit.
            config.handshake_limit = config.handshake_limit.max(config.idle_limit);
        }
        let (entropy, tag) = self.with_free_tag(entropy.into(), &pending.parameters);
        // Reserves the table entry before `storage` is called.
        let place = Peer::reserved(pending.address, tag, pending.ticket, state, self.now);
        let placed = if self.has_room() { self.peers.insert(place) } else { None };
        let Some(index) = placed else {
            self.backlog.report_again(incoming.slot.index);
            return Err(AcceptError::Full);
        };
        let connection = storage().and_then(|storage| {
            Connection::accept(self.now, config, entropy, pending.parameters, storage).map_err(E::from)
        });
        self.backlog.remove(incoming.slot.index);
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => {
                self.peers.remove(index);
                increment(&mut self.stats.dismissed);
                return Err(AcceptError::Storage(error));
            }
        };
        if let Some(peer) = self.peers.get_mut(index) {
            peer.lifecycle = Lifecycle::Live { connection, is_held: true };
            if let (Some(connection), Some(resets), Some(tag)) = (peer.connection_mut(), &self.resets, tag) {
                connection.set_reset_token(resets.token(tag));
            }
        }
        self.peers.scheduler_mut().mark_changed(index);
        increment(&mut self.stats.accepted);
        Ok(self.peers.id(index))
    }

    /// Replaces the tag in the entropy until no other connection uses it. In extended mode, also returns the tag.
    fn with_free_tag(&self, mut entropy: Entropy, parameters: &HandshakeParameters) -> (Entropy, Option<Tag>) {
        loop {
            let tag = accepted_tag(&self.config.connection, &entropy, parameters);
            let Some(taken) = tag.filter(|&tag| self.peers.find_tag(tag).is_some()) else { return (entropy, tag) };
            let other = self.peers.key().hash(&(taken, self.ticket)).to_ne_bytes();
            entropy = entropy.with_tag(Tag::new(other));
        }
    }

    /// Refuses a client by RESET with `code`.
    ///
    /// The client's connection ends as [`Refused`](crate::connection::CloseReason::Refused).
    ///
    /// Base mode has no RESET, so the client gets no answer. Either the client retransmits its CONNECT and enters the
    /// backlog again, or its handshake limit expires. The same applies in extended mode if 16 replies are already
    /// queued for [`poll_transmit`](Self::poll_transmit) ([`replies_dropped`](super::ListenerStats::replies_dropped)).
    pub fn refuse(&mut self, incoming: Incoming<T::Address>, code: u8) {
        if self.backlog.find(incoming.slot).is_none() {
            return;
        }
        self.backlog.remove(incoming.slot.index);
        increment(&mut self.stats.refused);
        if let Some(tag) = incoming.parameters.tag {
            self.reply(incoming.address, tag, Answer::Reset(code));
        }
    }

    /// Removes a pending handshake without an answer. The client enters the backlog again if it repeats its CONNECT.
    pub fn ignore(&mut self, incoming: Incoming<T::Address>) {
        if self.backlog.find(incoming.slot).is_some() {
            self.backlog.remove(incoming.slot.index);
            increment(&mut self.stats.dismissed);
        }
    }

    /// Refuses all clients from now on: pending and new ones get RESET with `code`.
    ///
    /// This cannot be undone. At most 16 RESET packets are queued before the next
    /// [`poll_transmit`](Self::poll_transmit). The other clients get RESET when they retransmit their CONNECT. Clients
    /// in base mode get [no answer](Self::refuse).
    ///
    /// Existing connections continue: [`peers`](Self::peers) lists them. Drive the listener until it
    /// [is empty](Self::is_empty), or for as long as the program can wait.
    pub fn stop_accepting(&mut self, code: u8) {
        self.stopped = Some(code);
        while let Some(incoming) = self.backlog.oldest().and_then(|index| self.backlog.incoming(index)) {
            self.refuse(incoming, code);
        }
    }

    /// The connections that were accepted and not released, in any order. This takes O(n).
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().filter(|(_, peer)| peer.held().is_some()).map(|(index, _)| self.peers.id(index))
    }

    /// The connection with this id; `None` once it was released.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&Connection<T::Storage>> {
        self.peers.find(id)?.held()
    }

    /// The connection with this id, to write, read and close it; `None` once it was released.
    ///
    /// Call [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut Connection<T::Storage>> {
        self.peer(id)?;
        // The caller may change anything, so the listener checks for output and events.
        self.peers.scheduler_mut().mark_changed(id.index);
        self.peers.scheduler_mut().mark_event(id.index);
        self.peers.get_mut(id.index)?.held_mut()
    }

    /// The current address of this connection, which may [change](super); `None` once it was released.
    #[must_use]
    pub fn address(&self, id: PeerId) -> Option<T::Address> {
        self.peers.find(id).filter(|peer| peer.held().is_some()).map(|peer| peer.address)
    }

    /// Releases a connection that the application no longer needs.
    ///
    /// A connection that has not ended is aborted. A lingering connection continues to linger. The released
    /// connection counts towards the limits until it stops lingering, and in base mode until the quarantine of its
    /// address ends. Its storage is dropped: use [`reclaim`](Self::reclaim) to get the storage back.
    pub fn release(&mut self, now: Instant, id: PeerId) {
        self.advance(now);
        let now = self.now;
        if self.peer(id).is_none() {
            return;
        }
        self.peers.on_handshake_over(id.index);
        let Some(peer) = self.peers.get_mut(id.index) else { return };
        let Lifecycle::Live { connection, is_held } = &mut peer.lifecycle else { return };
        *is_held = false;
        if connection.route_release(now).contains(Changes::DRAINED) {
            self.retire(id.index);
        } else {
            self.peers.scheduler_mut().mark_changed(id.index);
        }
    }

    /// Releases a connection that [is drained](Connection::is_drained), and returns its storage.
    ///
    /// Unread data is lost. Returns `None` if there is no such connection, or while it is not drained: call again after
    /// the next [`handle_timeout`](Self::handle_timeout).
    ///
    /// In base mode the address stays in quarantine. The memory of the storage can be used for another connection at
    /// once: build new slots from the memory ([`SendSlots::into_memory`](crate::store::SendSlots::into_memory)).
    pub fn reclaim(&mut self, now: Instant, id: PeerId) -> Option<T::Storage> {
        self.advance(now);
        let now = self.now;
        // A connection that is not drained must not be marked as changed, or `poll_timeout` would be due at once.
        self.peer(id).filter(|connection| connection.route_is_drained(now))?;
        let peer = self.peers.get_mut(id.index)?;
        let connection = peer.connection_mut()?;
        connection.handle_timeout(now);
        let quarantine_end = connection.quarantine_end();
        let lifecycle = core::mem::replace(&mut peer.lifecycle, Lifecycle::Quarantined { until: now });
        self.vacate(id.index, quarantine_end);
        match lifecycle {
            Lifecycle::Live { connection, .. } => Some(connection.into_storage()),
            Lifecycle::Quarantined { .. } => None,
        }
    }
}
