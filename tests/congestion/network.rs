//! Flows over one bottleneck, packet by packet, in virtual time.
//!
//! The bottleneck is a drop-tail queue, a line and a delay. Each sender uses selective repeat with an unlimited window
//! and the loss detection of RACK. All flows have the same sender, so the results differ by the controller alone.

mod path;
mod sender;

pub(crate) use path::Path;
use sender::Sender;

use rdt_proto::congestion::{Controller, RateLimited};
use rdt_proto::{Duration, Instant};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The bytes of a datagram as a controller counts them.
pub(crate) const SEGMENT: u32 = 1_400;
/// The bytes of a datagram on the line, with the headers of UDP and IPv4.
pub(crate) const WIRE: u64 = 1_428;
/// The longest delay of an acknowledgement.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// The number of packets after which the receiver sends a SACK at once.
const PER_SACK: usize = 2;

/// A scheduled event. The first field is the index of its flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A packet has left the line.
    Departure,
    /// The transmission with this index reaches the receiver.
    Arrival(usize, usize),
    /// An ACK delay expires. It is outdated if the receiver has sent more than this number of SACKs.
    AckDelay(usize, u64),
    /// A SACK of these transmissions reaches the sender, with its ACK delay.
    Sack(usize, Vec<usize>, Duration),
    /// The sender may have a timeout to handle, or a packet to send.
    Wake(usize),
}

/// The receiving end of a flow.
#[derive(Default)]
struct Receiver {
    got: Vec<bool>,
    /// Transmissions that have arrived, and that no SACK has reported to the sender yet.
    unreported: Vec<usize>,
    /// The number of packets since the last SACK.
    since_sack: usize,
    last_arrival: Instant,
    /// The number of SACKs sent.
    sacks: u64,
    /// The number of distinct packets that have arrived.
    unique: usize,
    done_at: Option<Instant>,
}

/// Flows over one path.
pub(crate) struct Network {
    now: Instant,
    path: Path,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    /// The number of events so far, which orders events of the same time.
    order: u64,
    senders: Vec<Sender>,
    receivers: Vec<Receiver>,
    /// The next scheduled `Wake` of each flow.
    woken: Vec<Option<Instant>>,
}

/// The result of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// The number of distinct packets that arrived.
    pub(crate) delivered: u64,
    /// The number of packets sent, including lost and dropped ones.
    pub(crate) sent: u64,
    /// The time at which the last distinct packet arrived, or the end of the simulation.
    pub(crate) ended: Instant,
}

impl Network {
    pub(crate) fn new(path: Path) -> Self {
        Self {
            now: Instant::ZERO,
            path,
            events: BinaryHeap::new(),
            order: 0,
            senders: Vec::new(),
            receivers: Vec::new(),
            woken: Vec::new(),
        }
    }

    /// Adds a flow that sends `packets` packets from `start` on.
    pub(crate) fn add(&mut self, controller: Controller, packets: usize, start: Instant) {
        self.add_limited(RateLimited::new(controller, None), packets, start);
    }

    /// Adds a flow as [`add`](Self::add) does, with its maximum rate.
    pub(crate) fn add_limited(&mut self, controller: RateLimited<Controller>, packets: usize, start: Instant) {
        let flow = self.senders.len();
        self.senders.push(Sender::new(controller, packets, self.path.round_trip()));
        self.receivers.push(Receiver::default());
        self.woken.push(None);
        self.at(start, Event::Wake(flow));
    }

    /// Runs until every flow has ended, or until `limit`. Returns the outcome of each flow.
    pub(crate) fn run(&mut self, limit: Instant) -> Vec<Outcome> {
        while self.receivers.iter().any(|receiver| receiver.done_at.is_none()) {
            if self.events.peek().is_none_or(|Reverse((at, ..))| *at > limit) {
                self.now = limit;
                break;
            }
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = at;
            self.handle(event);
        }
        let both = self.senders.iter().zip(&self.receivers);
        both.map(|(sender, receiver)| Outcome {
            delivered: receiver.unique as u64,
            sent: sender.sent,
            ended: receiver.done_at.unwrap_or(self.now),
        })
        .collect()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Departure => self.depart(),
            Event::Arrival(flow, transmission) => self.arrive(flow, transmission),
            Event::AckDelay(flow, sacks) => {
                if self.receivers[flow].sacks == sacks && self.receivers[flow].since_sack > 0 {
                    self.report(flow);
                }
            }
            Event::Sack(flow, transmissions, delay) => {
                self.senders[flow].handle_sack(self.now, &transmissions, delay);
                self.transmit(flow);
            }
            Event::Wake(flow) => {
                if self.woken[flow] == Some(self.now) {
                    self.woken[flow] = None;
                }
                self.senders[flow].handle_timeout(self.now);
                self.transmit(flow);
            }
        }
    }

    fn depart(&mut self) {
        let ((flow, transmission), arrival, next) = self.path.dequeue(self.now);
        if let Some(at) = arrival {
            self.at(at, Event::Arrival(flow, transmission));
        }
        if let Some(at) = next {
            self.at(at, Event::Departure);
        }
    }

    fn arrive(&mut self, flow: usize, transmission: usize) {
        let number = self.senders[flow].number(transmission);
        let receiver = &mut self.receivers[flow];
        if receiver.got.len() <= number {
            receiver.got.resize(number + 1, false);
        }
        receiver.unique += usize::from(!receiver.got[number]);
        receiver.got[number] = true;
        if receiver.unique == self.senders[flow].total() && receiver.done_at.is_none() {
            receiver.done_at = Some(self.now);
        }
        receiver.unreported.push(transmission);
        receiver.since_sack += 1;
        receiver.last_arrival = self.now;
        if receiver.since_sack >= PER_SACK {
            self.report(flow);
        } else {
            let sacks = receiver.sacks;
            self.at(self.now + ACK_DELAY, Event::AckDelay(flow, sacks));
        }
    }

    fn report(&mut self, flow: usize) {
        let receiver = &mut self.receivers[flow];
        receiver.sacks += 1;
        receiver.since_sack = 0;
        if let Some(at) = self.path.back(self.now) {
            let delay = self.now.saturating_since(receiver.last_arrival);
            let event = Event::Sack(flow, std::mem::take(&mut receiver.unreported), delay);
            self.at(at, event);
        }
    }

    fn transmit(&mut self, flow: usize) {
        while let Some(transmission) = self.senders[flow].poll_transmit(self.now) {
            if let Some(at) = self.path.enqueue(self.now, (flow, transmission)) {
                self.at(at, Event::Departure);
            }
        }
        if let Some(at) = self.senders[flow].poll_timeout() {
            let at = self.path.wake_up(at.max(self.now + Duration::from_micros(1)));
            if self.woken[flow].is_none_or(|woken| at < woken) {
                self.woken[flow] = Some(at);
                self.at(at, Event::Wake(flow));
            }
        }
    }
}
