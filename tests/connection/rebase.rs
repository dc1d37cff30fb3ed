//! A connection that is rebased to another clock behaves as one that keeps its clock.

use harness::base;
use oorandom::Rand32;
use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno};
use rdt_proto::connection::{Config, Connection, HandshakeParameters, HeapStorage, Mode, Stats, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A connection with either mechanism and any controller.
type Machine = Connection<Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, AnyArq<Vec<Block>, Controller>>>;

/// The earliest time, in microseconds. It is later than the longest limit.
const LEAST_NOW: u64 = 10_800_000_000;

/// One side: a connection that keeps its clock, and a copy that is rebased.
struct Side {
    plain: Machine,
    moved: Machine,
    /// The time on the clocks of `plain` and of `moved`.
    now: [Instant; 2],
}

impl Side {
    fn new(machine: Machine) -> Self {
        let now = Instant::from_micros(LEAST_NOW);
        Self { plain: machine.clone(), moved: machine, now: [now; 2] }
    }

    fn rebase(&mut self, micros: u64) {
        let to = Instant::from_micros(micros);
        self.moved.rebase(self.now[1], to);
        self.now[1] = to;
    }

    fn elapse(&mut self, span: Duration) {
        self.now = self.now.map(|now| now + span);
    }

    /// Makes the same call on both connections, and asserts equal results.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut call: impl FnMut(&mut Machine, Instant) -> T) -> T {
        let [plain, moved] = [call(&mut self.plain, self.now[0]), call(&mut self.moved, self.now[1])];
        assert_eq!(plain, moved);
        plain
    }

    fn transmit(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        loop {
            let next = self.both(|machine, now| {
                let mut buf = [0; 200];
                machine.poll_transmit(now, &mut buf).unwrap().map(|sent| buf[..sent.len].to_vec())
            });
            match next {
                Some(datagram) => datagrams.push(datagram),
                None => return datagrams,
            }
        }
    }

    /// The time until the next deadline. It is zero if the deadline has passed.
    fn until_due(&mut self) -> Option<Duration> {
        self.both(|machine, now| machine.poll_timeout().map(|at| at.saturating_since(now)))
    }

    /// Rebases a copy of each connection to the same time, and asserts that the copies are equal.
    fn compare(&self) {
        let [mut plain, mut moved] = [self.plain.clone(), self.moved.clone()];
        let now = Instant::from_micros(2 * LEAST_NOW);
        plain.rebase(self.now[0], now);
        moved.rebase(self.now[1], now);
        if plain != moved {
            // The message leaves out zero bytes of the slots, which would fill many lines.
            let [plain, moved] = [plain, moved].map(|machine| {
                let text = format!("{machine:#?}");
                text.lines().filter(|line| !line.trim().starts_with("0,")).collect::<Vec<_>>().join("\n")
            });
            let differ = plain.lines().zip(moved.lines()).filter(|(plain, moved)| plain != moved);
            panic!("{:#?}", differ.collect::<Vec<_>>());
        }
        assert_eq!(hash(&plain), hash(&moved));
    }
}

fn hash(machine: &Machine) -> u64 {
    let mut hasher = DefaultHasher::new();
    machine.hash(&mut hasher);
    hasher.finish()
}

/// A client and a server that have just opened, with the mechanism and the controller of this index.
fn sides(index: u64, mode: Mode) -> [Side; 2] {
    let keep_alive = if index.is_multiple_of(4) { Duration::from_secs(3) } else { Duration::MAX };
    let config = Config { mode, keep_alive, segment: 64, recv_segment: 64, ..Config::default() };
    let controller = |datagram| match index % 6 {
        1 => FixedWindow::new(1_500).into(),
        2 => FixedWindow::new(1_500).paced(20_000).into(),
        3 => NewReno::new(datagram).into(),
        4 => Cubic::new(datagram).into(),
        _ => BandwidthDelay::new(datagram).into(),
    };
    let storage = || match index % 6 {
        0 => base::storage(&config, 24).unwrap().map_arq(AnyArq::StopAndWait),
        _ => HeapStorage::on_heap_with(&config, 24, controller).unwrap().map_arq(AnyArq::SelectiveRepeat),
    };
    let now = Instant::from_micros(LEAST_NOW);
    let mut client = Side::new(Connection::connect(now, config, [3; 32], storage()).unwrap());
    let connect = client.transmit();
    let Ok(Packet::Connect(options)) = Framing::NOTE.decode(&connect[0]) else { panic!("no CONNECT") };
    let parameters = HandshakeParameters::from_options(&options).with_datagram_len(connect[0].len());
    [client, Side::new(Connection::accept(now, config, [5; 32], parameters, storage()).unwrap())]
}

