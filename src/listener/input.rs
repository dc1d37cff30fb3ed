//! What a datagram does: to whom it goes, and who may wait to be accepted.

use super::admission::Refusal;
use super::peers::{NO_PATH, Peer, State};
use super::replies::{Answer, Reply};
use super::stats::increment;
use super::{Address, Dispatch, DropReason, Listener, PeerId, TableMemory};
use crate::Instant;
use crate::arq::Arq;
use crate::connection::{Handled, Hello};
use crate::store::{RecvStore, SendStore};
use crate::wire::{DecodeError, MIN_CONNECT, Options, Packet, Tag};

/// Takes what is in order of a peer, and says how many bytes.
type Take<'t> = dyn FnMut(PeerId, &[u8]) -> usize + 't;

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Takes a datagram that came `from` an address.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> Dispatch {
        self.handle_datagram_into(now, from, datagram, |_, _| 0)
    }

    /// As [`handle_datagram`](Self::handle_datagram), but lends what a peer may read at once straight out of the datagram: as
    /// [`Connection::handle_datagram_into`](crate::connection::Connection::handle_datagram_into). `take` is told whose it is.
    pub fn handle_datagram_into(
        &mut self,
        now: Instant,
        from: A,
        datagram: &[u8],
        mut take: impl FnMut(PeerId, &[u8]) -> usize,
    ) -> Dispatch {
        self.advance(now);
        let routed = if datagram.starts_with(self.config.connection.framing.prefix()) {
            self.handle_untagged(from, datagram, &mut take)
        } else {
            // A tag begins like no prefix in use. Whoever does not know ours says nothing to us.
            let found = self.peers.find_tagged(datagram).ok_or(DropReason::Malformed(DecodeError::Prefix));
            found.map(|index| self.deliver(index, from, datagram, &mut take))
        };
        routed.unwrap_or_else(|reason| {
            self.stats.count(reason);
            Dispatch::Ignored(reason)
        })
    }

    /// A CONNECT, or anything of base mode.
    fn handle_untagged(&mut self, from: A, datagram: &[u8], take: &mut Take<'_>) -> Result<Dispatch, DropReason> {
        let framing = self.config.connection.framing;
        let connects = framing.is_connect(datagram);
        let base = if self.config.connection.allows_base() { self.find_base(from, connects) } else { None };
        if let Some(index) = base.filter(|_| !connects) {
            return self.deliver_base(index, from, datagram, take);
        }
        match framing.decode(datagram).map_err(DropReason::Malformed)? {
            Packet::Connect(options) => {
                let hello = Hello::from_options(&options);
                if !self.config.connection.accepts(&hello) {
                    Err(DropReason::Mode)
                } else if let Some(tag) = hello.tag.filter(|_| self.config.connection.allows_extended()) {
                    self.handle_connect(from, datagram, (hello, tag), &options, take)
                } else {
                    match base {
                        Some(index) => self.deliver_base(index, from, datagram, take),
                        None => self.handle_base_connect(from, Hello { tag: None, ..hello }),
                    }
                }
            }
            Packet::ConnAck(_)
            | Packet::Info { .. }
            | Packet::Ack { .. }
            | Packet::Fin
            | Packet::FinAck
            | Packet::Sack(_)
            | Packet::Retry { .. }
            | Packet::Reset { .. }
            | Packet::Probe { .. }
            | Packet::Echo { .. } => Err(DropReason::UnknownPeer),
        }
    }

    /// The connection in base mode with this address, or its quarantine, unless that is over.
    fn find_base(&mut self, from: A, connects: bool) -> Option<u32> {
        let now = self.now;
        let index = self.peers.find_at(from, |_, peer| peer.tag.is_none())?;
        let Peer { released, state, .. } = self.peers.peer_mut(index)?;
        // What is over does not stand in the way of a datagram that comes before `handle_timeout`. No timer of a connection
        // that lives runs here: the datagram may be the sign of life that its peer gave in time.
        match state {
            State::Quarantined { until } if *until <= now => drop(self.peers.remove(index)),
            State::Quarantined { .. } => {}
            State::Live(connection) if *released && connection.ended().is_some() => {
                if connects {
                    // It only lingers, and a client that opens another one does not repeat its FIN.
                    connection.handle_timeout(now);
                }
                if connection.is_drained() {
                    drop(self.retire(index));
                }
            }
            State::Live(_) => {}
        }
        self.peers.peer(index).map(|_| index)
    }

    fn deliver_base(
        &mut self,
        index: u32,
        from: A,
        datagram: &[u8],
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        match self.peers.peer(index).map(|peer| &peer.state) {
            Some(State::Live(_)) => Ok(self.deliver(index, from, datagram, take)),
            Some(State::Quarantined { .. }) | None => Err(DropReason::Quarantined),
        }
    }

    /// Gives a datagram to its connection.
    fn deliver(&mut self, index: u32, from: A, datagram: &[u8], take: &mut Take<'_>) -> Dispatch {
        let now = self.now;
        let generation = self.peers.generation(index).unwrap_or_default();
        let id = PeerId { index, generation };
        let ignored = Dispatch::Peer(id, Handled::Ignored(crate::connection::Ignored::Closed));
        let Some(peer) = self.peers.peer(index) else { return ignored };
        let elsewhere = peer.address != from;
        if (elsewhere || peer.path != NO_PATH) && self.handle_echo(index, from, datagram) {
            return Dispatch::Peer(id, Handled::Accepted);
        }
        let Some(connection) = self.peers.peer_mut(index).and_then(|peer| peer.connection_mut()) else {
            return ignored;
        };
        let was_confirmed = connection.is_confirmed();
        let handled = connection.handle_datagram_into(now, datagram, |bytes| take(id, bytes));
        let (is_confirmed, tells) = (connection.is_confirmed(), connection.has_event());
        let may_have_moved = elsewhere && handled == Handled::Accepted && is_confirmed && connection.ended().is_none();
        self.peers.scheduler.mark_changed(index);
        if tells {
            self.peers.scheduler.mark_event(index);
        }
        if is_confirmed && !was_confirmed {
            self.on_confirmed(index);
        }
        if may_have_moved {
            self.validate_path(index, from, datagram.len());
        } else if elsewhere {
            increment(&mut self.stats.other_address);
        }
        Dispatch::Peer(id, handled)
    }

    /// INFO 0 has come: whatever began earlier at this address is of a client that has restarted since.
    fn on_confirmed(&mut self, index: u32) {
        self.on_handshake_over(index);
        let Some(peer) = self.peers.peer(index) else { return };
        // Base mode proves nothing.
        let (address, ticket, Some(_)) = (peer.address, peer.ticket, peer.tag) else { return };
        if !peer.validated && !self.has_room_for_validated(address.host()) {
            let Some(predecessor) = self.find_predecessor(address, ticket) else {
                // Others of its host have shown as much sooner.
                if let Some(connection) = self.peers.peer_mut(index).and_then(Peer::connection_mut) {
                    connection.evict_with_reset(self.now);
                }
                self.evict(index);
                return;
            };
            self.drop_quota(predecessor);
        }
        let mut next = self.peers.find_at(address, |_, _| true);
        while let Some(other) = next {
            next = self.peers.next_at(address, other);
            let is_older = self.peers.peer(other).is_some_and(|peer| {
                peer.ticket < ticket && peer.connection().is_some_and(|connection| connection.ended().is_none())
            });
            if is_older {
                self.evict(other);
            }
        }
        let mut next = self.backlog.find_at(address, |_| true);
        while let Some(other) = next {
            next = self.backlog.next_at(address, other);
            if self.backlog.entry(other).is_some_and(|pending| pending.ticket < ticket) {
                self.evict_pending(other);
            }
        }
        self.peers.validate(index);
    }

    /// A CONNECT of extended mode.
    fn handle_connect(
        &mut self,
        from: A,
        datagram: &[u8],
        (hello, tag): (Hello, Tag),
        options: &Options<'_>,
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        if datagram.len() < MIN_CONNECT {
            return Err(DropReason::TooShort);
        }
        let same = |peer: &Peer<A, _>| {
            peer.connection().is_some_and(|connection: &super::Connection<S, R, Q>| connection.peer_tag() == Some(tag))
        };
        if let Some(index) = self.peers.find_at(from, |_, peer| same(peer)) {
            return Ok(self.deliver(index, from, datagram, take));
        }
        let cookie = options.cookie().map(|cookie| self.cookies.is_valid(self.now, &from, tag, cookie));
        let validated = cookie == Some(true);
        if cookie == Some(false) {
            increment(&mut self.stats.bad_cookie);
        }
        if let Some(index) = self.backlog.find(from, Some(tag)) {
            // Where its host has as many as may be, it stays one of those who pretend.
            if validated && self.has_room_for_validated(from.host()) && self.backlog.validate(index) {
                increment(&mut self.stats.validated);
            }
            increment(&mut self.stats.repeated);
            return Ok(Dispatch::Queued);
        }
        if let Some(code) = self.stopped {
            self.reply(from, tag, Answer::Reset(code));
            return Err(DropReason::Stopped);
        }
        match self.admit(from, hello, validated) {
            Ok(()) => Ok(Dispatch::Queued),
            // Not even the place is kept.
            Err(Refusal::Unvalidated) => {
                let cookie = self.cookies.make(self.now, &from, tag);
                self.reply(from, tag, Answer::Retry(cookie));
                increment(&mut self.stats.retried);
                Ok(Dispatch::Retried)
            }
            Err(Refusal::Limit(reason)) => Err(reason),
        }
    }

    /// A CONNECT of base mode, from an address that has no connection of base mode.
    fn handle_base_connect(&mut self, from: A, hello: Hello) -> Result<Dispatch, DropReason> {
        if self.backlog.find(from, None).is_some() {
            increment(&mut self.stats.repeated);
            return Ok(Dispatch::Queued);
        }
        if self.stopped.is_some() {
            return Err(DropReason::Stopped);
        }
        match self.admit(from, hello, false) {
            Ok(()) => Ok(Dispatch::Queued),
            Err(Refusal::Limit(reason)) => Err(reason),
            Err(Refusal::Unvalidated) => Err(DropReason::BacklogFull),
        }
    }

    pub(super) fn reply(&mut self, to: A, tag: Tag, answer: Answer) {
        if !self.replies.push(Reply { to, tag, answer }) {
            increment(&mut self.stats.replies_dropped);
        }
    }
}
