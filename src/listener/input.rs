//! Dispatch of datagrams to their connections, and of CONNECTs to the backlog.

use super::admission::Admission;
use super::peers::Lifecycle;
use super::replies::{Answer, Reply};
use super::stats::increment;
use super::{Address, Busy, Dispatch, DropReason, Listener, ListenerTypes, PeerId};
use crate::Instant;
use crate::connection::{Changes, Handled, HandshakeParameters, Ignored};
use crate::wire::{DecodeError, MIN_CONNECT, Options, Packet, Tag};

/// A function that takes in-order data of a peer, and returns the number of bytes taken.
type Take<'t> = dyn FnMut(PeerId, &[u8]) -> usize + 't;

impl<T: ListenerTypes> Listener<T> {
    /// Handles a datagram from the address `from`.
    pub fn handle_datagram(&mut self, now: Instant, from: T::Address, datagram: &[u8]) -> Dispatch {
        self.handle_datagram_into(now, from, datagram, |_, _| 0)
    }

    /// Handles a datagram, and lends its in-order data to `take` without a copy.
    ///
    /// `take` receives the id of the connection, and the data. It returns the number of bytes taken, as in
    /// [`Connection::handle_datagram_into`](crate::connection::Connection::handle_datagram_into).
    pub fn handle_datagram_into(
        &mut self,
        now: Instant,
        from: T::Address,
        datagram: &[u8],
        mut take: impl FnMut(PeerId, &[u8]) -> usize,
    ) -> Dispatch {
        self.advance(now);
        let dispatch = if datagram.starts_with(self.config.connection.framing.prefix()) {
            self.handle_untagged(from, datagram, &mut take)
        } else {
            // Tags never start with the common prefix. A datagram without the prefix and without a known tag belongs to
            // no connection.
            let found = self.peers.find_tagged(datagram).ok_or(DropReason::Malformed(DecodeError::Prefix));
            if found.is_err() {
                self.reset_unknown(from, datagram);
            }
            found.and_then(|index| self.deliver(index, from, datagram, &mut take))
        };
        dispatch.unwrap_or_else(|reason| {
            self.stats.dropped.count(reason);
            Dispatch::Dropped(reason)
        })
    }

