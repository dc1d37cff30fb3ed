//! Links, routes, and the datagrams on the way.

use core::cmp::Reverse;
use core::mem;
use std::collections::{BTreeMap, BinaryHeap};
use std::vec::Vec;

use super::channel::Channel;
use super::journal::{Fate, Journal, Record};
use super::link::{LinkConfig, LinkId};
use super::node::{NodeId, SimAddress};
use super::rng::Rng;
use crate::Instant;

pub(super) struct Network {
    channels: Vec<Channel>,
    routes: BTreeMap<(NodeId, NodeId), LinkId>,
    /// When, in which order among equals, and which of `carried`.
    arrivals: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    carried: Vec<Carried>,
    /// Places of `carried` whose buffer waits to be used again.
    free: Vec<usize>,
    scheduled: u64,
    rng: Rng,
}

/// A datagram on the way.
pub(super) struct Carried {
    pub(super) from: SimAddress,
    pub(super) to: SimAddress,
    pub(super) data: Vec<u8>,
    link: LinkId,
    place: usize,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            channels: Vec::new(),
            routes: BTreeMap::new(),
            arrivals: BinaryHeap::new(),
            carried: Vec::new(),
            free: Vec::new(),
            scheduled: 0,
            rng: Rng::new(seed),
        }
    }

    pub(super) fn add_link(&mut self, config: LinkConfig) -> LinkId {
        self.channels.push(Channel::new(config, self.rng.fork()));
        LinkId(self.channels.len() - 1)
    }

    pub(super) fn route(&mut self, from: NodeId, to: NodeId, link: LinkId) {
        self.routes.insert((from, to), link);
    }

    pub(super) fn channel(&self, link: LinkId) -> &Channel {
        &self.channels[link.0]
    }

    pub(super) fn channel_mut(&mut self, link: LinkId) -> &mut Channel {
        &mut self.channels[link.0]
    }

    /// Sends a datagram of `node`.
    pub(super) fn send(&mut self, journal: &mut Journal, node: NodeId, from: SimAddress, to: SimAddress, data: &[u8]) {
        let link = self.routes.get(&(node, to.node)).copied();
        let mut record = Record { sent: journal.now, link, from, to, data, fate: Fate::Unroutable };
        if let Some(link) = link {
            let arrivals = self.channels[link.0].offer(&mut record);
            for at in arrivals.first.into_iter().chain(arrivals.copy) {
                self.schedule(at, link, &record);
            }
        }
        journal.sent(&record);
    }

    /// When the next datagram arrives.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.arrivals.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Datagrams on the way.
    pub(super) fn on_the_way(&self) -> usize {
        self.arrivals.len()
    }

    /// Takes the next datagram off the network; [`recycle`](Self::recycle) takes it back once it is read.
    pub(super) fn take(&mut self) -> Option<Carried> {
        let Reverse((_, _, place)) = self.arrivals.pop()?;
        let Carried { from, to, link, ref mut data, .. } = self.carried[place];
        let data = mem::take(data);
        let stats = &mut self.channels[link.0].stats;
        stats.delivered += 1;
        stats.delivered_bytes += u64::try_from(data.len()).unwrap_or(0);
        Some(Carried { from, to, data, link, place })
    }

    pub(super) fn recycle(&mut self, datagram: Carried) {
        self.free.push(datagram.place);
        self.carried[datagram.place].data = datagram.data;
    }

    fn schedule(&mut self, at: Instant, link: LinkId, record: &Record<'_>) {
        let &Record { from, to, data: bytes, fate, .. } = record;
        let place = self.free.pop().unwrap_or(self.carried.len());
        if place == self.carried.len() {
            self.carried.push(Carried { from, to, data: Vec::new(), link, place });
        }
        let carried = &mut self.carried[place];
        let mut data = mem::take(&mut carried.data);
        data.clear();
        data.extend_from_slice(bytes);
        self.channels[link.0].damage(fate, &mut data);
        *carried = Carried { from, to, data, link, place };
        self.arrivals.push(Reverse((at, self.scheduled, place)));
        self.scheduled += 1;
    }
}
