//! The loop that drives the nodes and checks their contract.

use core::mem;
use std::collections::VecDeque;
use std::vec::Vec;

use super::deadlines::Deadlines;
use super::journal::{Fate, Journal, Record, Trace};
use super::link::{LinkConfig, LinkId, LinkStats, round_up};
use super::network::Network;
use super::node::{Node, NodeId};
use crate::{Duration, Instant};

/// A simulation of nodes and links in virtual time.
///
/// Equal seeds and calls give equal runs. Each step checks the contract between a machine and its driver. If a node
/// violates a rule, the simulation panics with the name of the rule, the seed and the virtual time:
///
/// - **HOT LOOP**: after `handle_timeout(now)` and a drained `poll_transmit`, `poll_timeout` must lie in the future.
/// - **HIDDEN OUTPUT**: if `poll_transmit` returns something, `poll_timeout` must have been due before the call.
/// - **LOST WAKE-UP**: while a node is not done, a deadline must be set or a datagram in flight.
/// - **SPIN**: the nodes must come to rest within each virtual instant.
///
/// Every panic prints the seed, and the last 16 datagrams if they are [captured](Self::capture).
pub struct Simulation<N> {
    journal: Journal,
    network: Network,
    nodes: Vec<Slot<N>>,
    deadlines: Deadlines,
    /// Nodes that were changed from outside and not polled since.
    touched: VecDeque<NodeId>,
    unfinished: usize,
    buffer: Vec<u8>,
    spins: u64,
    spin_limit: u64,
    timer_granularity: Duration,
}

struct Slot<N> {
    node: N,
    id: NodeId,
    done: bool,
}

impl<N: Node> Simulation<N> {
    /// The default size of the buffer in bytes: the limit of one system call with segmentation offload.
    const BUFFER: usize = 65_535;
    /// The default limit on polls in one instant. A transfer of 200 MiB without delay needs fewer.
    const SPIN_LIMIT: u64 = 1_000_000;

