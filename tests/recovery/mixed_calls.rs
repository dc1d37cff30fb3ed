//! Two applications that copy, lend and exchange memory in any order, within small budgets, over bad paths.

mod side;

use crate::pair::{self, CLIENT, End, SERVER};
use rdt_proto::Duration;
use rdt_proto::connection::{CloseReason, Connection, GrowingStorage};
use rdt_proto::sim::{LinkConfig, Rng};
use rdt_proto::store::PooledStore;
use side::Side;
use std::sync::LazyLock;

type Peer = Connection<GrowingStorage>;

const SEEDS: u64 = 60;
const MOST_BODIES: usize = 100;
const MOST_BODY: usize = 10_000;

/// The stream of each side, as far as it writes.
static STREAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; MOST_BODIES * MOST_BODY];
    Rng::new(0).fill(&mut bytes);
    bytes
});

fn link(rng: &mut Rng) -> LinkConfig {
    let link = LinkConfig::ideal().with_delay(rng.up_to(Duration::from_millis(60)));
    let link = link.with_loss([0.0, 0.01, 0.2][rng.index(3)]).with_duplication([0.0, 0.1][rng.index(2)]);
    let link = link.with_reordering([0.0, 0.1][rng.index(2)], Duration::from_millis(30));
    let link = if rng.chance(0.3) { link.with_mtu(540 + rng.index(20_000)) } else { link };
    if rng.chance(0.5) { link.with_rate(10_000_000).with_queue(200_000) } else { link }
}

fn run(seed: u64) {
    let mut rng = Rng::new(seed);
    let (mut client, mut server) = (Side::new(rng.fork()), Side::new(rng.fork()));
    let mut length = |from: &Side, to: &Side| {
        let body = usize::from(from.config.segment.min(to.config.recv_segment));
        rng.index(MOST_BODIES * body.min(MOST_BODY))
    };
    let (up, down) = (length(&client, &server), length(&server, &client));
    (client.to_write, server.to_write) = (up, down);
    let client = End::client(client.config, [1; 32], client.storage(), client);
    let server = End::server(server.config, [2; 32], server.storage(), server);
    let links = [link(&mut rng), link(&mut rng)];
    let (mut sim, _) = pair::connect(seed, [client, server], links);
    sim.run_until_done(Duration::from_secs(10_000));
    for (id, sent) in [(CLIENT, down), (SERVER, up)] {
        let end = sim.node(id);
        assert_eq!((end.ended(), end.application.read), (Some(CloseReason::Finished), sent), "seed {seed}, {id:?}");
        let peer = end.connection.as_ref().unwrap();
        let [send, recv] = [peer.send_store().pool().kept(), peer.recv_store().pool().kept()];
        assert!(send <= 1 && recv == 0, "seed {seed}, {id:?}: {send} and {recv} bodies are kept");
    }
}

/// The network checks the deadlines, and that nothing locks up.
#[test]
fn streams_arrive_whatever_calls_move_their_memory() {
    (1..=SEEDS).for_each(run);
}
