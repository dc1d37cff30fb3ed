//! How many SACKs the way back carries, and what a narrow way back costs.

use crate::pair::{self, Bytes, End, MakeStorage};
use rdt_proto::congestion::Controller;
use rdt_proto::connection::{Config, ConnectionTypes, HeapStopAndWait, HeapStorage};
use rdt_proto::sim::{LinkConfig, Node};
use rdt_proto::{Duration, Instant};
use std::cell::RefCell;
use std::rc::Rc;

pub(crate) fn wide(config: &Config) -> HeapStorage<Controller> {
    HeapStorage::on_heap_with(config, 4_096, Controller::new).unwrap()
}

fn small(config: &Config) -> HeapStopAndWait {
    HeapStopAndWait::stop_and_wait(config, vec![0; config.send_bytes(16)], vec![0; config.recv_bytes(16)]).unwrap()
}

/// The bytes that arrive within `millis`, and the datagrams that the server sends.
///
/// The client always has data to send. The server reads all of it.
pub(crate) fn run<C, S>(
    seed: u64,
    client: MakeStorage<C>,
    server: MakeStorage<S>,
    links: [LinkConfig; 2],
    millis: u64,
) -> (u64, u64)
where
    C: ConnectionTypes + 'static,
    S: ConnectionTypes + 'static,
{
    let config = Config::default();
    let bytes = |to_write| Bytes { to_write, is_direct: true, ..Bytes::default() };
    let client = End::client(config, [1; 32], client(&config), bytes(u64::MAX));
    let server = Rc::new(RefCell::new(End::server(config, [2; 32], server(&config), bytes(0))));
    // The ends may use different mechanisms.
    let ends: [Box<dyn Node>; 2] = [Box::new(client), Box::new(Rc::clone(&server))];
    let (mut sim, _) = pair::connect(seed, ends, links);
    sim.run_until(Instant::from_millis(millis));
    let server = server.borrow();
    (server.application.read, server.connection.as_ref().unwrap().stats().datagrams_sent)
}

/// The share of 100 Mbit/s in percent that carries data and headers in the first 3 s of a transfer. The round trip is
/// 60 ms.
fn share(seed: u64, back: u64, loss: f64) -> u64 {
    let link = |rate, queue| {
        let link = LinkConfig::ideal().with_delay(Duration::from_millis(30)).with_overhead(28).with_loss(loss);
        link.with_jitter(Duration::from_micros(100)).with_rate(rate).with_queue(queue)
    };
    let links = [link(100_000_000, 750_000), link(back, 15_000)];
    // The handshake takes 90 ms until the first INFO arrives, and the time that a CONNACK of 1,190 bytes takes.
    let (bytes, _) = run(seed, wide, wide, links, 3_090 + 1_190 * 8_000 / back);
    bytes / 1_200 * 1_248 * 800 / 3 / 100_000_000
}

#[test]
fn a_narrow_way_back_leaves_most_of_the_link() {
    for (back, loss, least) in [
        (1_000_000, 0.0, 85),
        (500_000, 0.0, 85),
        (200_000, 0.0, 85),
        (1_000_000, 0.01, 85),
        (500_000, 0.01, 70),
        (200_000, 0.01, 50),
    ] {
        for seed in 1..=3 {
            let share = share(seed, back, loss);
            println!("{back} bit/s back, loss {loss}, seed {seed}: {share} %");
            assert!(share >= least, "{back} bit/s back, loss {loss}, seed {seed}: {share} %");
        }
    }
}

#[test]
fn one_sack_is_for_twenty_infos_at_full_rate() {
    for (round_trip_ms, rate) in [(20, 100_000_000), (60, 100_000_000)] {
        let link = LinkConfig::ideal().with_delay(Duration::from_millis(round_trip_ms / 2)).with_rate(rate);
        let links = [link.clone().with_queue(250_000), link];
        let (bytes, sent) = run(1, wide, wide, links, 3_000);
        let infos = bytes / 1_200 / sent;
        assert!(infos >= 20, "{round_trip_ms} ms: a SACK for {infos} INFO");
    }
}

#[test]
fn stop_and_wait_towards_selective_repeat_waits_for_no_sack() {
    let link = LinkConfig::ideal().with_delay(Duration::from_micros(50)).with_rate(100_000_000);
    let links = || [link.clone(), link.clone()];
    let (both, _) = run(1, small, small, links(), 1_000);
    let (mixed, _) = run(1, small, wide, links(), 1_000);
    assert!(mixed * 12 >= both * 10, "{mixed} bytes in a second, {both} between two such sides");
}
