//! Runs of two endpoints over a bad network, each from a seed that a failure prints; the same for every mechanism.

use super::{Endpoint, Exchange, RandomStorage};
use rdt_proto::connection::{CloseReason, Config};
use rdt_proto::sim::{LinkConfig, NodeId, Rng, Simulation};
use rdt_proto::{Duration, Instant};

/// What differs between the mechanisms.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    /// How many seeds, from 1 on.
    pub(crate) seeds: u64,
    /// The most bytes that a side sends.
    pub(crate) most: u64,
    pub(crate) config: Config,
}

impl Runs {
    fn lifted(self) -> Self {
        let never = Duration::MAX;
        let config = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..self.config };
        Self { config, ..self }
    }

    /// A client and a server with something to send each, and a bad link between them.
    fn pair<S: RandomStorage>(self, seed: u64) -> Simulation<Endpoint<S>> {
        let mut rng = Rng::new(seed);
        let mut sim = Simulation::new(seed);
        let (client, server) = (NodeId(0), NodeId(1));
        let size = |rng: &mut Rng| if rng.chance(0.1) { 0 } else { rng.below(self.most) };
        let (up, down) = ((seed, size(&mut rng)), (!seed, size(&mut rng)));
        sim.add(Endpoint::client(server.port(0), self.config, rng.fork(), Exchange::new(up, down)));
        sim.add(Endpoint::server(client.port(0), self.config, rng.fork(), Exchange::new(down, up)));
        let (there, back) = (bad_link(&mut rng), bad_link(&mut rng));
        sim.connect_with(client, server, there, back);
        sim
    }

    /// With time limits lifted every run delivers byte-exact.
    pub(crate) fn deliver_with_limits_lifted<S: RandomStorage>(self) {
        for seed in 1..=self.seeds {
            let mut sim = self.lifted().pair::<S>(seed);
            sim.run_until_done(Duration::from_secs(100_000));
            for endpoint in sim.nodes() {
                assert!(endpoint.exchange.is_complete(), "seed {seed}");
                assert_eq!(endpoint.ended(), Some(CloseReason::Finished), "seed {seed}");
            }
        }
    }

    /// With limits every run delivers, or ends with an honest reason and an exact prefix.
    pub(crate) fn deliver_or_end_honestly<S: RandomStorage>(self) {
        let mut complete = 0;
        for seed in 1..=self.seeds {
            let mut sim = self.pair::<S>(seed);
            // Who never hears again ends by a limit: nobody stays for ever.
            sim.run_until_done(Duration::from_secs(3_600));
            let endpoints: Vec<_> = sim.nodes().collect();
            // What was received is an exact prefix: each byte was compared as it came. If either side says that both have
            // finished, then everything arrived, both ways.
            let finished = endpoints.iter().any(|endpoint| endpoint.ended() == Some(CloseReason::Finished));
            let all = endpoints.iter().all(|endpoint| endpoint.exchange.is_complete());
            assert!(all || !finished, "seed {seed}: finished without everything");
            for endpoint in endpoints {
                match endpoint.ended() {
                    Some(
                        CloseReason::Finished
                        | CloseReason::HandshakeTimedOut
                        | CloseReason::TimedOut
                        | CloseReason::Quiet,
                    ) => {}
                    None => assert!(endpoint.stream.is_none(), "seed {seed}"),
                    Some(reason) => panic!("seed {seed}: {reason}"),
                }
            }
            complete += u64::from(all);
        }
        assert!(complete * 10 > self.seeds * 9, "only {complete} of {} delivered", self.seeds);
    }

    /// Damage that no checksum finds breaks no promise of the machine to its driver, which the simulation asserts. What
    /// arrives may be wrong, so nothing is compared, and nobody need come to an end: an acknowledgement that was never given
    /// leaves a gap for ever.
    pub(crate) fn bear_damage<S: RandomStorage>(self) {
        for seed in 1..=self.seeds {
            let mut sim = self.pair::<S>(seed);
            for id in [NodeId(0), NodeId(1)] {
                let endpoint = sim.node_mut(id);
                endpoint.checked = false;
                endpoint.exchange.ignore_content();
            }
            sim.run_for(Duration::from_secs(600));
        }
    }

    /// The same seed gives the same run, and another one another.
    pub(crate) fn repeat_from_their_seed<S: RandomStorage>(self) {
        let run = |seed| {
            let mut sim = self.lifted().pair::<S>(seed);
            sim.run_until_done(Duration::from_secs(100_000));
            sim.fingerprint()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    /// A blackout in the middle is survived within the idle limit. `bytes` take more than a second without it.
    pub(crate) fn survive_a_blackout<S: RandomStorage>(self, bytes: u64) {
        let (client, server) = (NodeId(0), NodeId(1));
        let mut sim = Simulation::<Endpoint<S>>::new(5);
        let (up, down) = ((1, bytes), (2, 0));
        sim.add(Endpoint::client(server.port(0), self.config, Rng::new(1), Exchange::new(up, down)));
        sim.add(Endpoint::server(client.port(0), self.config, Rng::new(2), Exchange::new(down, up)));
        let link = LinkConfig::ideal().with_delay(Duration::from_millis(20));
        sim.connect(client, server, link.with_blackout(Instant::from_millis(1_000), Instant::from_millis(15_000)));
        let end = sim.run_until_done(Duration::from_secs(60));
        assert!(end > Instant::from_millis(15_000));
        assert!(
            sim.nodes()
                .all(|endpoint| endpoint.exchange.is_complete() && endpoint.ended() == Some(CloseReason::Finished))
        );
    }
}

/// Loss up to 30 %, and everything else that a network does to a datagram.
fn bad_link(rng: &mut Rng) -> LinkConfig {
    let share = |rng: &mut Rng, percent: u64| rng.below(percent + 1) as f64 / 100.0;
    let link = LinkConfig::ideal()
        .with_delay(rng.up_to(Duration::from_millis(150)))
        .with_jitter(rng.up_to(Duration::from_millis(20)))
        .with_loss(share(rng, 30))
        .with_duplication(share(rng, 20))
        .with_reordering(share(rng, 20), rng.up_to(Duration::from_millis(300)))
        .with_corruption(share(rng, 10))
        .with_truncation(share(rng, 5));
    if rng.chance(0.5) { link } else { link.with_rate(64_000 + rng.below(10_000_000)).with_queue(8_192) }
}
