//! Output, deadlines and events. Nothing here looks at a connection that nothing has happened to.

use super::path_validation::PathValidation;
use super::peers::Lifecycle;
use super::stats::increment;
use super::{Address, Listener, PeerId, TableMemory};
use crate::arq::Arq;
use crate::connection::{Changes, Connection, Event, Transmit, Turn};
use crate::store::{RecvStore, SendStore};
use crate::{BufferTooSmall, Instant};

/// What came of the turn of one peer.
enum PeerTurn<A> {
    Sent(A, Transmit),
    /// The connection has nothing to send before `due`.
    Idle {
        changes: Changes,
        due: Option<Instant>,
    },
    /// The address is in quarantine.
    Quarantined {
        until: Instant,
    },
    /// The peer was removed.
    Gone,
}

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Time has passed: as [`Connection::handle_timeout`] for each connection whose deadline may have come.
    ///
    /// It looks at no other connection, however many wait for a socket that is blocked.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        while let Some(index) =
            self.backlog.oldest().filter(|_| self.backlog.poll_timeout().is_some_and(|at| at <= now))
        {
            self.backlog.remove(index);
            increment(&mut self.stats.expired);
        }
        while let Some(index) = self.peers.scheduler_mut().next_to_wake(now) {
            self.wake(index);
        }
    }

    /// Wakes one peer. Its next deadline does not depend on what it may have to send then.
    fn wake(&mut self, index: u32) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(index) else { return };
        match &mut peer.lifecycle {
            Lifecycle::Quarantined { until } if *until <= now => drop(self.peers.remove(index)),
            Lifecycle::Quarantined { until } => {
                let until = *until;
                self.peers.scheduler_mut().on_woken(index, now, false, Some(until));
            }
            Lifecycle::Live { connection, is_held } => {
                let (changes, due) = connection.route_timeout(now);
                if !*is_held && changes.contains(Changes::DRAINED) {
                    drop(self.retire(index));
                    return;
                }
                if self.peers.validating_mut(index).is_some_and(|(_, validation)| validation.handle_timeout(now)) {
                    self.peers.end_validation(index);
                }
                let validation = self.peers.validation(index).map(PathValidation::poll_timeout);
                self.on_changes(index, changes);
                let due = [due, validation].into_iter().flatten().min();
                self.peers.scheduler_mut().on_woken(index, now, true, due);
            }
        }
    }

    /// What follows from what a timeout or a turn has changed.
    fn on_changes(&mut self, index: u32, changes: Changes) {
        if changes.contains(Changes::EVENT) {
            self.peers.scheduler_mut().mark_event(index);
        }
        if changes.contains(Changes::ENDED) {
            self.peers.on_handshake_over(index);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, and then
    /// [`poll_transmit`](Self::poll_transmit): as [`Connection::poll_timeout`]. It is due at once after whatever may
    /// have changed something, until `poll_transmit` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.replies.is_empty() {
            return Some(self.now);
        }
        [self.peers.scheduler().poll_timeout(self.now), self.backlog.poll_timeout()].into_iter().flatten().min()
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
        while let Some(index) = self.peers.scheduler().next_to_send() {
            match self.take_turn(index, buf, &mut transmit)? {
                PeerTurn::Sent(to, transmit) => {
                    self.peers.scheduler_mut().on_sent(index);
                    return Ok(Some((to, transmit)));
                }
                PeerTurn::Idle { changes, due } => self.on_idle(index, changes, due),
                PeerTurn::Quarantined { until } => self.peers.scheduler_mut().park(index, Some(until)),
                PeerTurn::Gone => self.peers.scheduler_mut().remove(index),
            }
        }
        Ok(None)
    }

    /// The next datagrams of one peer.
    fn take_turn(
        &mut self,
        index: u32,
        buf: &mut [u8],
        transmit: &mut impl FnMut(&mut Connection<S, R, Q>, Instant, &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall>,
    ) -> Result<PeerTurn<A>, BufferTooSmall> {
        let now = self.now;
        if let Some((peer, validation)) = self.peers.validating_mut(index)
            && let Some(framing) = peer.connection().map(Connection::outgoing)
            && let Some((to, len)) = validation.poll_transmit(peer.address, &framing, buf)?
        {
            return Ok(PeerTurn::Sent(to, Transmit { len, segment_size: len }));
        }
        let Some(peer) = self.peers.get_mut(index) else { return Ok(PeerTurn::Gone) };
        match &mut peer.lifecycle {
            Lifecycle::Live { connection, is_held } => match connection.route_transmit(now, buf, transmit)? {
                Turn::Sent(transmit) => Ok(PeerTurn::Sent(peer.address, transmit)),
                Turn::Idle { changes, due } if *is_held => Ok(PeerTurn::Idle { changes, due }),
                // Its linger may be over.
                Turn::Idle { .. } => {
                    let (changes, due) = connection.route_timeout(now);
                    Ok(PeerTurn::Idle { changes, due })
                }
            },
            Lifecycle::Quarantined { until } => Ok(PeerTurn::Quarantined { until: *until }),
        }
    }

    /// Nothing is to be sent to this peer before `due`.
    fn on_idle(&mut self, index: u32, changes: Changes, due: Option<Instant>) {
        let is_held = self.peers.get(index).is_some_and(|peer| peer.held().is_some());
        if !is_held && changes.contains(Changes::DRAINED) {
            drop(self.retire(index));
            return;
        }
        self.on_changes(index, changes);
        if changes.contains(Changes::ENDED) {
            self.peers.end_validation(index);
        }
        let validation = self.peers.validation(index).map(PathValidation::poll_timeout);
        self.peers.scheduler_mut().park(index, [due, validation].into_iter().flatten().min());
    }

    /// Removes a connection that is needed no more. In base mode its address stays in quarantine.
    pub(super) fn retire(&mut self, index: u32) -> Option<Connection<S, R, Q>> {
        let now = self.now;
        self.peers.on_handshake_over(index);
        self.peers.end_validation(index);
        let peer = self.peers.get_mut(index)?;
        let until = peer.connection()?.quarantine_end().filter(|&until| until > now && peer.tag.is_none());
        let left = match until {
            Some(until) => {
                let left = core::mem::replace(&mut peer.lifecycle, Lifecycle::Quarantined { until });
                self.peers.scheduler_mut().clear_event(index);
                self.peers.scheduler_mut().park(index, Some(until));
                left
            }
            None => self.peers.remove(index)?.lifecycle,
        };
        match left {
            Lifecycle::Live { connection, .. } => Some(connection),
            Lifecycle::Quarantined { .. } => None,
        }
    }

    /// The next event, and the connection that it happened to. The connections take turns.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        while let Some(index) = self.peers.scheduler_mut().next_with_event() {
            let held = self.peers.get_mut(index).and_then(|peer| peer.held_mut());
            let Some(event) = held.and_then(Connection::poll_event) else { continue };
            // It may have more, after all others.
            self.peers.scheduler_mut().mark_event(index);
            return Some((self.peers.id(index), event));
        }
        None
    }
}
