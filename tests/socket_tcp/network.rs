//! SocketTCP over networks that lose, duplicate and reorder segments.
//!
//! The tests cover messages of many lengths, and random conversations from a thousand seeds.

use crate::speaker::{Behaviour, Script, Speaker};
use rdt_proto::sim::{LinkConfig, NodeId, Rng, Simulation};
use rdt_proto::socket_tcp::{SocketCloseReason, SocketConfig};
use rdt_proto::{Duration, Instant};

/// The lengths of single messages, in bytes.
const LENGTHS: [usize; 10] = [0, 1, 9, 10, 16, 17, 99, 100, 1_000, 1_000_000];
/// The number of random conversations in a test.
const SEEDS: u64 = 1_000;

/// A configuration without time limits.
fn lifted() -> SocketConfig {
    let never = Duration::MAX;
    SocketConfig { handshake_limit: never, idle_limit: never, quiet_limit: never, ..SocketConfig::default() }
}

/// Creates a client and a server with a link each way.
///
/// `up` and `down` are the lengths of the messages from the client and from the server.
fn conversation(
    seed: u64,
    config: SocketConfig,
    link: &mut dyn FnMut(&mut Rng) -> LinkConfig,
    up: Vec<usize>,
    down: Vec<usize>,
) -> Simulation<Speaker> {
    let mut rng = Rng::new(seed);
    let mut sim = Simulation::new(seed);
    let (client, server) = (NodeId(0), NodeId(1));
    let (up, down) = (Script::new(seed, up), Script::new(!seed, down));
    sim.add(Speaker::client(config, rng.fork(), server.port(0), up.clone(), down.clone()));
    sim.add(Speaker::new(config, rng.fork(), down, up));
    let (there, back) = (link(&mut rng), link(&mut rng));
    sim.connect_with(client, server, there, back);
    sim
}

/// Sends messages of every length up to `most` bytes in each direction. `loss` is the share lost each way.
fn every_length(loss: f64, most: usize) {
    let mut link = |_: &mut Rng| LinkConfig::ideal().with_delay(Duration::from_millis(5)).with_loss(loss);
    for length in LENGTHS.into_iter().chain([10_000]).filter(|&length| length <= most) {
        for (up, down) in [(vec![length], vec![]), (vec![], vec![length]), (vec![length; 2], vec![length])] {
            let seed = length as u64;
            let mut sim = conversation(seed, lifted(), &mut link, up, down);
            sim.set_spin_limit(u64::MAX);
            sim.run_until_done(Duration::MAX);
            for speaker in sim.nodes() {
                assert!(speaker.is_complete(), "{length} bytes at {loss}");
            }
        }
    }
}

#[test]
fn every_length_without_loss() {
    every_length(0.0, 1_000_000);
}

#[test]
fn every_length_at_20_percent_each_way() {
    every_length(0.2, 1_000_000);
}

#[test]
fn every_length_to_10_000_bytes_at_40_percent_each_way() {
    every_length(0.4, 10_000);
}

/// A link with up to 30 % loss, duplicates, reordering, and a delay of up to 100 ms.
fn bad_link(rng: &mut Rng) -> LinkConfig {
    let share = |rng: &mut Rng, percent: u64| rng.below(percent + 1) as f64 / 100.0;
    LinkConfig::ideal()
        .with_delay(rng.up_to(Duration::from_millis(100)))
        .with_jitter(rng.up_to(Duration::from_millis(20)))
        .with_loss(share(rng, 30))
        .with_duplication(share(rng, 20))
        .with_reordering(share(rng, 20), Duration::from_millis(300))
}

/// A conversation with up to five messages each way, over a bad link.
fn chatter(seed: u64, config: SocketConfig) -> Simulation<Speaker> {
    let mut rng = Rng::new(!seed);
    let mut lengths = || {
        let count = rng.below(6);
        (0..count).map(|_| if rng.chance(0.2) { 0 } else { rng.index(120) }).collect()
    };
    let (up, down) = (lengths(), lengths());
    conversation(seed, config, &mut bad_link, up, down)
}

#[test]
fn every_conversation_completes_with_limits_lifted() {
    for seed in 1..=SEEDS {
        let mut sim = chatter(seed, lifted());
        sim.run_until_done(Duration::from_secs(100_000));
        for speaker in sim.nodes() {
            assert!(speaker.is_complete(), "seed {seed}");
        }
    }
}

#[test]
fn the_default_limits_deliver_everything_or_report_the_end() {
    let mut complete = 0;
    for seed in 1..=SEEDS {
        let mut sim = chatter(seed, SocketConfig::default());
        sim.run_until_done(Duration::from_secs(3_600));
        // A side whose peer has ended needs more time to end at its limits.
        sim.run_for(Duration::from_secs(600));
        let [client, server] = [sim.node(NodeId(0)), sim.node(NodeId(1))];
        // Acknowledged means kept: each side has read every message that its peer counts as acknowledged.
        assert!(client.sent <= server.heard && server.sent <= client.heard, "seed {seed}");
        for speaker in [client, server] {
            match speaker.ended() {
                Some(
                    SocketCloseReason::Finished
                    | SocketCloseReason::Quiet
                    | SocketCloseReason::HandshakeTimedOut
                    | SocketCloseReason::TimedOut,
                ) => {}
                None => assert!(speaker.machine.is_none(), "seed {seed}"),
                Some(reason) => panic!("seed {seed}: {reason}"),
            }
        }
        complete += u64::from(client.is_complete() && server.is_complete());
    }
    println!("{complete} of {SEEDS} complete");
    assert!(complete * 100 > SEEDS * 95, "only {complete} of {SEEDS} complete");
}

