//! Paths that become slower than the retransmission timeout, in a simulated network.
//!
//! The round trip rises from 20 to 300 ms while one message follows each 200 ms, and from 1 to 100 ms during bulk data.

use crate::pair::{self, Application, CLIENT, End, MakeStorage};
use rdt_proto::congestion::{Algorithm, BandwidthDelay, Controller, FixedWindow};
use rdt_proto::connection::{Config, Connection, ConnectionTypes, HeapStopAndWait, HeapStorage, Mode};
use rdt_proto::sim::{LinkConfig, LinkId, Simulation};
use rdt_proto::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(200);

/// One message after each interval.
struct Messages {
    /// When to write the next message, and how many are left.
    next: Instant,
    left: u32,
    /// Whether each message fills the send store, and the interval is 1 ms.
    is_bulk: bool,
    /// The times of all repeats.
    repeats: Vec<Instant>,
}

impl<S: ConnectionTypes> Application<S> for Messages {
    fn turn(&mut self, now: Instant, connection: &mut Connection<S>) -> bool {
        // A turn follows at the time of each transmission.
        self.repeats.resize(connection.stats().infos_repeated as usize, now);
        while !connection.recv_chunk().is_empty() {
            connection.consume(connection.recv_chunk().len());
        }
        if self.left == 0 || self.next > now {
            return false;
        }
        let interval = if self.is_bulk { Duration::from_millis(1) } else { INTERVAL };
        (self.next, self.left) = (self.next + interval, self.left - 1);
        if self.is_bulk {
            while connection.send(&[7; 60_000]).is_ok_and(|count| count > 0) {}
        } else {
            connection.send_segment(b"a message").unwrap();
        }
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }

    fn is_done(&self, _connection: Option<&Connection<S>>) -> bool {
        self.left == 0
    }
}

/// A client that sends `count` messages, a server, and the link from the client to the server.
fn messages<S: ConnectionTypes>(
    config: Config,
    make: MakeStorage<S>,
    count: u32,
    is_bulk: bool,
    link: LinkConfig,
) -> (Simulation<End<S, Messages>>, LinkId) {
    let messages = |left| Messages { next: Instant::from_millis(500), left, is_bulk, repeats: Vec::new() };
    let client = End::client(config, [1; 32], make(&config), messages(count));
    let server = End::server(config, [2; 32], make(&config), messages(0));
    let (sim, [there, _back]) = pair::connect(1, [client, server], [link.clone(), link]);
    (sim, there)
}

/// Asserts that the step costs at most `1 + log2(300 ms / RTO)` repeats, and none later than two round trips after the
/// first answer.
#[track_caller]
fn few_copies_follow_a_step<S: ConnectionTypes>(mode: Mode, make: MakeStorage<S>) {
    let config = Config { mode, idle_limit: Duration::from_secs(30), ..Config::default() };
    let delay = |millis| LinkConfig::ideal().with_delay(Duration::from_millis(millis));
    let (mut sim, there) = messages(config, make, 100, false, delay(10));
    let step = Instant::from_millis(5_650);
    sim.run_until(step);
    assert_eq!(sim.node(CLIENT).application.repeats, [], "no repeat on the steady path");
    let rto = sim.node(CLIENT).connection.as_ref().unwrap().rtt().rto();
    assert!(rto <= Duration::from_millis(30), "{rto}");
    sim.reconfigure(there, delay(290));
    sim.run_until(step + Duration::from_secs(14));
    let repeats = &sim.node(CLIENT).application.repeats;
    let most = 1 + (300_000 / rto.as_micros()).ilog2() as usize + 1;
    assert!(repeats.len() <= most, "{} copies, at most {most}: {repeats:?}", repeats.len());
    let answered = step + INTERVAL + Duration::from_millis(300);
    let last = repeats.last().copied().unwrap_or(step);
    assert!(last <= answered + Duration::from_millis(600), "{repeats:?}");
}

fn selective_repeat(config: &Config) -> HeapStorage<BandwidthDelay> {
    HeapStorage::on_heap(config, 64).unwrap()
}