    /// Handles a datagram with the common prefix: a CONNECT, or any packet of base mode.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn handle_untagged(
        &mut self,
        from: T::Address,
        datagram: &[u8],
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        let framing = self.config.connection.framing;
        let connects = framing.is_connect(datagram);
        let base = if self.config.connection.allows_base() { self.find_base(from, connects) } else { None };
        if let Some(index) = base.filter(|_| !connects) {
            return self.deliver_base(index, from, datagram, take);
        }
        match framing.decode(datagram).map_err(DropReason::Malformed)? {
            Packet::Connect(options) => {
                let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
                if !self.config.connection.accepts(&parameters) {
                    Err(DropReason::Mode)
                } else if let Some(tag) = parameters.tag.filter(|_| self.config.connection.allows_extended()) {
                    self.handle_connect(from, datagram, (parameters, tag), &options, take)
                } else {
                    match base {
                        Some(index) => self.deliver_base(index, from, datagram, take),
                        None => self.handle_base_connect(from, HandshakeParameters { tag: None, ..parameters }),
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

    /// The connection of base mode at this address, or its quarantine.
    ///
    /// An entry whose quarantine has ended is removed first. A released connection that is drained is retired first,
    /// and only its quarantine may remain.
    fn find_base(&mut self, from: T::Address, connects: bool) -> Option<u32> {
        let now = self.now;
        let index = self.peers.find_at(from, |_, peer| peer.tag.is_none())?;
        // A datagram may arrive after a deadline has passed and before `handle_timeout`, so the end of a linger or
        // quarantine is handled here, too. The timers of a connection that has not ended do not run here: its peer may
        // have sent the datagram in time.
        match &mut self.peers.get_mut(index)?.lifecycle {
            Lifecycle::Quarantined { until } if *until <= now => self.peers.remove(index),
            Lifecycle::Live { connection, is_held: false } if connection.ended().is_some() => {
                if connects {
                    // Ends the linger if its deadline has passed. A packet other than CONNECT may be a repeated FIN
                    // that reached the socket before the deadline, so it still goes to the lingering connection.
                    connection.handle_timeout(now);
                }
                if connection.is_drained() {
                    self.retire(index);
                }
            }
            Lifecycle::Quarantined { .. } | Lifecycle::Live { .. } => {}
        }
        self.peers.get(index).map(|_| index)
    }

    fn deliver_base(
        &mut self,
        index: u32,
        from: T::Address,
        datagram: &[u8],
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        match self.peers.get(index).map(|peer| &peer.lifecycle) {
            Some(Lifecycle::Live { .. }) => self.deliver(index, from, datagram, take),
            Some(Lifecycle::Quarantined { .. }) | None => Err(DropReason::Quarantined),
        }
    }

    /// Delivers a datagram to its connection.
    fn deliver(
        &mut self,
        index: u32,
        from: T::Address,
        datagram: &[u8],
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        let (now, id) = (self.now, self.peers.id(index));
        let ignored = Ok(Dispatch::Peer(id, Handled::Ignored(Ignored::Closed)));
        if self.peers.paths(index).is_some_and(|paths| paths.is_over(now)) {
            self.handle_validation_timeout(index);
        }
        let Some(peer) = self.peers.get(index) else { return ignored };
        let (elsewhere, has_paths) = (peer.address != from, peer.has_paths());
        if (elsewhere || has_paths) && self.handle_echo(index, from, datagram) {
            return Ok(Dispatch::Peer(id, Handled::Accepted));
        }
        if elsewhere && !self.takes_from_other(index, from, datagram) {
            return Err(DropReason::OtherAddress);
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
            self.on_datagram_from_other(index, from, datagram);
        } else if has_paths && changes.contains(Changes::ESTABLISHED) {
            self.on_datagram_from_peer(index, datagram);
        }
        Ok(Dispatch::Peer(id, handled))
    }

    /// Handles a CONNECT of extended mode.
    fn handle_connect(
        &mut self,
        from: T::Address,
        datagram: &[u8],
        (parameters, tag): (HandshakeParameters, Tag),
        options: &Options<'_>,
        take: &mut Take<'_>,
    ) -> Result<Dispatch, DropReason> {
        if datagram.len() < MIN_CONNECT {
            return Err(DropReason::TooShort);
        }
        if !parameters.is_our_version() {
            self.reply(from, tag, Answer::Version);
            return Err(DropReason::Version);
        }
        let repeated = self
            .peers
            .find_at(from, |_, peer| peer.connection().is_some_and(|connection| connection.peer_tag() == Some(tag)));
        if let Some(index) = repeated {
            return self.deliver(index, from, datagram, take);
        }
        let cookie = options.cookie().map(|cookie| self.cookies.is_valid(self.now, &from, tag, cookie));
        let has_cookie = cookie == Some(true);
        if cookie == Some(false) {
            increment(&mut self.stats.bad_cookie);
        }
        if let Some(index) = self.backlog.find_same(from, Some(tag)) {
            // While the validated quota of its host is full, the handshake counts as unvalidated.
            if has_cookie && self.has_room_for_validated(from.host()) && self.backlog.on_validated(index) {
                increment(&mut self.stats.validated);
            }
            self.backlog.on_repeated(index, &parameters);
            increment(&mut self.stats.repeated);
            return Ok(Dispatch::Queued);
        }
        if let Some(code) = self.stopped {
            self.reply(from, tag, Answer::Reset(code));
            return Err(DropReason::Stopped);
        }
        match self.admit(from, parameters, has_cookie) {
            Admission::Queue | Admission::QueueEvicting(_) => Ok(Dispatch::Queued),
            Admission::Retry => {
                let cookie = self.cookies.make(self.now, &from, tag);
                self.reply(from, tag, Answer::Retry(cookie));
                increment(&mut self.stats.retried);
                Ok(Dispatch::Retried)
            }
            Admission::Drop(reason) => {
                self.reply_busy(from, tag);
                Err(reason)
            }
        }
    }

    /// Handles a CONNECT of base mode from an address without a connection of base mode.
    fn handle_base_connect(
        &mut self,
        from: T::Address,
        parameters: HandshakeParameters,
    ) -> Result<Dispatch, DropReason> {
        if self.backlog.find_same(from, None).is_some() {
            increment(&mut self.stats.repeated);
            return Ok(Dispatch::Queued);
        }
        if self.stopped.is_some() {
            return Err(DropReason::Stopped);
        }
        match self.admit(from, parameters, false) {
            Admission::Queue | Admission::QueueEvicting(_) => Ok(Dispatch::Queued),
            Admission::Drop(reason) => Err(reason),
            // There is no RETRY in base mode.
            Admission::Retry => Err(DropReason::BacklogFull),
        }
    }

    /// Tells a client that there is no room, if the config says so.
    pub(super) fn reply_busy(&mut self, to: T::Address, tag: Tag) {
        if let Some(Busy { code, .. }) = self.config.busy {
            self.reply(to, tag, Answer::Reset(code));
        }
    }

    /// Answers a datagram whose tag belongs to no connection.
    fn reset_unknown(&mut self, from: T::Address, datagram: &[u8]) {
        let now = self.now;
        // Answers to CONNECTs have precedence.
        let has_room = self.replies.is_half_empty();
        if let Some(token) = self.resets.as_mut().filter(|_| has_room).and_then(|resets| resets.answer(now, datagram)) {
            self.reply(from, token, Answer::StatelessReset);
            increment(&mut self.stats.stateless_resets);
        }
    }

    pub(super) fn reply(&mut self, to: T::Address, tag: Tag, answer: Answer) {
        if !self.replies.push(Reply { to, tag, answer }) {
            increment(&mut self.stats.replies_dropped);
        }
    }
}
