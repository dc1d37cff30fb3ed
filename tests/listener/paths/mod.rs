//! Transfers in virtual time whose client changes its address, or is copied by an observer on its path.
//!
//! ```text
//!  client --+-- access A ---- link of the first path ----- server
//!           |      | copies                                  |
//!           |   observer ---- link of the observer ----------+
//!           |                                                |
//!           +-- access B ---- link of the second path -------+
//! ```
//!
//! | module | part |
//! |---|---|
//! | `client` | a connection that sends or receives, and that may pause |
//! | `server` | a listener with one connection |
//! | `access` | where the client reaches the network: the server sees its address |
//! | `observer` | copies what passes access A, and sends the copies from an address of its own |
//! | `outbox` | the datagrams that access and observer send next |
//! | `relay`, `copies` | the tests |

mod access;
mod client;
mod copies;
mod observer;
mod outbox;
mod relay;
mod server;

use access::{Access, Outside};
use client::Client;
pub(crate) use client::Pause;
pub(crate) use observer::{Answers, Seen};
use observer::{Observer, Tap};
use rdt_proto::arq::Block;
use rdt_proto::congestion::BandwidthDelay;
use rdt_proto::connection::{Config, HeapStorage, Memory, blocks_for};
use rdt_proto::listener::ListenerStats;
use rdt_proto::sim::{LinkConfig, Node, NodeId, Simulation};
use rdt_proto::store::StoreError;
use rdt_proto::{Duration, Instant};
use server::Server;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const SERVER: NodeId = NodeId(0);
const CLIENT: NodeId = NodeId(1);
const ACCESS_A: NodeId = NodeId(2);
const ACCESS_B: NodeId = NodeId(3);
const OBSERVER: NodeId = NodeId(4);

/// The rate of each path in bits per second, and the queue in front of it in bytes.
const RATE: u64 = 40_000_000;
const QUEUE: usize = 500_000;
/// The number of slots of each store.
const PACKETS: u32 = 1_024;

const CONFIG: Config = Config { keep_alive: Duration::from_secs(10), ..Config::new() };

fn storage() -> Result<HeapStorage, StoreError> {
    let bytes = CONFIG.send_bytes(PACKETS).max(CONFIG.recv_bytes(PACKETS));
    let memory = Memory { send: vec![0; bytes], recv: vec![0; bytes], blocks: vec![Block::EMPTY; blocks_for(PACKETS)] };
    HeapStorage::selective_repeat(&CONFIG, memory, BandwidthDelay::new)
}

/// Which side sends the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Upload,
    Download,
}

/// Where the client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Host,
    Port,
}

/// A change of the client's address, as the server sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) at: Instant,
    pub(crate) to: To,
    pub(crate) rtt_ms: u64,
}

/// An observer on the path of the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copying {
    /// The round-trip time between the observer and the server.
    pub(crate) rtt_ms: u64,
    pub(crate) answers: Answers,
    /// The observer copies one of so many datagrams.
    pub(crate) one_of: u64,
    /// When the observer starts, and when it stops.
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

impl Copying {
    const NONE: Self =
        Self { rtt_ms: 1, answers: Answers::Nothing, one_of: 1, from: Instant::ZERO, until: Instant::ZERO };
}

/// A transfer, and what happens to its path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) direction: Direction,
    pub(crate) bytes: u64,
    pub(crate) rtt_ms: u64,
    pub(crate) loss: f64,
    pub(crate) seed: u64,
    pub(crate) pause: Pause,
    pub(crate) change: Option<Change>,
    pub(crate) observer: Option<Copying>,
}

/// A transfer in progress.
pub(crate) struct Run {
    sim: Simulation<Box<dyn Node>>,
    client: Rc<RefCell<Client>>,
    server: Rc<RefCell<Server>>,
    seen: Rc<RefCell<Seen>>,
    outside: Outside,
}

impl Setup {
    /// Starts the transfer.
    pub(crate) fn start(self) -> Run {
        let path = |rtt_ms: u64| {
            let link = LinkConfig::ideal().with_rate(RATE).with_queue(QUEUE).with_loss(self.loss);
            link.with_delay(Duration::from_micros(rtt_ms * 500))
        };
        let first = match self.change {
            Some(Change { at, to: To::Port, rtt_ms }) => {
                path(self.rtt_ms).with_delay_step(at, Duration::from_micros(rtt_ms * 500))
            }
            Some(Change { to: To::Host, .. }) | None => path(self.rtt_ms),
        };
        let outside: Outside = Rc::new(Cell::new(ACCESS_A.port(0)));
        let seen = Rc::new(RefCell::new(Seen::default()));
        let tap = Tap::default();
        let client = Rc::new(RefCell::new(Client::new(self, Rc::clone(&outside))));
        let server = Rc::new(RefCell::new(Server::new(self.direction, self.bytes)));
        let mut sim = Simulation::<Box<dyn Node>>::new(self.seed);
        assert_eq!(sim.add(Box::new(Rc::clone(&server))), SERVER);
        assert_eq!(sim.add(Box::new(Rc::clone(&client))), CLIENT);
        let is_tapped = self.observer.is_some();
        let tapped = is_tapped.then(|| Rc::clone(&tap));
        assert_eq!(sim.add(Box::new(Access::new(Rc::clone(&outside), tapped))), ACCESS_A);
        assert_eq!(sim.add(Box::new(Access::new(Rc::clone(&outside), None))), ACCESS_B);
        let copying = self.observer.unwrap_or(Copying::NONE);
        assert_eq!(sim.add(Box::new(Observer::new(copying, tap, Rc::clone(&seen)))), OBSERVER);
        sim.connect(CLIENT, ACCESS_A, LinkConfig::ideal());
        sim.connect(CLIENT, ACCESS_B, LinkConfig::ideal());
        sim.connect(ACCESS_A, OBSERVER, LinkConfig::ideal());
        sim.connect(CLIENT, OBSERVER, LinkConfig::ideal());
        sim.connect(ACCESS_A, SERVER, first);
        sim.connect(ACCESS_B, SERVER, path(self.change.map_or(self.rtt_ms, |change| change.rtt_ms)));
        sim.connect(OBSERVER, SERVER, LinkConfig::ideal().with_delay(Duration::from_micros(copying.rtt_ms * 500)));
        let mut run = Run { sim, client, server, seen, outside };
        if let Some(change) = self.change {
            run.sim.run_until(change.at);
            run.outside.set(match change.to {
                To::Host => ACCESS_B.port(0),
                To::Port => ACCESS_A.port(1),
            });
        }
        run
    }

    /// Runs the transfer to its end, and returns its duration and all that was seen.
    pub(crate) fn finish(self) -> Outcome {
        self.start().finish(self)
    }
}

/// The result of a transfer.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) took: Duration,
    pub(crate) seen: Seen,
    pub(crate) stats: ListenerStats,
}

impl Run {
    pub(crate) fn run_until(&mut self, until: Instant) {
        self.sim.run_until(until);
    }

    /// Whether the server still has the connection, and sends to the address from which the client's own datagrams
    /// come.
    pub(crate) fn is_at_client(&self) -> bool {
        self.server.borrow().address() == Some(self.outside.get())
    }

    pub(crate) fn finish(mut self, setup: Setup) -> Outcome {
        self.sim.run_until_done(Duration::from_secs(300));
        let took = self.client.borrow().took();
        let took = took.unwrap_or_else(|reason| panic!("{setup:?}: {reason:?}"));
        let (seen, stats) = (*self.seen.borrow(), *self.server.borrow().stats());
        Outcome { took, seen, stats }
    }
}
