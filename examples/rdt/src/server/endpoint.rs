//! The events of the loop, at a server.

use super::{EXPIRE_INTERVAL, FileServer};
use crate::disk::Work;
use crate::endpoint::{Address, Body, Endpoint, Outgoing};
use crate::link::path_view;
use crate::messages::to_stderr;
use crate::network_error::Call;
use crate::progress_line::{Moving, PathView};
use crate::refusals::Refusals;
use rdt_proto::connection::Gather;
use rdt_proto::ftp::ErrorCode;
use rdt_proto::listener::{Dispatch, PeerId};
use rdt_proto::{BufferTooSmall, Duration, Instant};
use std::io;

impl Endpoint for FileServer {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        self.status.bytes_in += datagram.len() as u64;
        if self.refusals.as_mut().is_some_and(|refusals| refusals.handle_datagram(now, from, datagram)) {
            return;
        }
        let exchanges = &mut self.exchanges;
        let take = |peer: PeerId, bytes: &[u8]| {
            let served = exchanges.get_mut(peer.index()).and_then(Option::as_mut);
            served.filter(|served| served.peer == peer).map_or(0, |served| served.take(now, bytes))
        };
        match self.peers.handle_datagram_into(now, from, datagram, take) {
            Dispatch::Peer(peer, _) => {
                if let Some(served) = self.exchanges.get_mut(peer.index()).and_then(Option::as_mut)
                    && !std::mem::replace(&mut served.is_touched, true)
                {
                    self.touched.push(peer.index());
                }
            }
            Dispatch::Queued => self.accept(now),
            Dispatch::Retried | Dispatch::Dropped(_) => {}
        }
    }

    fn handle_batch_end(&mut self, now: Instant) {
        for at in 0..self.touched.len() {
            self.pump(now, self.touched[at]);
        }
        self.touched.clear();
        self.pump_events(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.peers.handle_timeout(now);
        while let Some(&(at, index)) = self.deadlines.first().filter(|&&(at, _)| at <= now) {
            self.deadlines.remove(&(at, index));
            if let Some(served) = &mut self.exchanges[index] {
                served.deadline = None;
                served.handle_timeout(now);
            }
            self.pump(now, index);
        }
        self.pump_events(now);
        self.accept(now);
        self.print_sums(now);
        self.status.handle_timeout(now, self.active, &self.peers, self.refusals.as_ref());
        let moving = self.exchanges.iter().flatten().filter_map(|served| {
            let moving = served.moving()?;
            let connection = self.peers.peer(served.peer)?;
            let is_sender = served.is_sender();
            let unheard = Some(now.saturating_since(served.heard_at));
            let path = PathView { unheard, ..path_view(connection, is_sender) };
            Some(Moving { path, ..moving })
        });
        self.status.draw(now, moving);
        self.watchdog.handle_timeout(now);
        if self.expire_at <= now {
            self.expire_at = now + EXPIRE_INTERVAL;
            let (tree, space) = (self.store.tree.clone(), self.store.space.clone());
            self.disk.run(Work::Write, move || {
                tree.expire(Some(&space));
            });
        }
        if self.lifecycle.update(now, self.active) {
            self.handle_stop(now);
        }
        if self.lifecycle.is_expired() {
            self.print_rest(now);
        }
    }

    fn handle_datagram_too_large(&mut self, now: Instant, to: Address, len: usize) {
        self.peers.handle_datagram_too_large(now, to, len);
    }

    fn handle_network_error(&mut self, now: Instant, call: Call, error: &io::Error) {
        self.errors.handle(now, call, error);
    }

    fn handle_wake(&mut self, now: Instant) {
        // Many files of a client may have become durable together.
        let mut indices: Vec<_> = std::iter::from_fn(|| self.finished.next()).collect();
        indices.sort_unstable();
        indices.dedup();
        for &index in &indices {
            self.pump(now, index);
        }
        if !indices.is_empty() {
            self.pump_events(now);
        }
    }

    fn handle_drain(&mut self, now: Instant) {
        if self.limits.drain == Duration::ZERO {
            return self.handle_stop(now);
        }
        if !self.lifecycle.drain(now, self.limits.drain) {
            return;
        }
        // The clients try again, perhaps at the next server.
        self.peers.stop_accepting(ErrorCode::Busy.value());
        for index in 0..self.exchanges.len() {
            if let Some(served) = &mut self.exchanges[index] {
                served.leave(ErrorCode::Busy);
                self.pump(now, index);
            }
        }
        let (active, limit) = (self.active, self.limits.drain.as_micros() / 1_000_000);
        let status = format!("ending: no new clients; running transfers: {active}, for at most {limit} s");
        self.watchdog.stopping(&status);
        if active > 0 && !self.quiet {
            to_stderr(status);
        }
        self.lifecycle.update(now, active);
    }

    fn handle_stop(&mut self, now: Instant) {
        self.lifecycle.stop(now);
        self.watchdog.stopping("transfers are cancelled");
        self.peers.stop_accepting(ErrorCode::Cancelled.value());
        for index in 0..self.exchanges.len() {
            if let Some(served) = &mut self.exchanges[index]
                && let Some(connection) = self.peers.peer_mut(served.peer)
            {
                served.stop(now, connection, ErrorCode::Cancelled);
            }
            self.pump(now, index);
        }
        self.lifecycle.update(now, self.active);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        if let Some(refusals) = &mut self.refusals
            && let Some((to, transmit)) = refusals.poll_transmit(now, buf)?
        {
            return Ok(Some((to, transmit.into())));
        }
        let polled = self.peers.poll_transmit_gather(now, max_datagrams, buf)?;
        let polled = polled.map(|(to, Gather { transmit, body })| {
            let body = body.map(|(peer, number)| (Some(peer), number));
            (to, Gather { transmit, body })
        });
        self.status.bytes_out += polled.map_or(0, |(_, gather)| gather.bytes() as u64);
        if polled.is_none() && self.peers.has_incoming() {
            // A connection may have sent its last datagram, so that there is room for a waiting client.
            self.accept(now);
        }
        Ok(polled)
    }

    fn body(&self, (peer, number): Body) -> &[u8] {
        peer.map_or(&[], |peer| self.peers.body((peer, number)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let session = self.deadlines.first().map(|&(at, _)| at);
        let status = self.status.poll_timeout(self.active);
        let refusals = self.refusals.as_ref().and_then(Refusals::poll_timeout);
        [
            session,
            self.peers.poll_timeout(),
            self.lifecycle.poll_timeout(),
            status,
            self.screen.as_ref().and_then(|screen| screen.lock().poll_timeout()),
            refusals,
            self.watchdog.poll_timeout(),
            Some(self.expire_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_finished(&self) -> bool {
        self.lifecycle.is_finished()
    }
}