/// How a conversation is interrupted.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// One or both sides abort, with slow readers.
    Abort,
    /// One or both sides close, with slow or fast readers.
    Close { slow: bool },
}

/// A conversation with up to three messages each way. One or both sides close or abort at a random time.
fn interrupted(seed: u64, link: &mut dyn FnMut(&mut Rng) -> LinkConfig, ends: Ends) -> Simulation<Speaker> {
    let mut rng = Rng::new(seed ^ 0xabcd);
    let lengths =
        |rng: &mut Rng| (0..rng.below(4)).map(|_| if rng.chance(0.25) { 0 } else { rng.index(100) }).collect();
    let (up, down) = (lengths(&mut rng), lengths(&mut rng));
    let mut sim = conversation(seed, SocketConfig::default(), link, up, down);
    let only = rng.below(3);
    for id in [NodeId(0), NodeId(1)] {
        let slowest = Duration::from_millis(if ends == (Ends::Close { slow: false }) { 0 } else { 300 });
        let reads_every = rng.up_to(slowest);
        let at = Instant::ZERO + rng.up_to(Duration::from_millis(1_500));
        // `only` is the side that acts, or 2 if both sides act.
        let at = Some(at).filter(|_| only == 2 || only == u64::from(id.0));
        let (closes_at, aborts_at) = if ends == Ends::Abort { (None, at) } else { (at, None) };
        sim.node_mut(id).behave(Behaviour { closes_at, aborts_at, reads_every });
    }
    sim
}

#[test]
fn without_loss_a_close_at_any_time_ends_both_sides() {
    for seed in 1..=2 * SEEDS {
        // Nothing is lost. With every second seed, segments are late or duplicated.
        let mut link = |rng: &mut Rng| if seed % 2 == 0 { bad_link(rng).with_loss(0.0) } else { LinkConfig::ideal() };
        let mut sim = interrupted(seed, &mut link, Ends::Close { slow: false });
        sim.run_until_done(Duration::from_secs(1_000));
        for speaker in sim.nodes() {
            let reason = speaker.ended();
            assert!(
                matches!(
                    reason,
                    Some(SocketCloseReason::Finished | SocketCloseReason::PeerLeft | SocketCloseReason::CutShort)
                ),
                "seed {seed}: {reason:?}"
            );
        }
    }
}

#[test]
fn close_or_abort_at_any_time_ends_both_sides() {
    for seed in 1..=3 * SEEDS {
        let ends = if seed % 3 == 0 { Ends::Abort } else { Ends::Close { slow: seed % 3 == 1 } };
        let mut sim = interrupted(seed, &mut bad_link, ends);
        sim.run_for(Duration::from_secs(600));
        let [client, server] = [sim.node(NodeId(0)), sim.node(NodeId(1))];
        // Acknowledged means kept: the message has been read, or can be read as a whole.
        assert!(client.sent <= server.kept() && server.sent <= client.kept(), "seed {seed}");
        for speaker in [client, server] {
            assert!(speaker.ended().is_some() || speaker.machine.is_none(), "seed {seed}");
        }
    }
}

#[test]
fn damage_breaks_no_promise_of_the_machine() {
    // Damaged content is not detected, so nothing is compared, and neither side has to end.
    for seed in 1..=SEEDS {
        let mut link = |rng: &mut Rng| bad_link(rng).with_corruption(0.1).with_truncation(0.05);
        let mut sim = conversation(seed, SocketConfig::default(), &mut link, vec![], vec![]);
        for id in [NodeId(0), NodeId(1)] {
            sim.node_mut(id).send_only();
        }
        sim.run_for(Duration::from_secs(600));
    }
}

#[test]
fn the_same_seed_gives_the_same_conversation() {
    let run = |seed| {
        let mut sim = chatter(seed, lifted());
        sim.run_until_done(Duration::from_secs(100_000));
        sim.fingerprint()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_blackout_shorter_than_the_idle_limit_ends_nothing() {
    let (start, end) = (Instant::from_millis(1_000), Instant::from_millis(21_000));
    let mut link = |_: &mut Rng| LinkConfig::ideal().with_delay(Duration::from_millis(20)).with_blackout(start, end);
    let mut sim = conversation(3, SocketConfig::default(), &mut link, vec![2_000], vec![2_000]);
    sim.run_until_done(Duration::from_secs(100));
    assert!(sim.nodes().all(Speaker::is_complete));
    assert!(sim.now() > end);
}
