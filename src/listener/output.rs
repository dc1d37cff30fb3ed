//! Output, deadlines and events. The work does not depend on idle connections.

use super::path_validation::Paths;
use super::peers::{Lifecycle, Peer};
use super::stats::increment;
use super::{Listener, ListenerTypes, PeerId};
use crate::connection::{Changes, Connection, Event, Gather, Transmit, Turn};
use crate::timing::earlier;
use crate::{BufferTooSmall, Instant, Seq};

/// The body of an INFO of a connection, by the INFO's number.
pub type PeerBody = (PeerId, Seq);

/// Datagrams to an address, of which the end may lie in the send store of a connection.
pub type PeerGather<A> = (A, Gather<PeerBody>);

/// The result of the turn of one peer.
enum PeerTurn<A> {
    /// Datagrams to this address were written.
    Sent(A, Gather),
    /// The connection has nothing to send before `due`.
    Idle { changes: Changes, due: Option<Instant> },
    /// The address is in quarantine.
    Quarantined { until: Instant },
    /// The peer was removed.
    Gone,
}

impl<T: ListenerTypes> Listener<T> {
    /// Handles all deadlines up to `now`, as [`Connection::handle_timeout`] does for one connection.
    ///
    /// Connections that are not due and have not changed cause no work, even if many of them wait for a blocked socket.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        while let Some(index) =
            self.backlog.oldest().filter(|_| self.backlog.poll_timeout().is_some_and(|at| at <= now))
        {
            let incoming = self.backlog.incoming(index);
            self.backlog.remove(index);
            increment(&mut self.stats.expired);
            if let Some((tag, incoming)) = incoming.and_then(|incoming| Some((incoming.parameters.tag?, incoming))) {
                self.reply_busy(incoming.address, tag);
            }
        }
        while let Some(index) = self.peers.scheduler_mut().next_to_wake(now) {
            self.wake(index);
        }
    }

    /// Handles the timeout of one peer, and schedules its next deadline. Datagrams that are due do not affect it.
    fn wake(&mut self, index: u32) {
        let now = self.now;
        self.handle_validation_timeout(index);
        let Some(peer) = self.peers.get_mut(index) else { return };
        match &mut peer.lifecycle {
            Lifecycle::Quarantined { until } if *until <= now => self.peers.remove(index),
            Lifecycle::Quarantined { until } => {
                let until = *until;
                self.peers.scheduler_mut().on_woken(index, now, false, Some(until));
            }
            Lifecycle::Live { connection, is_held } => {
                let (changes, due) = connection.route_timeout(now);
                if !*is_held && changes.contains(Changes::DRAINED) {
                    self.retire(index);
                    return;
                }
                let validation = self.peers.paths(index).and_then(Paths::poll_timeout);
                self.on_changes(index, changes);
                self.peers.scheduler_mut().on_woken(index, now, true, earlier(due, validation));
            }
        }
    }

    /// Handles the changes that a timeout or a turn has caused.
    fn on_changes(&mut self, index: u32, changes: Changes) {
        if changes.contains(Changes::EVENT) {
            self.peers.scheduler_mut().mark_event(index);
        }
        if changes.contains(Changes::ENDED) {
            self.peers.on_handshake_over(index);
        }
    }

    /// Handles the report of the socket that a datagram of `len` bytes to `to` is too large for the path (`EMSGSIZE`).
    ///
    /// As [`Connection::handle_datagram_too_large`], for each connection at this address.
    pub fn handle_datagram_too_large(&mut self, now: Instant, to: T::Address, len: usize) {
        self.advance(now);
        let now = self.now;
        let mut next = self.peers.find_at(to, |_, _| true);
        while let Some(index) = next {
            if let Some(connection) = self.peers.get_mut(index).and_then(Peer::connection_mut) {
                connection.handle_datagram_too_large(now, len);
                self.peers.scheduler_mut().mark_changed(index);
            }
            next = self.peers.next_at(to, index);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and then [`poll_transmit`](Self::poll_transmit), at the
    /// latest.
    ///
    /// As [`Connection::poll_timeout`]. After any call that may change a connection, the timeout is due at once until
    /// `poll_transmit` returns `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.replies.is_empty() {
            return Some(self.now);
        }
        earlier(self.peers.scheduler().poll_timeout(self.now), self.backlog.poll_timeout())
    }

    /// Writes the next datagram into `buf`, and returns its destination.
    ///
    /// As [`Connection::poll_transmit`]. The connections take turns, with one datagram each.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the datagram does not fit into `buf`. The datagram stays due.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buf: &mut [u8],
    ) -> Result<Option<(T::Address, Transmit)>, BufferTooSmall> {
        let turn = self
            .take_turns(now, buf, |connection, now, buf| Ok(connection.poll_transmit(now, buf)?.map(Gather::from)))?;
        Ok(turn.map(|(to, gather)| (to, gather.transmit)))
    }

    /// Writes the next datagrams to one address into `buf`, at most `max_datagrams`.
    ///
    /// As [`Connection::poll_transmit_batch`]. The connections take turns, with one batch each.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the first datagram does not fit into `buf`. The datagram stays due.
    pub fn poll_transmit_batch(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(T::Address, Transmit)>, BufferTooSmall> {
        let turn = self.take_turns(now, buf, |connection, now, buf| {
            Ok(connection.poll_transmit_batch(now, max_datagrams, buf)?.map(Gather::from))
        })?;
        Ok(turn.map(|(to, gather)| (to, gather.transmit)))
    }

    /// As [`poll_transmit_batch`](Self::poll_transmit_batch), but copies no body of 32 KiB or more.
    ///
    /// As [`Connection::poll_transmit_gather`]. The connection may be gone as well when the socket has room again.
    ///
    /// # Errors
    ///
    /// As for [`poll_transmit_batch`](Self::poll_transmit_batch).
    pub fn poll_transmit_gather(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<PeerGather<T::Address>>, BufferTooSmall> {
        self.take_turns(now, buf, |connection, now, buf| connection.poll_transmit_gather(now, max_datagrams, buf))
    }

    /// As [`Connection::body`]; empty if the connection is gone.
    #[must_use]
    pub fn body(&self, (peer, number): PeerBody) -> &[u8] {
        self.peers.find(peer).and_then(Peer::connection).map_or(&[], |connection| connection.body(number))
    }

    fn take_turns(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        mut transmit: impl FnMut(&mut Connection<T::Storage>, Instant, &mut [u8]) -> Result<Option<Gather>, BufferTooSmall>,
    ) -> Result<Option<PeerGather<T::Address>>, BufferTooSmall> {
        self.advance(now);
        if let Some((to, len)) = self.replies.poll_transmit(buf)? {
            return Ok(Some((to, Transmit { len, segment_size: len }.into())));
        }
        while let Some(index) = self.peers.scheduler().next_to_send() {
            match self.take_turn(index, buf, &mut transmit)? {
                PeerTurn::Sent(to, Gather { transmit, body }) => {
                    self.peers.scheduler_mut().on_sent(index);
                    let body = body.map(|number| (self.peers.id(index), number));
                    return Ok(Some((to, Gather { transmit, body })));
                }
                PeerTurn::Idle { changes, due } => self.on_idle(index, changes, due),
                PeerTurn::Quarantined { until } => self.peers.scheduler_mut().park(index, Some(until)),
                PeerTurn::Gone => self.peers.scheduler_mut().remove(index),
            }
        }
        Ok(None)
    }

    /// Gives one peer its turn to send.
    fn take_turn(
        &mut self,
        index: u32,
        buf: &mut [u8],
        transmit: &mut impl FnMut(&mut Connection<T::Storage>, Instant, &mut [u8]) -> Result<Option<Gather>, BufferTooSmall>,
    ) -> Result<PeerTurn<T::Address>, BufferTooSmall> {
        let now = self.now;
        if let Some((peer, paths)) = self.peers.with_paths_mut(index)
            && let address = peer.address
            // After the end at most one packet informs the peer, and no challenge leaves.
            && let Some(connection) = peer.connection_mut().filter(|connection| connection.ended().is_none())
            && let Some((to, len)) =
                paths.poll_transmit(address, &connection.outgoing(), connection.next_counter(), buf)?
        {
            connection.count_datagrams(1);
            return Ok(PeerTurn::Sent(to, Transmit { len, segment_size: len }.into()));
        }
        let Some(peer) = self.peers.get_mut(index) else { return Ok(PeerTurn::Gone) };
        match &mut peer.lifecycle {
            Lifecycle::Live { connection, is_held } => match connection.route_transmit(now, buf, transmit)? {
                Turn::Sent(gather) => Ok(PeerTurn::Sent(peer.address, gather)),
                Turn::Idle { changes, due } if *is_held => Ok(PeerTurn::Idle { changes, due }),
                // The linger of a released connection may have ended.
                Turn::Idle { .. } => {
                    let (changes, due) = connection.route_timeout(now);
                    Ok(PeerTurn::Idle { changes, due })
                }
            },
            Lifecycle::Quarantined { until } => Ok(PeerTurn::Quarantined { until: *until }),
        }
    }

    /// Handles a turn in which nothing was sent. The connection has no datagram before `due`.
    fn on_idle(&mut self, index: u32, changes: Changes, due: Option<Instant>) {
        let is_held = self.peers.get(index).is_some_and(|peer| peer.held().is_some());
        if !is_held && changes.contains(Changes::DRAINED) {
            self.retire(index);
            return;
        }
        self.on_changes(index, changes);
        if changes.contains(Changes::ENDED) {
            self.peers.forget_paths(index);
        }
        let validation = self.peers.paths(index).and_then(Paths::poll_timeout);
        self.peers.scheduler_mut().park(index, earlier(due, validation));
    }

    /// Removes a connection. In base mode its address stays in quarantine.
    ///
    /// The connection is dropped in place, since a move would need stack for a whole connection.
    pub(super) fn retire(&mut self, index: u32) {
        if let Some(connection) = self.peers.get(index).and_then(Peer::connection) {
            let quarantine_end = connection.quarantine_end();
            self.vacate(index, quarantine_end);
        }
    }

    /// Removes a peer whose connection has ended, and drops the connection if the caller has not taken it.
    ///
    /// In base mode its address stays in quarantine until `quarantine_end`.
    pub(super) fn vacate(&mut self, index: u32, quarantine_end: Option<Instant>) {
        let now = self.now;
        self.peers.on_handshake_over(index);
        self.peers.forget_paths(index);
        let Some(peer) = self.peers.get_mut(index) else { return };
        match quarantine_end.filter(|&until| until > now && peer.tag.is_none()) {
            Some(until) => {
                peer.lifecycle = Lifecycle::Quarantined { until };
                self.peers.scheduler_mut().clear_event(index);
                self.peers.scheduler_mut().park(index, Some(until));
            }
            None => self.peers.remove(index),
        }
    }

    /// Returns the next event and the id of its connection. The connections take turns.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        while let Some(index) = self.peers.scheduler_mut().next_with_event() {
            let held = self.peers.get_mut(index).and_then(|peer| peer.held_mut());
            let Some(event) = held.and_then(Connection::poll_event) else { continue };
            // Each other connection with an event reports one before this connection reports its next.
            self.peers.scheduler_mut().mark_event(index);
            return Some((self.peers.id(index), event));
        }
        None
    }
}
