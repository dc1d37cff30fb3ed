//! A deterministic network simulation in virtual time, for tests and benchmarks.
//!
//! A [`Simulation`] holds [`Node`]s and the links between them. A node is a state machine with its application. Time
//! jumps to the next arrival or deadline, so an hour without datagrams takes no real time. The seed is the only source
//! of randomness, so equal seeds and calls give equal runs. Compare two runs by their
//! [fingerprints](Simulation::fingerprint). Each step checks that the machines keep their contract with a driver; see
//! [`Simulation`].
//!
//! In this example one node repeats a datagram until the other node answers it:
//!
//! ```
//! use rdt_proto::sim::{SimAddress, LinkConfig, Node, Outgoing, Simulation};
//! use rdt_proto::{Duration, Instant};
//!
//! struct Peer { peer: SimAddress, asks: bool, next: Option<Instant>, answered: bool }
//!
//! impl Node for Peer {
//!     fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, _datagram: &[u8]) {
//!         self.answered = true;
//!         self.next = (!self.asks).then_some(now);
//!     }
//!     fn handle_timeout(&mut self, _now: Instant) {}
//!     fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
//!         self.next.filter(|&next| next <= now)?;
//!         self.next = self.asks.then(|| now + Duration::from_millis(250));
//!         buf[..4].copy_from_slice(b"ping");
//!         Some(Outgoing::new(self.peer, 4))
//!     }
//!     fn poll_timeout(&self) -> Option<Instant> { self.next }
//!     fn is_done(&self) -> bool { self.answered }
//! }
//!
//! let mut sim = Simulation::new(1);
//! let (a, b) = (SimAddress::new(0, 0), SimAddress::new(1, 0));
//! sim.add(Peer { peer: b, asks: true, next: Some(Instant::ZERO), answered: false });
//! sim.add(Peer { peer: a, asks: false, next: None, answered: false });
//! let (there, _back) = sim.connect(a.node, b.node, LinkConfig::ideal().with_delay(Duration::from_millis(50)));
//! sim.drop_next(there, |_| true);
//!
//! assert_eq!(sim.run_until_done(Duration::from_secs(1)), Instant::from_millis(350));
//! assert_eq!(sim.stats(there).lost, 1);
//! ```
#![allow(
    clippy::indexing_slicing,
    reason = "indices are created by the simulation; a wrong one is a bug in the test, and panics"
)]

mod burst_loss;
mod channel;
mod deadlines;
mod journal;
mod line;
mod link;
mod network;
mod node;
mod rng;
mod shaper;
mod simulation;
mod token_bucket;

pub use burst_loss::GilbertElliott;
pub use journal::{Fate, Record, Trace};
pub use link::{LinkConfig, LinkId, LinkStats, Outage};
pub use node::{Node, NodeId, Outgoing, SimAddress};
pub use rng::Rng;
pub use simulation::Simulation;
pub use token_bucket::TokenBucket;
