//! What a datagram does: which connection gets it, and whether a CONNECT may wait to be accepted.

use super::admission::Admission;
use super::peers::Lifecycle;
use super::replies::{Answer, Reply};
use super::stats::increment;
use super::{Address, Dispatch, DropReason, Listener, PeerId, TableMemory};
use crate::Instant;
use crate::arq::Arq;
use crate::connection::{Changes, Handled, Hello, Ignored};
use crate::store::{RecvStore, SendStore};
use crate::wire::{DecodeError, MIN_CONNECT, Options, Packet, Tag};

/// Takes what is in order of a peer, and says how many bytes.
type Take<'t> = dyn FnMut(PeerId, &[u8]) -> usize + 't;

impl<A: Address, S: SendStore, R: RecvStore, M: TableMemory, Q: Arq> Listener<A, S, R, M, Q> {
    /// Takes a datagram that came `from` an address.
    pub fn handle_datagram(&mut self, now: Instant, from: A, datagram: &[u8]) -> Dispatch {
        self.handle_datagram_into(now, from, datagram, |_, _| 0)
    }

    /// As [`handle_datagram`](Self::handle_datagram), but lends what a peer may read at once straight out of the
    /// datagram: as [`Connection::handle_datagram_into`](crate::connection::Connection::handle_datagram_into). `take`
    /// also gets the peer.
    pub fn handle_datagram_into(
        &mut self,
        now: Instant,
        from: A,
        datagram: &[u8],
        mut take: impl FnMut(PeerId, &[u8]) -> usize,
    ) -> Dispatch {
        self.advance(now);
        let dispatch = if datagram.starts_with(self.config.connection.framing.prefix()) {
            self.handle_untagged(from, datagram, &mut take)
        } else {
            // No tag begins like a prefix in use. A datagram without a prefix or a tag of ours is none of ours.
            let found = self.peers.find_tagged(datagram).ok_or(DropReason::Malformed(DecodeError::Prefix));
            found.map(|index| self.deliver(index, from, datagram, &mut take))
        };
        dispatch.unwrap_or_else(|reason| {
            self.stats.dropped.count(reason);
            Dispatch::Dropped(reason)
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
        // A datagram may come before `handle_timeout`: what is over is removed here, too. The timers of a connection
        // that has not ended do not run here: the datagram may be the sign of life that its peer gave in time.
        match &mut self.peers.get_mut(index)?.lifecycle {
            Lifecycle::Quarantined { until } if *until <= now => drop(self.peers.remove(index)),
            Lifecycle::Live { connection, is_held: false } if connection.ended().is_some() => {
                if connects {
                    // It only lingers, and a client that opens another one does not repeat its FIN.
                    connection.handle_timeout(now);
                }
                if connection.is_drained() {
                    drop(self.retire(index));
                }
            }
            Lifecycle::Quarantined { .. } | Lifecycle::Live { .. } => {}
        }
        self.peers.get(index).map(|_| index)
    }

    fn deliver_base(
        &mut self,
        index: u32,
        from: A,
        datagram: &[u8],
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        match self.peers.get(index).map(|peer| &peer.lifecycle) {
            Some(Lifecycle::Live { .. }) => Ok(self.deliver(index, from, datagram, take)),
            Some(Lifecycle::Quarantined { .. }) | None => Err(DropReason::Quarantined),
        }
    }

    /// Gives a datagram to its connection.
    fn deliver(&mut self, index: u32, from: A, datagram: &[u8], take: &mut Take<'_>) -> Dispatch {
        let (now, id) = (self.now, self.peers.id(index));
        let ignored = Dispatch::Peer(id, Handled::Ignored(Ignored::Closed));
        let Some(peer) = self.peers.get(index) else { return ignored };
        let elsewhere = peer.address != from;
        if (elsewhere || peer.is_validating()) && self.handle_echo(index, from, datagram) {
            return Dispatch::Peer(id, Handled::Accepted);
        }
        let Some(connection) = self.peers.get_mut(index).and_then(|peer| peer.connection_mut()) else {
            return ignored;
        };
        let (handled, changes) = connection.route_datagram(now, datagram, |bytes| take(id, bytes));
        self.peers.scheduler_mut().mark_changed(index);
        if changes.contains(Changes::EVENT) {
            self.peers.scheduler_mut().mark_event(index);
        }
        if changes.contains(Changes::CONFIRMED) {
            self.on_confirmed(index);
        }
        if elsewhere {
            // Only what an established connection accepts can come from its peer.
            if handled == Handled::Accepted && changes.contains(Changes::ESTABLISHED) {
                self.challenge(index, from, datagram.len());
            } else {
                increment(&mut self.stats.other_address);
            }
        }
        Dispatch::Peer(id, handled)
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
        let repeated = self
            .peers
            .find_at(from, |_, peer| peer.connection().is_some_and(|connection| connection.peer_tag() == Some(tag)));
        if let Some(index) = repeated {
            return Ok(self.deliver(index, from, datagram, take));
        }
        let cookie = options.cookie().map(|cookie| self.cookies.is_valid(self.now, &from, tag, cookie));
        let has_cookie = cookie == Some(true);
        if cookie == Some(false) {
            increment(&mut self.stats.bad_cookie);
        }
        if let Some(index) = self.backlog.find_same(from, Some(tag)) {
            // While the validated quota of its host is full, it counts as unvalidated.
            if has_cookie && self.has_room_for_validated(from.host()) && self.backlog.on_validated(index) {
                increment(&mut self.stats.validated);
            }
            increment(&mut self.stats.repeated);
            return Ok(Dispatch::Queued);
        }
        if let Some(code) = self.stopped {
            self.reply(from, tag, Answer::Reset(code));
            return Err(DropReason::Stopped);
        }
        match self.admit(from, hello, has_cookie) {
            Admission::Queue | Admission::QueueEvicting(_) => Ok(Dispatch::Queued),
            // Not even the place is kept.
            Admission::Retry => {
                let cookie = self.cookies.make(self.now, &from, tag);
                self.reply(from, tag, Answer::Retry(cookie));
                increment(&mut self.stats.retried);
                Ok(Dispatch::Retried)
            }
            Admission::Drop(reason) => Err(reason),
        }
    }

    /// A CONNECT of base mode, from an address that has no connection of base mode.
    fn handle_base_connect(&mut self, from: A, hello: Hello) -> Result<Dispatch, DropReason> {
        if self.backlog.find_same(from, None).is_some() {
            increment(&mut self.stats.repeated);
            return Ok(Dispatch::Queued);
        }
        if self.stopped.is_some() {
            return Err(DropReason::Stopped);
        }
        match self.admit(from, hello, false) {
            Admission::Queue | Admission::QueueEvicting(_) => Ok(Dispatch::Queued),
            Admission::Drop(reason) => Err(reason),
            // There is no RETRY in base mode.
            Admission::Retry => Err(DropReason::BacklogFull),
        }
    }

    pub(super) fn reply(&mut self, to: A, tag: Tag, answer: Answer) {
        if !self.replies.push(Reply { to, tag, answer }) {
            increment(&mut self.stats.replies_dropped);
        }
    }
}
