//! Transfers over paths that carry less than the wanted datagram, in both directions.

use super::short_transfers::{Ends, link, pair, selective_repeat, stop_and_wait};
use crate::pair::{CLIENT, MakeStorage, SERVER};
use rdt_proto::connection::{CloseReason, ConnectionTypes};
use rdt_proto::sim::{LinkConfig, NodeId};
use rdt_proto::{Duration, Instant};

const SEEDS: u64 = 20;
const BYTES: u64 = 100_000;

/// Sends [`BYTES`] from `sender` to the other end. Returns the simulation and the time of the last byte.
fn transfer<S: ConnectionTypes>(
    seed: u64,
    make: MakeStorage<S>,
    path: LinkConfig,
    sender: NodeId,
) -> (Ends<S>, Instant) {
    let (mut sim, _) = pair(seed, make, path);
    let receiver = NodeId(1 - sender.0);
    sim.node_mut(sender).application.to_write = BYTES;
    // The client confirms the handshake by an empty INFO 0 if it is not the sender.
    for at in (0..30_000).map(|tenth| Instant::from_millis(10 * tenth)) {
        sim.run_until(at);
        if sim.node(receiver).application.read == BYTES || sim.node(sender).ended().is_some() {
            return (sim, at);
        }
    }
    panic!("seed {seed}: neither delivered nor ended")
}

/// Every path from 512 bytes up delivers, in not much more time than its smaller datagrams explain.
fn narrow_paths_deliver<S: ConnectionTypes>(make: MakeStorage<S>, loss: f64, most: [Duration; 2]) {
    for (mtu, most) in [(1_100, most[0]), (540, most[1])] {
        for sender in [CLIENT, SERVER] {
            for seed in 1..=SEEDS {
                let (sim, end) = transfer(seed, make, link(loss).with_mtu(mtu), sender);
                let read = sim.node(NodeId(1 - sender.0)).application.read;
                assert_eq!(read, BYTES, "seed {seed}, {mtu} bytes, from {sender:?}");
                assert!(end <= Instant::ZERO + most, "seed {seed}, {mtu} bytes, from {sender:?}: {end:?}");
            }
        }
    }
}

#[test]
fn selective_repeat_delivers_over_small_datagrams() {
    narrow_paths_deliver(selective_repeat, 0.0, [Duration::from_secs(1); 2]);
    narrow_paths_deliver(selective_repeat, 0.05, [Duration::from_secs(3); 2]);
}

#[test]
fn stop_and_wait_delivers_over_small_datagrams() {
    let round_trips = |count: u64| Duration::from_millis(50 * count);
    narrow_paths_deliver(stop_and_wait, 0.0, [round_trips(170), round_trips(280)]);
}

/// Nothing of the data arrives, so the peer has nothing to answer.
#[test]
fn a_path_that_carries_nothing_large_ends_at_the_idle_limit() {
    let (sim, end) = transfer(1, selective_repeat, link(0.0).with_mtu(400), CLIENT);
    assert_eq!(sim.node(CLIENT).ended(), Some(CloseReason::TimedOut));
    assert!(end < Instant::from_millis(31_000), "{end:?}");
}