/// Runs random calls on both sides over a network that loses, delays and reorders, and rebases the copies.
///
/// Returns the statistics of the client.
fn run(seed: u64, mode: Mode) -> Stats {
    println!("seed {seed}, {mode:?}");
    let mut sides = sides(seed, mode);
    let mut random = Rand32::new(seed);
    let mut network: Vec<(usize, Vec<u8>)> = Vec::new();
    for step in 0..3_000 {
        let index = random.rand_range(0..2) as usize;
        let side = &mut sides[index];
        match random.rand_range(0..100) {
            0..30 => {
                for datagram in side.transmit() {
                    if random.rand_range(0..10) > 0 {
                        network.push((1 - index, datagram));
                    }
                }
            }
            30..55 if !network.is_empty() => {
                // Seven of eight datagrams arrive in order.
                let most = if random.rand_range(0..8) == 0 { network.len() } else { 1 };
                let (to, datagram) = network.remove(random.rand_range(0..u32::try_from(most).unwrap()) as usize);
                let _ = sides[to].both(|machine, now| machine.handle_datagram(now, &datagram));
            }
            55..70 => {
                let micros = random.rand_range(1..20_000).into();
                sides.iter_mut().for_each(|side| side.elapse(Duration::from_micros(micros)));
            }
            70..74 => {
                // Advance to the next deadline. Before step 2,000 only within 2 s, since a limit would end the run.
                let longest = if step < 2_000 { Duration::from_secs(2) } else { Duration::MAX };
                let span = sides.iter_mut().filter_map(Side::until_due).min();
                if let Some(span) = span.filter(|&span| span <= longest) {
                    sides.iter_mut().for_each(|side| side.elapse(span));
                }
            }
            74..82 => side.both(Machine::handle_timeout),
            82..89 => {
                let data = [7; 150];
                let len = random.rand_range(1..150) as usize;
                let _ = side.both(|machine, _| machine.send(&data[..len]));
            }
            89..95 => {
                let room = random.rand_range(1..400) as usize;
                side.both(|machine, _| {
                    let mut buf = [0; 400];
                    let len = machine.recv(&mut buf[..room]);
                    buf[..len].to_vec()
                });
            }
            95 if step > 2_500 => side.both(|machine, _| machine.close()),
            _ => side.rebase(LEAST_NOW + u64::from(random.rand_u32()) * 1_000),
        }
        let side = &mut sides[index];
        side.until_due();
        side.both(|machine, _| (machine.poll_event(), machine.ended(), machine.is_drained()));
        let now = side.now;
        let left = [&side.plain, &side.moved].map(Machine::quarantine_end);
        assert_eq!(left[0].map(|at| at.saturating_since(now[0])), left[1].map(|at| at.saturating_since(now[1])));
        if step % 8 == 0 {
            side.compare();
        }
    }
    sides[0].plain.stats().clone()
}

#[test]
fn rebasing_does_not_change_behaviour() {
    let (mut infos, mut repeated, mut timeouts) = (0, 0, 0);
    for seed in 0..24 {
        for mode in [Mode::Base, Mode::Extended] {
            let stats = run(seed, mode);
            infos += stats.infos_sent;
            repeated += stats.infos_repeated;
            timeouts += stats.timeouts;
        }
    }
    assert!(infos > 4_000 && repeated > 400 && timeouts > 200, "{infos} {repeated} {timeouts}");
}

#[test]
fn statistics_are_no_part_of_equality_and_hash() {
    let [client, _] = sides(0, Mode::Base);
    let mut counted = client.plain.clone();
    assert!(counted.take_stats() != Stats::default());
    assert_eq!((&counted, hash(&counted)), (&client.plain, hash(&client.plain)));
}
