//! What the application does: it accepts, refuses, uses and releases connections.

use super::peers::{Lifecycle, Peer};
use super::replies::Answer;
use super::stats::increment;
use super::{Address, Incoming, Listener, PeerId, TableMemory};
use crate::Instant;
use crate::arq::Arq;
use crate::connection::{Changes, Connection, Entropy, Hello, Storage, accepted_tag};
use crate::store::{RecvStore, SendStore};
use crate::wire::Tag;
use thiserror::Error;

/// Why a client was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AcceptError<E> {
    /// The client is not pending any more: its handshake limit has passed, or it has restarted.
    #[error("the client is not pending any more")]
    Gone,
    /// There are as many connections as may be at once, or as there is memory for. The client stays pending, and
    /// [`Listener::poll_incoming`] returns it again once there is room.
    #[error("there is no room for another connection")]
    Full,
    /// There is no storage for the connection. The listener has forgotten the client, which queues again when it
    /// repeats its CONNECT: so a loop over [`Listener::poll_incoming`] ends.
    #[error("there is no storage for the connection")]
    Storage(#[source] E),
}

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// The next pending handshake, the oldest first. Each is returned once.
    ///
    /// `None` also while there is no room for another connection: call it again after each call that may have made
    /// some. That includes [`poll_transmit`](Self::poll_transmit), with which the last packet of a connection leaves.
    pub fn poll_incoming(&mut self) -> Option<Incoming<A>> {
        if self.has_room() { self.backlog.next_incoming() } else { None }
    }

    /// Whether [`poll_incoming`](Self::poll_incoming) would return a handshake.
    #[must_use]
    pub fn has_incoming(&self) -> bool {
        self.has_room() && self.backlog.has_unreported()
    }

    /// Whether there may be one more connection.
    fn has_room(&self) -> bool {
        self.peers.len() < self.config.peers.min(M::CAPACITY) && self.peers.has_room_for_host()
    }

    /// Accepts a client: CONNACK is due at once. `storage` is called only if there is room for the connection.
    ///
    /// # Errors
    ///
    /// If the client is not pending any more, there is no room for a connection, or `storage` fails.
    pub fn accept<E>(
        &mut self,
        now: Instant,
        incoming: Incoming<A>,
        entropy: impl Into<Entropy>,
        storage: impl FnOnce() -> Result<Storage<S, R, Q>, E>,
    ) -> Result<PeerId, AcceptError<E>> {
        self.advance(now);
        let Some(pending) = self.backlog.find(incoming.slot).cloned() else { return Err(AcceptError::Gone) };
        let state = pending.state();
        let mut config = self.config.connection;
        if state.is_validated() {
            // For the client the handshake is complete with CONNACK: it repeats INFO 0 for so long.
            config.handshake_limit = config.handshake_limit.max(config.idle_limit);
        }
        let (entropy, tag) = self.with_free_tag(entropy.into(), &pending.hello);
        // The place is taken before anything is asked for.
        let place = Peer::reserved(pending.address, tag, pending.ticket, state, self.now);
        let placed = if self.has_room() { self.peers.insert(place) } else { None };
        let Some(index) = placed else {
            self.backlog.report_again(incoming.slot.index);
            return Err(AcceptError::Full);
        };
        let storage = storage();
        self.backlog.remove(incoming.slot.index);
        let storage = match storage {
            Ok(storage) => storage,
            Err(error) => {
                self.peers.remove(index);
                increment(&mut self.stats.dismissed);
                return Err(AcceptError::Storage(error));
            }
        };
        if let Some(peer) = self.peers.get_mut(index) {
            let connection = Connection::accept(self.now, config, entropy, pending.hello, storage);
            peer.lifecycle = Lifecycle::Live { connection, is_held: true };
        }
        self.peers.scheduler_mut().mark_changed(index);
        increment(&mut self.stats.accepted);
        Ok(self.peers.id(index))
    }

    /// The entropy with a tag that no other connection has, whatever entropy the caller gives; and that tag, in
    /// extended mode.
    fn with_free_tag(&self, mut entropy: Entropy, hello: &Hello) -> (Entropy, Option<Tag>) {
        loop {
            let tag = accepted_tag(&self.config.connection, &entropy, hello);
            let Some(taken) = tag.filter(|&tag| self.peers.find_tag(tag).is_some()) else { return (entropy, tag) };
            let other = self.peers.key().hash(&(taken, self.ticket)).to_ne_bytes();
            entropy = entropy.with_tag(Tag::new(other));
        }
    }

    /// Refuses a client by RESET with `code`: its connection ends as [`Refused`](crate::connection::Reason::Refused).
    ///
    /// Base mode has no RESET: the client queues again if it repeats its CONNECT, and otherwise ends by its handshake
    /// limit. The same happens while 16 answers wait for [`poll_transmit`](Self::poll_transmit)
    /// ([`replies_dropped`](super::ListenerStats::replies_dropped)).
    pub fn refuse(&mut self, incoming: Incoming<A>, code: u8) {
        if self.backlog.find(incoming.slot).is_none() {
            return;
        }
        self.backlog.remove(incoming.slot.index);
        increment(&mut self.stats.refused);
        if let Some(tag) = incoming.hello.tag {
            self.reply(incoming.address, tag, Answer::Reset(code));
        }
    }

    /// Forgets a client without an answer. It queues again if it repeats its CONNECT.
    pub fn ignore(&mut self, incoming: Incoming<A>) {
        if self.backlog.find(incoming.slot).is_some() {
            self.backlog.remove(incoming.slot.index);
            increment(&mut self.stats.dismissed);
        }
    }

    /// Accepts no client any more, for good: pending and new ones are [refused](Self::refuse) with `code`.
    ///
    /// At most 16 of them get RESET before [`poll_transmit`](Self::poll_transmit) is called, the others when they
    /// repeat their CONNECT. Connections go on: [`peers`](Self::peers) lists them. Drive the listener until it [is
    /// empty](Self::is_empty), or for as long as the program can wait.
    pub fn stop_accepting(&mut self, code: u8) {
        self.stopped = Some(code);
        while let Some(incoming) = self.backlog.oldest().and_then(|index| self.backlog.incoming(index)) {
            self.refuse(incoming, code);
        }
    }

    /// The connections that were accepted and not released, in no order. This looks at all of them.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().filter(|(_, peer)| peer.held().is_some()).map(|(index, _)| self.peers.id(index))
    }

    /// The connection with this name; `None` once it was released.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&Connection<S, R, Q>> {
        self.peers.find(id)?.held()
    }

    /// The connection with this name, to write, read and close; `None` once it was released. Call
    /// [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut Connection<S, R, Q>> {
        self.peer(id)?;
        // What the caller does with it is not known: the listener looks when its turn comes.
        self.peers.scheduler_mut().mark_changed(id.index);
        self.peers.scheduler_mut().mark_event(id.index);
        self.peers.get_mut(id.index)?.held_mut()
    }

    /// The address of this connection, which may [change](super); `None` once it was released.
    #[must_use]
    pub fn address(&self, id: PeerId) -> Option<A> {
        self.peers.find(id).filter(|peer| peer.held().is_some()).map(|peer| peer.address)
    }

    /// Gives a connection back that the application does not need any more.
    ///
    /// A connection that has not ended is aborted, and a lingering one goes on to linger. Its place is free once the
    /// linger is over, and in base mode the quarantine of its address. Its storage is dropped:
    /// [`reclaim`](Self::reclaim) returns it.
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

    /// Takes the storage of a connection that [is drained](Connection::is_drained), instead of
    /// [`release`](Self::release).
    ///
    /// The application does not have the connection any more then, and what is unread is lost. `None` while it is not
    /// drained (call it again after the next [`handle_timeout`](Self::handle_timeout)), and if there is no such
    /// connection.
    ///
    /// In base mode the address stays in quarantine. The storage may serve another connection at once: make new slots
    /// of its memory ([`SendSlots::into_memory`](crate::store::SendSlots::into_memory)).
    pub fn reclaim(&mut self, now: Instant, id: PeerId) -> Option<Storage<S, R, Q>> {
        self.advance(now);
        let now = self.now;
        let connection = self.peer_mut(id)?;
        let (changes, _) = connection.route_timeout(now);
        if !changes.contains(Changes::DRAINED) {
            return None;
        }
        self.retire(id.index).map(Connection::into_storage)
    }
}
