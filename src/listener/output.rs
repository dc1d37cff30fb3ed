//! What is to be sent, when to wake, and what to tell. Nothing here looks at a connection that nothing has happened to.

use super::path::PathValidation;
use super::peers::State;
use super::stats::increment;
use super::{Address, Listener, PeerId, TableMemory};
use crate::arq::Arq;
use crate::connection::{Connection, Event, Transmit};
use crate::store::{RecvStore, SendStore};
use crate::{BufferTooSmall, Instant};

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Time has passed: as [`Connection::handle_timeout`], for those whose deadline may have come: nobody else is looked at,
    /// however many wait for a socket that takes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        while let Some(index) =
            self.backlog.oldest().filter(|_| self.backlog.poll_timeout().is_some_and(|at| at <= now))
        {
            self.backlog.remove(index);
            increment(&mut self.stats.expired);
        }
        while let Some(index) = self.peers.scheduler.next_to_wake(now) {
            self.wake(index);
        }
    }

    /// Tells one peer the time. It may have something to send then; when to wake it again does not depend on that.
    fn wake(&mut self, index: u32) {
        let now = self.now;
        let Some(peer) = self.peers.peer_mut(index) else { return };
        match &mut peer.state {
            State::Quarantined { until } if *until <= now => drop(self.peers.remove(index)),
            State::Quarantined { until } => {
                let until = *until;
                self.peers.scheduler.on_woken(index, now, false, Some(until));
            }
            State::Live(connection) => {
                connection.handle_timeout(now);
                let (tells, gone) = (connection.has_event(), peer.released && connection.is_drained());
                let (path, due) = (peer.path, connection.next_timer());
                if gone {
                    drop(self.retire(index));
                    return;
                }
                let ended = connection.ended().is_some();
                if tells {
                    self.peers.scheduler.mark_event(index);
                }
                if ended {
                    self.on_handshake_over(index);
                }
                if self.paths.item_mut(path).is_some_and(|path| path.handle_timeout(now)) {
                    self.end_validation(index);
                }
                let due = [due, self.paths.item(path).map(PathValidation::poll_timeout)].into_iter().flatten().min();
                self.peers.scheduler.on_woken(index, now, true, due);
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, and then
    /// [`poll_transmit`](Self::poll_transmit): as [`Connection::poll_timeout`]. It is due at once after whatever may have
    /// changed something, until `poll_transmit` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.replies.is_empty() {
            return Some(self.now);
        }
        [self.peers.scheduler.poll_timeout(self.now), self.backlog.poll_timeout()].into_iter().flatten().min()
    }

    /// Writes the next datagram into `buf` and says to which address it goes: as [`Connection::poll_transmit`]. The
    /// connections take scheduler, a datagram each.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`: nothing has changed.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.take_turns(now, buf, Connection::poll_transmit)
    }

    /// As [`poll_transmit`](Self::poll_transmit), but several datagrams to one address at once: as
    /// [`Connection::poll_transmit_batch`]. The connections take scheduler, a batch each.
    ///
    /// # Errors
    ///
    /// If not even the first fits into `buf`: nothing has changed.
    pub fn poll_transmit_batch(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.take_turns(now, buf, |connection, now, buf| connection.poll_transmit_batch(now, max_datagrams, buf))
    }

    fn take_turns(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        mut transmit: impl FnMut(&mut Connection<S, R, Q>, Instant, &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall>,
    ) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.advance(now);
        if let Some((to, len)) = self.replies.poll_transmit(buf)? {
            return Ok(Some((to, Transmit { len, segment_size: len })));
        }
        while let Some(index) = self.peers.scheduler.next_to_send() {
            let sent = self.transmit(index, buf, &mut transmit)?;
            if sent.is_some() {
                self.peers.scheduler.on_sent(index);
                return Ok(sent);
            }
            self.settle(index);
        }
        Ok(None)
    }

    /// The next datagram of one peer.
    fn transmit(
        &mut self,
        index: u32,
        buf: &mut [u8],
        transmit: &mut impl FnMut(&mut Connection<S, R, Q>, Instant, &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall>,
    ) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        let now = self.now;
        let Some(peer) = self.peers.peer_mut(index) else { return Ok(None) };
        let State::Live(connection) = &mut peer.state else { return Ok(None) };
        if let Some(path) = self.paths.item_mut(peer.path)
            && let Some((to, len)) = path.poll_transmit(peer.address, &connection.outgoing(), buf)?
        {
            return Ok(Some((to, Transmit { len, segment_size: len })));
        }
        Ok(transmit(connection, now, buf)?.map(|transmit| (peer.address, transmit)))
    }

    /// Nothing is to be sent to this peer now: what follows.
    fn settle(&mut self, index: u32) {
        let now = self.now;
        let Some(peer) = self.peers.peer_mut(index) else { return self.peers.scheduler.remove(index) };
        let (path, released) = (peer.path, peer.released);
        let due = match &mut peer.state {
            State::Live(connection) => {
                if released {
                    connection.handle_timeout(now);
                }
                let (ended, tells) = (connection.ended().is_some(), connection.has_event());
                if released && connection.is_drained() {
                    drop(self.retire(index));
                    return;
                }
                let due = connection.poll_timeout();
                if tells {
                    self.peers.scheduler.mark_event(index);
                }
                if ended {
                    self.on_handshake_over(index);
                    self.end_validation(index);
                    due
                } else {
                    self.paths
                        .item(path)
                        .map_or(due, |path| Some(due.map_or(path.poll_timeout(), |due| due.min(path.poll_timeout()))))
                }
            }
            State::Quarantined { until } => Some(*until),
        };
        self.peers.scheduler.park(index, due);
    }

    /// A connection that nobody needs any more goes. The address rests where base mode wants it to.
    pub(super) fn retire(&mut self, index: u32) -> Option<Connection<S, R, Q>> {
        let now = self.now;
        self.on_handshake_over(index);
        self.end_validation(index);
        let peer = self.peers.peer_mut(index)?;
        let connection = peer.connection()?;
        let until = connection.quarantine_end().filter(|&until| until > now && peer.tag.is_none());
        let left = match until {
            Some(until) => {
                let left = core::mem::replace(&mut peer.state, State::Quarantined { until });
                self.peers.scheduler.clear_event(index);
                self.peers.scheduler.park(index, Some(until));
                left
            }
            None => self.peers.remove(index)?.state,
        };
        match left {
            State::Live(connection) => Some(connection),
            State::Quarantined { .. } => None,
        }
    }

    /// What to tell the application next, and of which connection. The connections take scheduler.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        while let Some(index) = self.peers.scheduler.next_with_event() {
            let Some(peer) = self.peers.peer_mut(index).filter(|peer| !peer.released) else { continue };
            let Some(event) = peer.connection_mut().and_then(Connection::poll_event) else { continue };
            // It may have more to tell, after all others.
            self.peers.scheduler.mark_event(index);
            let generation = self.peers.generation(index)?;
            return Some((PeerId { index, generation }, event));
        }
        None
    }
}
