//! Selective repeat in base mode towards a receiver with a small window, which base mode does not announce.

use crate::pair::{self, Bytes, End, SERVER};
use rdt_proto::arq::Block;
use rdt_proto::congestion::{Controller, FixedWindow};
use rdt_proto::connection::{Config, HeapStorage, Memory};
use rdt_proto::sim::{Fate, LinkConfig};
use rdt_proto::{Duration, Instant};

const BYTES: u64 = 40_000;

/// The time that a transfer takes if each `period`-th datagram of the sender is lost, and `slots` bodies fit into the
/// receiver; `None` if it takes more than two hours.
fn transfer(in_flight: u64, slots: u32, period: u64) -> Option<Duration> {
    let never = Duration::MAX;
    let config = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..Config::base() };
    let storage = |slots| {
        let (send, recv) = (vec![0; config.send_bytes(64)], vec![0; config.recv_bytes(slots)]);
        let memory = Memory { send, recv, blocks: vec![Block::EMPTY] };
        let controller = |datagram: u32| -> Controller { FixedWindow::new(in_flight * u64::from(datagram)).into() };
        HeapStorage::selective_repeat(&config, memory, controller).unwrap()
    };
    let sends = Bytes { to_write: BYTES, ..Bytes::default() };
    let client = End::client(config, [1; 32], storage(4), sends);
    let server = End::server(config, [2; 32], storage(slots), Bytes::default());
    let link = LinkConfig::ideal().with_delay(Duration::from_millis(10));
    let (mut sim, [there, _]) = pair::connect(1, [client, server], [link.clone(), link]);
    let mut sent = 0_u64;
    sim.filter(there, move |_| {
        sent += 1;
        if sent.is_multiple_of(period) { Fate::Lost } else { Fate::Delivered }
    });
    (0..7_200).find_map(|_| {
        sim.run_for(Duration::from_secs(1));
        (sim.node(SERVER).application.read == BYTES).then(|| sim.now().saturating_since(Instant::ZERO))
    })
}

/// Regression: the probe repeated the newest number, which a small window ignores, and each timeout repeated all
/// numbers. Where their count was a multiple of the period, the oldest was lost every time.
#[test]
fn periodic_loss_locks_no_transfer_of_base_mode() {
    for in_flight in [2, 3, 4, 5, 8, 16] {
        for slots in 1..=4 {
            for period in 2..=24 {
                let time = transfer(in_flight, slots, period);
                // Without a sample the backoff stays (RFC 6298 §5.7), so the loss of each second datagram is slow.
                let most = Duration::from_secs(if period == 2 { 7_200 } else { 120 });
                let case = format!("{in_flight} in flight, {slots} slots, one of {period} lost");
                assert!(time.is_some_and(|time| time <= most), "{case}: {time:?}");
            }
        }
    }
}