fn stop_and_wait(config: &Config) -> HeapStopAndWait {
    HeapStopAndWait::stop_and_wait(config, vec![0; config.send_bytes(128)], vec![0; config.recv_bytes(16)]).unwrap()
}

#[test]
fn few_copies_with_selective_repeat_in_extended_mode() {
    few_copies_follow_a_step(Mode::Extended, selective_repeat);
}

#[test]
fn few_copies_with_selective_repeat_in_base_mode() {
    few_copies_follow_a_step(Mode::Base, selective_repeat);
}

#[test]
fn few_copies_with_stop_and_wait_in_extended_mode() {
    few_copies_follow_a_step(Mode::Extended, stop_and_wait);
}

#[test]
fn few_copies_with_stop_and_wait_in_base_mode() {
    few_copies_follow_a_step(Mode::Base, stop_and_wait);
}

/// Storage with a controller.
fn controlled<const WHICH: u8>(config: &Config) -> HeapStorage<Controller> {
    let controller = |datagram: u32| match WHICH {
        0 => FixedWindow::new(30_000).into(),
        1 => Algorithm::NewReno.controller(datagram),
        _ => Algorithm::Cubic.controller(datagram),
    };
    HeapStorage::on_heap_with(config, 2_048, controller).unwrap()
}

/// Sends bulk data over 20 Mbit/s while the round trip rises from 1 to 100 ms.
///
/// Returns the bytes acknowledged in each of the five seconds after that, and the number of repeats.
fn bulk_after_a_step(mode: Mode, make: MakeStorage<HeapStorage<Controller>>) -> (Vec<u64>, u32) {
    let config = Config { mode, ..Config::default() };
    let link =
        |micros| LinkConfig::ideal().with_delay(Duration::from_micros(micros)).with_rate(20_000_000).with_queue(40_000);
    let (mut sim, there) = messages(config, make, 60_000, true, link(500));
    sim.run_until(Instant::from_millis(5_000));
    sim.reconfigure(there, link(99_500));
    let mut delivered = Vec::new();
    for _ in 0..5 {
        let before = sim.node(CLIENT).connection.as_ref().unwrap().path().delivered;
        sim.run_for(Duration::from_secs(1));
        delivered.push(sim.node(CLIENT).connection.as_ref().unwrap().path().delivered - before);
    }
    (delivered, sim.node(CLIENT).connection.as_ref().unwrap().stats().infos_repeated)
}

/// A window of 30 KB moves 300 KB in a second of such round trips.
#[test]
fn bulk_data_recovers_within_a_second_of_a_step() {
    for mode in [Mode::Extended, Mode::Base] {
        for make in [controlled::<0> as MakeStorage<_>, controlled::<1>, controlled::<2>] {
            let (delivered, repeats) = bulk_after_a_step(mode, make);
            assert!(delivered[0] > 200_000 && delivered[1..].iter().all(|&bytes| bytes > 280_000), "{delivered:?}");
            // In base mode a probe repeats the oldest number, whose ACK then gives no sample.
            let most = if mode == Mode::Base { 130 } else { 100 };
            assert!(repeats < most, "{repeats} repeats");
        }
    }
}

/// One message is held for 5 s, then the path is as before. A loss soon after must not wait for 7.5 s.
#[test]
fn one_late_answer_does_not_keep_the_timeout_high() {
    let delay = |millis| LinkConfig::ideal().with_delay(Duration::from_millis(millis));
    let (mut sim, there) = messages(Config::default(), stop_and_wait, 100, false, delay(10));
    sim.run_until(Instant::from_millis(5_650));
    sim.reconfigure(there, delay(5_000));
    sim.run_for(Duration::from_millis(60));
    sim.reconfigure(there, delay(10));
    // Some ten answers after 20 ms each.
    sim.run_until(Instant::from_millis(5_700 + 5_010 + 250));
    let rto = sim.node(CLIENT).connection.as_ref().unwrap().rtt().rto();
    assert!(rto <= Duration::from_secs(1), "{rto}");
}
