//! The effects of a simulated link on datagrams: times to the microsecond, loss, order and content.

use rdt_proto::sim::{Fate, LinkConfig, LinkId, LinkStats, Node, Outgoing, SimAddress, Simulation};
use rdt_proto::{Duration, Instant};

const A: SimAddress = SimAddress::new(0, 0);
const B: SimAddress = SimAddress::new(1, 0);

/// A node that sends datagrams at scheduled times, and records those that arrive.
#[derive(Default)]
struct Terminal {
    /// Scheduled datagrams, latest first.
    outbox: Vec<(Instant, Outgoing, Vec<u8>)>,
    /// Datagrams that arrived: time, source, destination and content.
    inbox: Vec<(Instant, SimAddress, SimAddress, Vec<u8>)>,
}

impl Terminal {
    /// Sends `count` datagrams of `len` bytes to B, one every `interval`. Each begins with its number.
    fn sends(count: u32, len: usize, interval: Duration) -> Self {
        let outbox = (0..count).rev().map(|number| {
            let mut bytes = vec![0; len];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            (Instant::ZERO + interval.saturating_mul(number.into()), Outgoing::new(B, len), bytes)
        });
        Self { outbox: outbox.collect(), inbox: Vec::new() }
    }

    fn arrivals(&self) -> Vec<u64> {
        self.inbox.iter().map(|(at, ..)| at.as_micros()).collect()
    }

    fn numbers(&self) -> Vec<u32> {
        self.inbox
            .iter()
            .filter_map(|(.., bytes)| bytes.first_chunk())
            .map(|&number| u32::from_be_bytes(number))
            .collect()
    }
}

impl Node for Terminal {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        self.inbox.push((now, from, to, datagram.to_vec()));
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (_, out, bytes) = self.outbox.pop_if(|(at, ..)| *at <= now)?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Some(out)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.outbox.last().map(|&(at, ..)| at)
    }

    fn is_done(&self) -> bool {
        self.outbox.is_empty()
    }
}

fn simulation(seed: u64, sender: Terminal, link: LinkConfig) -> (Simulation<Terminal>, LinkId) {
    let mut sim = Simulation::new(seed);
    let (a, b) = (sim.add(sender), sim.add(Terminal::default()));
    let (there, _) = sim.connect(a, b, link);
    (sim, there)
}

fn run(sender: Terminal, link: LinkConfig) -> (Terminal, LinkStats) {
    let (mut sim, there) = simulation(1, sender, link);
    while sim.step() {}
    let stats = sim.stats(there);
    (std::mem::take(sim.node_mut(B.node)), stats)
}

fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// Sends 1,000 numbered datagrams, one every 100 µs, through `link`.
fn thousand(link: LinkConfig) -> (Terminal, LinkStats) {
    run(Terminal::sends(1_000, 100, us(100)), link)
}

#[test]
fn a_datagram_arrives_after_its_transmission_time_and_the_delay() {
    let link = LinkConfig::ideal().with_rate(10_000_000).with_delay(Duration::from_millis(20));
    let (b, stats) = run(Terminal::sends(5, 1_200, Duration::ZERO), link);
    // 1,228 bytes take 982.4 µs at 10 Mbit/s. Fractions add up, and each arrival time is rounded up.
    assert_eq!(b.arrivals(), [20_983, 21_965, 22_948, 23_930, 24_912]);
    assert_eq!((stats.offered, stats.delivered, stats.delivered_bytes), (5, 5, 6_000));
}

#[test]
fn an_ideal_link_delivers_at_once_and_in_order() {
    let (b, _) = run(Terminal::sends(100, 50, Duration::ZERO), LinkConfig::ideal());
    assert_eq!(b.numbers(), (0..100).collect::<Vec<_>>());
    assert_eq!(b.arrivals(), [0; 100]);
}

#[test]
fn a_full_queue_drops_new_datagrams() {
    // The rate is 100 bytes a millisecond. The queue holds three datagrams.
    let link = LinkConfig::ideal().with_overhead(0).with_rate(800_000).with_queue(300);
    let (b, stats) = run(Terminal::sends(5, 100, Duration::ZERO), link.clone());
    assert_eq!(b.numbers(), [0, 1, 2]);
    assert_eq!((stats.overflowed, stats.delivered), (2, 3));

    let (b, stats) = run(Terminal::sends(5, 100, us(500)), link.clone());
    assert_eq!(b.numbers(), [0, 1, 2, 3, 4], "the line sends while the queue fills");
    assert_eq!(stats.overflowed, 0);

    let (b, _) = run(Terminal::sends(1, 1_000, Duration::ZERO), link);
    assert_eq!(b.numbers(), [0], "an idle line takes a datagram of any size");
}

