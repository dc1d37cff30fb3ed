//! The connections of a listener: input and output, and what the application does with them.

use super::{Listener, PeerId, PeerSlot, Place, State};
use crate::arq::Arq;
use crate::connection::{Connection, Event, Storage, Transmit};
use crate::store::{RecvStore, SendStore};
use crate::{BufferTooSmall, Instant};
use core::hash::Hash;

impl<A, S, R, M, Q> Listener<A, S, R, M, Q>
where
    A: Copy + Eq + Hash,
    S: SendStore,
    R: RecvStore,
    M: AsRef<[PeerSlot<A, S, R, Q>]> + AsMut<[PeerSlot<A, S, R, Q>]>,
    Q: Arq,
{
    /// The connection with this name; `None` once it was released.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&Connection<S, R, Q>> {
        self.entry(id).map(|(_, connection)| connection)
    }

    /// The connection with this name, to write, read and close; `None` once it was released. Call
    /// [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut Connection<S, R, Q>> {
        if self.table.generation(id.index) != Some(id.generation) {
            return None;
        }
        match self.table.entry_mut(id.index)? {
            (_, Place(State::Connected { connection, released: false })) => Some(connection),
            (_, Place(State::Connected { .. } | State::Queued { .. } | State::Quarantined { .. })) => None,
        }
    }

    /// The address of this connection; `None` once it was released.
    #[must_use]
    pub fn address(&self, id: PeerId) -> Option<A> {
        self.entry(id).map(|(address, _)| address)
    }

    fn entry(&self, id: PeerId) -> Option<(A, &Connection<S, R, Q>)> {
        if self.table.generation(id.index) != Some(id.generation) {
            return None;
        }
        match self.table.entry(id.index)? {
            (address, Place(State::Connected { connection, released: false })) => Some((address, connection)),
            (_, Place(State::Connected { .. } | State::Queued { .. } | State::Quarantined { .. })) => None,
        }
    }

    /// The application does not need this connection any more: it has read what it wanted. A connection that has not ended is
    /// aborted; one that lingers goes on doing so. Its slot becomes vacant when the linger, and the quarantine of its
    /// address, are over, and its storage is dropped: [`reclaim`](Self::reclaim) gives it back.
    pub fn release(&mut self, now: Instant, id: PeerId) {
        self.advance(now);
        let now = self.now;
        if self.table.generation(id.index) != Some(id.generation) {
            return;
        }
        if let Some((_, Place(State::Connected { connection, released }))) = self.table.entry_mut(id.index) {
            connection.handle_timeout(now);
            connection.abort(0);
            *released = true;
        }
        self.vacate(id.index);
    }

    /// Instead of [`release`](Self::release), where storage is to be used again: takes that of a connection that
    /// [is drained](Connection::is_drained), which the application then does not have any more. `None` while it is not
    /// drained (ask again after the next [`handle_timeout`](Self::handle_timeout)), and where there is no such connection.
    /// What is unread is lost.
    ///
    /// The address rests until its quarantine is over; the storage may serve another connection at once. Make new slots of
    /// its memory for that ([`SendSlots::into_memory`](crate::store::SendSlots::into_memory)).
    pub fn reclaim(&mut self, now: Instant, id: PeerId) -> Option<Storage<S, R, Q>> {
        self.advance(now);
        let now = self.now;
        let connection = self.peer_mut(id)?;
        connection.handle_timeout(now);
        let until = connection.quarantine_end().filter(|_| connection.is_drained())?;
        let (_, place) = self.table.entry_mut(id.index)?;
        let Place(left) = core::mem::replace(place, Place(State::Quarantined { until }));
        self.vacate(id.index);
        match left {
            State::Connected { connection, .. } => Some(connection.into_storage()),
            State::Queued { .. } | State::Quarantined { .. } => None,
        }
    }

    /// Time has passed: as [`Connection::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let now = self.now;
        for index in 0..self.table.capacity() {
            if let Some((_, Place(State::Connected { connection, .. }))) = self.table.entry_mut(index) {
                connection.handle_timeout(now);
            }
            self.vacate(index);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, as [`Connection::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = |place: &Place<Connection<S, R, Q>>| match &place.0 {
            State::Connected { connection, released: true } if connection.is_drained() => connection.quarantine_end(),
            State::Connected { connection, .. } => connection.poll_timeout(),
            State::Queued { until, .. } => *until,
            State::Quarantined { until } => Some(*until),
        };
        self.table.iter().filter_map(|(_, place)| due(place)).min()
    }

    /// Writes the next datagram into `buf` and says to which address it goes: as [`Connection::poll_transmit`]. The
    /// connections take turns, a datagram each.
    ///
    /// # Errors
    ///
    /// If the datagram does not fit into `buf`: nothing has changed.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.take_turns(now, |connection, now| connection.poll_transmit(now, buf))
    }

    /// As [`poll_transmit`](Self::poll_transmit), but several datagrams to one address at once: as
    /// [`Connection::poll_transmit_batch`]. The connections take turns, a batch each.
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
        self.take_turns(now, |connection, now| connection.poll_transmit_batch(now, max_datagrams, buf))
    }

    fn take_turns(
        &mut self,
        now: Instant,
        mut transmit: impl FnMut(&mut Connection<S, R, Q>, Instant) -> Result<Option<Transmit>, BufferTooSmall>,
    ) -> Result<Option<(A, Transmit)>, BufferTooSmall> {
        self.advance(now);
        let now = self.now;
        for index in self.turns(self.sending_turn) {
            let Some((address, Place(State::Connected { connection, .. }))) = self.table.entry_mut(index) else {
                continue;
            };
            if let Some(transmit) = transmit(connection, now)? {
                self.sending_turn = index + 1;
                self.vacate(index);
                return Ok(Some((address, transmit)));
            }
        }
        Ok(None)
    }

    /// What to tell the application next, and of which connection. The connections take turns.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        for index in self.turns(self.telling_turn) {
            if let Some((_, Place(State::Connected { connection, released: false }))) = self.table.entry_mut(index)
                && let Some(event) = connection.poll_event()
            {
                let generation = self.table.generation(index)?;
                self.telling_turn = index + 1;
                return Some((PeerId { index, generation }, event));
            }
        }
        None
    }

    /// All slots once, beginning with the one whose turn it is.
    fn turns(&self, first: u32) -> impl Iterator<Item = u32> + use<A, S, R, M, Q> {
        let capacity = self.table.capacity();
        let first = if first < capacity { first } else { 0 };
        (first..capacity).chain(0..first)
    }

    /// Moves a slot on whose time has come: from the connection to quarantine, from there or the backlog to vacant.
    pub(super) fn vacate(&mut self, index: u32) {
        let now = self.now;
        let Some((_, place)) = self.table.entry_mut(index) else { return };
        match &mut place.0 {
            State::Connected { connection, released: true } => {
                connection.handle_timeout(now);
                if !connection.is_drained() {
                    return;
                }
                match connection.quarantine_end().filter(|&until| until > now) {
                    Some(until) => *place = Place(State::Quarantined { until }),
                    None => drop(self.table.remove(index)),
                }
            }
            State::Queued { until: Some(until), .. } if *until <= now => {
                self.table.remove(index);
                self.queued -= 1;
            }
            State::Quarantined { until } if *until <= now => drop(self.table.remove(index)),
            State::Connected { .. } | State::Queued { .. } | State::Quarantined { .. } => {}
        }
    }
}