    /// A simulation without nodes and links.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            journal: Journal::new(seed),
            network: Network::new(seed),
            nodes: Vec::new(),
            deadlines: Deadlines::default(),
            touched: VecDeque::new(),
            unfinished: 0,
            buffer: std::vec![0; Self::BUFFER],
            spins: 0,
            spin_limit: Self::SPIN_LIMIT,
            timer_granularity: Duration::ZERO,
        }
    }

    /// Sets the size of the buffer for `poll_transmit` in bytes. Default: 65,535.
    pub fn set_buffer(&mut self, bytes: usize) {
        self.buffer.resize(bytes, 0);
    }

    /// Sets how many polls within one virtual instant count as SPIN. Default: 1,000,000.
    pub fn set_spin_limit(&mut self, limit: u64) {
        self.spin_limit = limit;
    }

    /// Rounds all deadlines up to a multiple of `granularity`. Default: zero, which is exact to 1 µs.
    ///
    /// This imitates a coarse timer, such as `epoll` with 1 ms.
    pub fn set_timer_granularity(&mut self, granularity: Duration) {
        self.timer_granularity = granularity;
    }

    /// Adds a node. The next step polls it.
    pub fn add(&mut self, node: N) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.unfinished += 1;
        self.nodes.push(Slot { node, id, done: false });
        self.deadlines.push();
        self.touched.push_back(id);
        id
    }

    /// Connects `a` and `b` by two equal links: from `a` to `b`, and back.
    pub fn connect(&mut self, a: NodeId, b: NodeId, config: LinkConfig) -> (LinkId, LinkId) {
        self.connect_with(a, b, config.clone(), config)
    }

    /// Connects `a` and `b` by two links: from `a` to `b`, and back.
    pub fn connect_with(&mut self, a: NodeId, b: NodeId, there: LinkConfig, back: LinkConfig) -> (LinkId, LinkId) {
        let (there, back) = (self.add_link(there), self.add_link(back));
        self.route(a, b, there);
        self.route(b, a, back);
        (there, back)
    }

    /// Adds a unidirectional link, for use with [`route`](Self::route).
    pub fn add_link(&mut self, config: LinkConfig) -> LinkId {
        self.network.add_link(config)
    }

    /// Routes datagrams from `from` to `to` over `link`. Routes over one link share its rate and queue.
    pub fn route(&mut self, from: NodeId, to: NodeId, link: LinkId) {
        self.network.route(from, to, link);
    }

    /// Gives `second` the line of `first`: half duplex, if they are the two directions between two nodes.
    ///
    /// The line carries datagrams in the order in which they are sent, whatever their link.
    pub fn share_line(&mut self, first: LinkId, second: LinkId) {
        self.network.channel_mut(second).line = self.network.channel(first).line.clone();
    }

    /// Reconfigures a link. Datagrams in flight are not affected.
    pub fn reconfigure(&mut self, link: LinkId, config: LinkConfig) {
        self.network.channel_mut(link).config = config;
    }

    /// Adds a filter that decides the fate of each datagram on `link`.
    ///
    /// A datagram that is dropped by the queue or the MTU is not filtered. `record.fate` is the fate so far. Filters
    /// run in the order of their addition.
    pub fn filter(&mut self, link: LinkId, filter: impl FnMut(&Record<'_>) -> Fate + 'static) {
        self.network.channel_mut(link).filters.push(std::boxed::Box::new(filter));
    }

    /// Loses the next datagram on `link` for which `pick` returns true.
    pub fn drop_next(&mut self, link: LinkId, mut pick: impl FnMut(&Record<'_>) -> bool + 'static) {
        let mut dropped = false;
        self.filter(link, move |record| {
            if dropped || !pick(record) {
                return record.fate;
            }
            dropped = true;
            Fate::Lost
        });
    }

    /// Starts to record all datagrams, for [`trace`](Self::trace).
    pub fn capture(&mut self) {
        self.journal.trace = Some(Trace::default());
    }

    /// The datagrams sent since [`capture`](Self::capture); `None` without it.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.journal.trace.as_ref()
    }

    /// The counters of `link`.
    #[must_use]
    pub fn stats(&self, link: LinkId) -> LinkStats {
        self.network.channel(link).stats
    }

    /// The seed of this simulation.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.journal.seed
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.journal.now
    }

    /// A hash over the times and addresses of all datagrams, and over the bytes of those that arrived.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.journal.fingerprint.0
    }

    /// Borrows a node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &N {
        &self.nodes[index(id)].node
    }

    /// Borrows a node for a change from outside. The next step polls it.
    pub fn node_mut(&mut self, id: NodeId) -> &mut N {
        self.touched.push_back(id);
        &mut self.nodes[index(id)].node
    }

    /// All nodes in the order of their addition.
    #[must_use]
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &N> {
        self.nodes.iter().map(|slot| &slot.node)
    }

    /// Whether every node is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unfinished == 0 && self.touched.is_empty()
    }

    /// The time of the next event; `None` if nothing happens without a change from outside.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        if !self.touched.is_empty() {
            return Some(self.now());
        }
        let next = [self.network.next_arrival(), self.deadlines.earliest()].into_iter().flatten().min()?;
        Some(next.max(self.now()))
    }

    /// Processes the next event: an arrival, a deadline, or a change from outside. Returns false if there is none.
    ///
    /// # Panics
    /// If a node violates the contract that [`Simulation`] lists.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next_event() else {
            assert!(
                self.unfinished == 0,
                "{}: LOST WAKE-UP: {}, without a deadline or a datagram",
                self.journal,
                self.unfinished_nodes()
            );
            return false;
        };
        if at > self.journal.now {
            self.journal.now = at;
            self.spins = 0;
        }
        if let Some(id) = self.touched.pop_front() {
            self.turn(id);
        } else if self.network.next_arrival().is_some_and(|arrival| arrival <= at) {
            self.deliver();
        } else if let Some(node) = self.deadlines.first() {
            self.wake(self.nodes[node].id);
        }
        true
    }

    /// Processes all events up to and including `until`, and sets the time to `until`.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub fn run_until(&mut self, until: Instant) {
        while self.next_event().is_none_or(|at| at <= until) && self.step() {}
        if self.journal.now < until {
            self.journal.now = until;
            self.spins = 0;
        }
    }

    /// Processes all events within `span` from now.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now() + span);
    }

    /// Runs until every node is done; returns that time. Datagrams may still be in flight.
    ///
    /// # Panics
    /// If that takes longer than `limit` from now, or as [`step`](Self::step).
    pub fn run_until_done(&mut self, limit: Duration) -> Instant {
        let end = self.now() + limit;
        while !self.is_done() {
            let next = self.next_event();
            assert!(
                next.is_none_or(|at| at <= end),
                "{}: UNFINISHED after {limit}: {}, {} datagrams in flight",
                self.journal,
                self.unfinished_nodes(),
                self.network.in_flight()
            );
            self.step();
        }
        self.now()
    }
}