#[test]
fn loss_has_the_configured_share() {
    let (b, stats) = run(Terminal::sends(10_000, 100, us(100)), LinkConfig::ideal().with_loss(0.3));
    assert!((2_800..3_200).contains(&stats.lost), "{stats:?}");
    assert_eq!(stats.lost + stats.delivered, 10_000);
    assert!(b.numbers().is_sorted());
}

#[test]
fn duplicates_arrive_twice() {
    let (b, stats) = thousand(LinkConfig::ideal().with_duplication(0.1));
    assert!((70..130).contains(&stats.duplicated), "{stats:?}");
    assert_eq!(stats.delivered, 1_000 + stats.duplicated);
    let mut numbers = b.numbers();
    numbers.dedup();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn reordering_changes_the_order_and_loses_nothing() {
    let (b, stats) = thousand(LinkConfig::ideal().with_reordering(0.1, Duration::from_millis(2)));
    assert!((70..130).contains(&stats.reordered), "{stats:?}");
    let mut numbers = b.numbers();
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn jitter_delays_datagrams_within_its_bounds() {
    let link = LinkConfig::ideal().with_delay(Duration::from_millis(5)).with_jitter(Duration::from_millis(1));
    let (b, _) = run(Terminal::sends(1_000, 100, Duration::from_millis(2)), link);
    let late: Vec<u64> = b.arrivals().iter().zip(0..).map(|(at, number)| at - 2_000 * number - 5_000).collect();
    assert!(late.iter().all(|&late| late <= 1_000));
    assert!(late.iter().any(|&late| late < 50) && late.iter().any(|&late| late > 950));
}

#[test]
fn corruption_changes_a_few_bytes() {
    let (b, stats) = thousand(LinkConfig::ideal().with_corruption(0.1));
    assert!((70..130).contains(&stats.corrupted), "{stats:?}");
    let clean = Terminal::sends(1_000, 100, us(100)).outbox;
    let pairs = clean.iter().rev().zip(&b.inbox);
    let damage: Vec<usize> = pairs
        .map(|((.., sent), (.., got))| sent.iter().zip(got).filter(|(sent, got)| sent != got).count())
        .filter(|&bytes| bytes > 0)
        .collect();
    assert_eq!(damage.len(), usize::try_from(stats.corrupted).unwrap());
    assert!(damage.iter().all(|&bytes| bytes <= 4));
}

#[test]
fn truncation_shortens_datagrams() {
    let (b, stats) = thousand(LinkConfig::ideal().with_truncation(0.1));
    assert!((70..130).contains(&stats.truncated), "{stats:?}");
    let short = b.inbox.iter().filter(|(.., bytes)| bytes.len() < 100).count();
    assert_eq!(short, usize::try_from(stats.truncated).unwrap());
}

#[test]
fn nothing_passes_in_a_blackout() {
    let ms = Instant::from_millis;
    let (b, stats) = thousand(LinkConfig::ideal().with_blackout(ms(10), ms(20)));
    assert_eq!(stats.blacked_out, 100);
    assert_eq!(b.numbers(), (0..100).chain(200..1_000).collect::<Vec<_>>());

    let (_, stats) = thousand(LinkConfig::ideal().with_outage(ms(10), us(1_000), us(20_000)));
    assert_eq!(stats.blacked_out, 50);
}

#[test]
fn nothing_above_the_mtu_passes() {
    let (b, stats) = run(Terminal::sends(3, 101, Duration::ZERO), LinkConfig::ideal().with_mtu(100));
    assert_eq!((b.inbox.len(), stats.oversized), (0, 3));
}

#[test]
fn one_buffer_may_hold_several_datagrams() {
    let mut sender = Terminal::default();
    sender.outbox.push((Instant::ZERO, Outgoing::new(B, 250).with_segment_size(100), vec![7; 250]));
    let (b, stats) = run(sender, LinkConfig::ideal());
    assert_eq!(stats.offered, 3);
    assert_eq!(b.inbox.iter().map(|(.., bytes)| bytes.len()).collect::<Vec<_>>(), [100, 100, 50]);
}

#[test]
fn ports_and_forged_sources_pass_unchanged() {
    let (forged, port) = (SimAddress::new(77, 5), B.node.port(80));
    let mut sender = Terminal::default();
    sender.outbox.push((Instant::ZERO, Outgoing::new(port, 1).with_source(forged), vec![1]));
    sender.outbox.push((Instant::ZERO, Outgoing::new(forged, 1), vec![2]));
    let (mut sim, _) = simulation(1, sender, LinkConfig::ideal());
    sim.capture();
    while sim.step() {}
    assert_eq!(sim.node(B.node).inbox, [(Instant::ZERO, forged, port, vec![1])]);
    let fates: Vec<Fate> = sim.trace().unwrap().iter().map(|record| record.fate).collect();
    assert_eq!(fates, [Fate::Unroutable, Fate::Delivered]);
}

#[test]
fn routes_may_share_a_bottleneck() {
    let mut sim = Simulation::new(1);
    let a = sim.add(Terminal::sends(1, 1_000, Duration::ZERO));
    let b = sim.add(Terminal::default());
    let c = sim.add(Terminal::sends(1, 1_000, Duration::ZERO));
    let uplink = sim.add_link(LinkConfig::ideal().with_overhead(0).with_rate(8_000_000));
    sim.route(a, b, uplink);
    sim.route(c, b, uplink);
    while sim.step() {}
    assert_eq!(sim.node(b).arrivals(), [1_000, 2_000]);
}

#[test]
fn two_directions_may_share_a_line() {
    let link = LinkConfig::ideal().with_rate(8_000).with_overhead(0);
    // 100 bytes take 100 ms. B answers on the same line in the order of sending.
    let terminal = || Terminal::sends(2, 100, us(0));
    for (half_duplex, a_has) in [(false, [100_000, 200_000]), (true, [300_000, 400_000])] {
        let mut sim = Simulation::new(1);
        let mut answers = terminal();
        answers.outbox.iter_mut().for_each(|(_, out, _)| out.to = A);
        let (a, b) = (sim.add(terminal()), sim.add(answers));
        let (there, back) = sim.connect(a, b, link.clone());
        if half_duplex {
            sim.share_line(there, back);
        }
        sim.run_until(Instant::from_millis(1_000));
        assert_eq!(sim.node(b).arrivals(), [100_000, 200_000]);
        assert_eq!(sim.node(a).arrivals(), a_has);
    }
}

#[test]
fn a_rate_step_applies_to_the_queue() {
    let link = LinkConfig::ideal().with_rate(800_000).with_overhead(0);
    let link = link.with_rate_step(Instant::from_millis(2), 80_000).with_rate_step(Instant::from_millis(4), 800_000);
    // 100 bytes take 1 ms, then 10 ms, then 1 ms again.
    let (receiver, _) = run(Terminal::sends(5, 100, us(0)), link);
    assert_eq!(receiver.arrivals(), [1_000, 2_000, 4_800, 5_800, 6_800]);
}

#[test]
fn a_filter_decides_what_happens_to_a_datagram() {
    let (mut sim, there) = simulation(1, Terminal::sends(6, 4, us(100)), LinkConfig::ideal());
    sim.drop_next(there, |record| record.data[3] >= 2);
    sim.drop_next(there, |record| record.data == [0, 0, 0, 4]);
    sim.filter(there, |record| if record.data[3] == 0 { Fate::Delayed(us(150)) } else { record.fate });
    sim.capture();
    while sim.step() {}
    assert_eq!(sim.node(B.node).numbers(), [1, 0, 3, 5]);
    let trace: Vec<String> = sim.trace().unwrap().iter().map(|record| format!("{record:?}")).collect();
    assert_eq!(trace[0], "0.000000s 0:0 > 1:0 Delayed(0.000150s) 4 bytes: 00000000");
    assert_eq!(trace[2], "0.000200s 0:0 > 1:0 Lost 4 bytes: 00000002");
    assert_eq!(sim.stats(there).lost, 2);
}

#[test]
fn a_link_may_change_during_a_run() {
    let (mut sim, there) = simulation(1, Terminal::sends(4, 4, us(100)), LinkConfig::ideal());
    sim.run_until(Instant::ZERO + us(150));
    assert_eq!(sim.now(), Instant::ZERO + us(150));
    sim.reconfigure(there, LinkConfig::ideal().with_loss(1.0));
    sim.run_for(us(100));
    sim.reconfigure(there, LinkConfig::ideal());
    while sim.step() {}
    assert_eq!(sim.node(B.node).numbers(), [0, 1, 3]);
}

#[test]
fn a_change_by_the_test_wakes_the_node() {
    let (mut sim, _) = simulation(1, Terminal::default(), LinkConfig::ideal());
    sim.run_until(Instant::from_millis(3));
    assert!(sim.is_done());
    sim.node_mut(A.node).outbox.push((Instant::ZERO, Outgoing::new(B, 4), vec![0; 4]));
    assert!(!sim.is_done());
    while sim.step() {}
    assert_eq!(sim.node(B.node).arrivals(), [3_000]);
}

#[test]
fn a_seed_determines_the_run() {
    let run = |seed| {
        let link = LinkConfig::bad(0.2).with_corruption(0.05).with_truncation(0.05);
        let (mut sim, _) = simulation(seed, Terminal::sends(1_000, 100, us(100)), link);
        while sim.step() {}
        sim.fingerprint()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
