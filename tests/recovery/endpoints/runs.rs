//! Runs of two endpoints over a bad network, for any mechanism. A failed run prints its seed.

use super::{Endpoint, RandomStorage, client, server};
use crate::pair::{self, CLIENT, SERVER};
use rdt_proto::connection::{CloseReason, Config};
use rdt_proto::sim::{LinkConfig, Rng, Simulation};
use rdt_proto::{Duration, Instant};

/// The parameters that differ between the mechanisms.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    /// The number of runs. Their seeds are 1, 2, 3 and so on.
    pub(crate) seeds: u64,
    /// The maximum number of bytes that a side sends.
    pub(crate) most: u64,
    pub(crate) config: Config,
}

impl Runs {
    /// The same runs without time limits.
    fn lifted(self) -> Self {
        let never = Duration::MAX;
        let config = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..self.config };
        Self { config, ..self }
    }

    /// A client and a server, each with data to send, and a bad link between them.
    fn pair<S: RandomStorage>(self, seed: u64) -> Simulation<Endpoint<S>> {
        let mut rng = Rng::new(seed);
        let size = |rng: &mut Rng| if rng.chance(0.1) { 0 } else { rng.below(self.most) };
        let (up, down) = ((seed, size(&mut rng)), (!seed, size(&mut rng)));
        let ends = [client(self.config, rng.fork(), up, down), server(self.config, rng.fork(), down, up)];
        let links = [bad_link(&mut rng), bad_link(&mut rng)];
        let (sim, _) = pair::connect(seed, ends, links);
        sim
    }

    /// Without time limits, every run delivers all bytes unchanged.
    pub(crate) fn deliver_with_limits_lifted<S: RandomStorage>(self) {
        for seed in 1..=self.seeds {
            let mut sim = self.lifted().pair::<S>(seed);
            sim.run_until_done(Duration::from_secs(100_000));
            for endpoint in sim.nodes() {
                assert!(endpoint.node.application.is_complete(), "seed {seed}");
                assert_eq!(endpoint.node.ended(), Some(CloseReason::Finished), "seed {seed}");
            }
        }
    }

    /// With time limits, every run delivers all bytes, or delivers an exact prefix and reports the reason.
    pub(crate) fn deliver_or_report_the_end<S: RandomStorage>(self) {
        let mut complete = 0;
        for seed in 1..=self.seeds {
            let mut sim = self.pair::<S>(seed);
            // A side that receives nothing more ends at a limit.
            sim.run_until_done(Duration::from_secs(3_600));
            let endpoints: Vec<_> = sim.nodes().collect();
            // The received data is an exact prefix, since each byte is compared on arrival. If either side reports
            // `Finished`, all data of both directions has arrived.
            let finished = endpoints.iter().any(|endpoint| endpoint.node.ended() == Some(CloseReason::Finished));
            let all = endpoints.iter().all(|endpoint| endpoint.node.application.is_complete());
            assert!(all || !finished, "seed {seed}: `Finished` without all bytes");
            for endpoint in endpoints {
                match endpoint.node.ended() {
                    Some(
                        CloseReason::Finished
                        | CloseReason::HandshakeTimedOut
                        | CloseReason::TimedOut
                        | CloseReason::Quiet,
                    ) => {}
                    None => assert!(endpoint.node.connection.is_none(), "seed {seed}"),
                    Some(reason) => panic!("seed {seed}: {reason}"),
                }
            }
            complete += u64::from(all);
        }
        // In base mode the backoff stays until a sample comes (RFC 6298 §5.7). On these links 7 % of the runs of
        // selective repeat then outlast the limits.
        assert!(complete * 20 > self.seeds * 17, "only {complete} of {} delivered", self.seeds);
    }

    /// Undetected damage breaks no promise of the machine to its driver.
    ///
    /// The simulation asserts these promises. The content may be wrong, so nothing is compared. Neither side has to
    /// end, since a damaged acknowledgement may leave a gap for ever.
    pub(crate) fn bear_damage<S: RandomStorage>(self) {
        for seed in 1..=self.seeds {
            let mut sim = self.pair::<S>(seed);
            for id in [CLIENT, SERVER] {
                let endpoint = sim.node_mut(id);
                endpoint.is_checked = false;
                endpoint.node.application.ignore_content();
            }
            sim.run_for(Duration::from_secs(600));
        }
    }

    /// The same seed gives the same run, and another seed gives another run.
    pub(crate) fn repeat_from_their_seed<S: RandomStorage>(self) {
        let run = |seed| {
            let mut sim = self.lifted().pair::<S>(seed);
            sim.run_until_done(Duration::from_secs(100_000));
            sim.fingerprint()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    /// All bytes arrive despite a blackout that is shorter than the idle limit.
    ///
    /// The blackout begins after a second. `bytes` is so large that the transfer takes longer than that.
    pub(crate) fn survive_a_blackout<S: RandomStorage>(self, bytes: u64) {
        let (up, down) = ((1, bytes), (2, 0));
        let ends: [Endpoint<S>; 2] =
            [client(self.config, Rng::new(1), up, down), server(self.config, Rng::new(2), down, up)];
        let link = LinkConfig::ideal().with_delay(Duration::from_millis(20));
        let link = link.with_blackout(Instant::from_millis(1_000), Instant::from_millis(15_000));
        let (mut sim, _) = pair::connect(5, ends, [link.clone(), link]);
        let end = sim.run_until_done(Duration::from_secs(60));
        assert!(end > Instant::from_millis(15_000));
        assert!(
            sim.nodes().all(|endpoint| endpoint.node.application.is_complete()
                && endpoint.node.ended() == Some(CloseReason::Finished))
        );
    }
}

/// A link with up to 30 % loss, and with random shares of all other faults.
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