impl<N: Node> Simulation<N> {
    fn deliver(&mut self) {
        let Some(datagram) = self.network.take() else { return };
        let (from, to) = (datagram.from, datagram.to);
        self.journal.arrived(from, to, &datagram.data);
        self.nodes[index(to.node)].node.handle_datagram(self.journal.now, from, to, &datagram.data);
        self.network.recycle(datagram);
        self.turn(to.node);
    }

    fn wake(&mut self, id: NodeId) {
        let now = self.journal.now;
        self.nodes[index(id)].node.handle_timeout(now);
        self.drain(id);
        let deadline = self.nodes[index(id)].node.poll_timeout();
        let acted = self.turn(id);
        assert!(
            acted || deadline.is_none_or(|deadline| deadline > now),
            "{}: HOT LOOP: node {} has the deadline {deadline:?} after handle_timeout and all output",
            self.journal,
            id.0
        );
    }

    /// Polls the application and the output until neither makes progress. Returns whether either of them did.
    fn turn(&mut self, id: NodeId) -> bool {
        let mut any = false;
        loop {
            let acted = self.nodes[index(id)].node.poll_app(self.journal.now);
            let sent = self.drain(id);
            if !acted && !sent {
                break;
            }
            any = true;
            self.count_spin(id);
        }
        let Slot { node, done, .. } = &mut self.nodes[index(id)];
        let was_done = mem::replace(done, node.is_done());
        self.unfinished = self.unfinished + usize::from(was_done) - usize::from(*done);
        let wake = node.poll_timeout().map(|deadline| round_up(deadline, self.timer_granularity));
        self.deadlines.set(index(id), wake);
        self.count_spin(id);
        any
    }

    /// Sends all pending output. Returns whether there was any.
    fn drain(&mut self, id: NodeId) -> bool {
        let now = self.journal.now;
        let mut any = false;
        loop {
            let node = &mut self.nodes[index(id)].node;
            let deadline = node.poll_timeout();
            let Some(out) = node.poll_transmit(now, &mut self.buffer) else { return any };
            assert!(
                deadline.is_some_and(|deadline| deadline <= now),
                "{}: HIDDEN OUTPUT: node {} had a datagram to send, but its deadline was {deadline:?}",
                self.journal,
                id.0
            );
            let written = &self.buffer[..out.len];
            let size = if out.segment_size == 0 { out.len } else { out.segment_size };
            let from = out.from.unwrap_or(id.into());
            if out.len <= size {
                self.network.send(&mut self.journal, id, from, out.to, written);
            } else {
                for datagram in written.chunks(size) {
                    self.network.send(&mut self.journal, id, from, out.to, datagram);
                }
            }
            any = true;
            self.count_spin(id);
        }
    }

    fn count_spin(&mut self, id: NodeId) {
        self.spins += 1;
        assert!(
            self.spins < self.spin_limit,
            "{}: SPIN: {} polls within one instant, the last by node {}",
            self.journal,
            self.spins,
            id.0
        );
    }

    fn unfinished_nodes(&self) -> std::string::String {
        let ids: Vec<u32> = self.nodes.iter().filter(|slot| !slot.done).map(|slot| slot.id.0).collect();
        std::format!("nodes {ids:?} not done")
    }
}

fn index(id: NodeId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}
