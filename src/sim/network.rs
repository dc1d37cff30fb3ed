//! Links, routes and datagrams in flight.

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
    /// The time of arrival, the order among equal times, and the index into `slots`.
    arrivals: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    slots: Vec<InFlight>,
    /// Indices of unused slots, whose buffers are reused.
    free: Vec<usize>,
    scheduled: u64,
    rng: Rng,
}

/// A datagram in flight.
pub(super) struct InFlight {
    pub(super) from: SimAddress,
    pub(super) to: SimAddress,
    pub(super) data: Vec<u8>,
    link: LinkId,
    slot: usize,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            channels: Vec::new(),
            routes: BTreeMap::new(),
            arrivals: BinaryHeap::new(),
            slots: Vec::new(),
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

    /// Sends a datagram from `node`. The source address `from` may be forged.
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

    /// The time of the next arrival.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.arrivals.peek().map(|Reverse((at, _, _))| *at)
    }

    /// The number of datagrams in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.arrivals.len()
    }

    /// Takes the next datagram to arrive. Return it to [`recycle`](Self::recycle) after use.
    pub(super) fn take(&mut self) -> Option<InFlight> {
        let Reverse((_, _, slot)) = self.arrivals.pop()?;
        let InFlight { from, to, link, ref mut data, .. } = self.slots[slot];
        let data = mem::take(data);
        let stats = &mut self.channels[link.0].stats;
        stats.delivered += 1;
        stats.delivered_bytes += u64::try_from(data.len()).unwrap_or(0);
        Some(InFlight { from, to, data, link, slot })
    }

    pub(super) fn recycle(&mut self, datagram: InFlight) {
        self.free.push(datagram.slot);
        self.slots[datagram.slot].data = datagram.data;
    }

    fn schedule(&mut self, at: Instant, link: LinkId, record: &Record<'_>) {
        let &Record { from, to, data: bytes, fate, .. } = record;
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(InFlight { from, to, data: Vec::new(), link, slot });
        }
        let entry = &mut self.slots[slot];
        let mut data = mem::take(&mut entry.data);
        data.clear();
        data.extend_from_slice(bytes);
        self.channels[link.0].damage(fate, &mut data);
        *entry = InFlight { from, to, data, link, slot };
        self.arrivals.push(Reverse((at, self.scheduled, slot)));
        self.scheduled += 1;
    }
}
