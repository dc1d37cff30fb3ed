//! Paths that become slower than the retransmission timeout, in a simulated network.
//!
//! The round trip rises from 20 to 300 ms while one message follows each 200 ms, and from 1 to 100 ms during bulk data.

use rdt_proto::congestion::{Algorithm, BandwidthDelay, Controller, FixedWindow};
use rdt_proto::connection::{
    Config, Connection, ConnectionTypes, HandshakeParameters, HeapStopAndWait, HeapStorage, Mode,
};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(200);
const CLIENT: SimAddress = SimAddress::new(0, 0);
const SERVER: SimAddress = SimAddress::new(1, 0);

/// Makes storage of one mechanism.
type MakeStorage<S> = fn(&Config) -> S;

/// A connection. The client writes one message each 200 ms.
struct End<S: ConnectionTypes> {
    config: Config,
    make: MakeStorage<S>,
    connection: Option<Connection<S>>,
    /// When the client writes the next message, and how many are left.
    next: Instant,
    left: u32,
    /// Whether each message fills the send store, and the interval is 1 ms.
    is_bulk: bool,
    /// The times of all repeats.
    repeats: Vec<Instant>,
}

impl<S: ConnectionTypes> End<S> {
    fn new(config: Config, make: MakeStorage<S>, left: u32) -> Self {
        let connection =
            (left > 0).then(|| Connection::connect(Instant::ZERO, config, [1; 32], make(&config)).unwrap());
        Self { config, make, connection, next: Instant::from_millis(500), left, is_bulk: false, repeats: Vec::new() }
    }

    fn repeated(&self) -> u32 {
        self.connection.as_ref().map_or(0, |connection| connection.stats().infos_repeated)
    }
}

impl<S: ConnectionTypes> Node for End<S> {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        if let Some(connection) = &mut self.connection {
            connection.handle_datagram(now, datagram);
            while !connection.recv_chunk().is_empty() {
                connection.consume(connection.recv_chunk().len());
            }
        } else if let Ok(Packet::Connect(options)) = self.config.framing.decode(datagram) {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            let storage = (self.make)(&self.config);
            self.connection = Connection::accept(now, self.config, [2; 32], parameters, storage).ok();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let before = self.repeated();
        let transmit = self.connection.as_mut()?.poll_transmit(now, buf).unwrap()?;
        if self.repeated() > before {
            self.repeats.push(now);
        }
        let to = if self.left > 0 || self.next > Instant::from_millis(500) { SERVER } else { CLIENT };
        Some(Outgoing::new(to, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.connection.as_ref().and_then(Connection::poll_timeout);
        let next = (self.left > 0).then_some(self.next);
        due.into_iter().chain(next).min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        while connection.poll_event().is_some() {}
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

    fn is_done(&self) -> bool {
        self.left == 0
    }
}

/// Asserts that the step costs at most `1 + log2(300 ms / RTO)` repeats, and none later than two round trips after the
/// first answer.
#[track_caller]
fn few_copies_follow_a_step<S: ConnectionTypes>(mode: Mode, make: MakeStorage<S>) {
    let config = Config { mode, idle_limit: Duration::from_secs(30), ..Config::default() };
    let mut sim = Simulation::new(1);
    let client = sim.add(End::new(config, make, 100));
    sim.add(End::new(config, make, 0));
    let delay = |millis| LinkConfig::ideal().with_delay(Duration::from_millis(millis));
    let (there, _back) = sim.connect(NodeId(0), NodeId(1), delay(10));
    let step = Instant::from_millis(5_650);
    sim.run_until(step);
    let (rto, before) = {
        let end = sim.node_mut(client);
        (end.connection.as_ref().unwrap().rtt().rto(), end.repeats.len())
    };
    assert_eq!(before, 0, "no repeat on the steady path");
    assert!(rto <= Duration::from_millis(30), "{rto}");
    sim.reconfigure(there, delay(290));
    sim.run_until(step + Duration::from_secs(14));
    let end = sim.node_mut(client);
    let most = 1 + (300_000 / rto.as_micros()).ilog2() as usize + 1;
    assert!(end.repeats.len() <= most, "{} copies, at most {most}: {:?}", end.repeats.len(), end.repeats);
    let answered = step + INTERVAL + Duration::from_millis(300);
    let last = end.repeats.last().copied().unwrap_or(step);
    assert!(last <= answered + Duration::from_millis(600), "{:?}", end.repeats);
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
    let mut sim = Simulation::new(1);
    let mut end = End::new(config, make, 60_000);
    end.is_bulk = true;
    let client = sim.add(end);
    sim.add(End::new(config, make, 0));
    let link =
        |micros| LinkConfig::ideal().with_delay(Duration::from_micros(micros)).with_rate(20_000_000).with_queue(40_000);
    let (there, _back) = sim.connect(NodeId(0), NodeId(1), link(500));
    sim.run_until(Instant::from_millis(5_000));
    sim.reconfigure(there, link(99_500));
    let mut delivered = Vec::new();
    for _ in 0..5 {
        let before = sim.node(client).connection.as_ref().unwrap().path().delivered;
        sim.run_for(Duration::from_secs(1));
        delivered.push(sim.node(client).connection.as_ref().unwrap().path().delivered - before);
    }
    (delivered, sim.node(client).repeated())
}

/// A window of 30 KB moves 300 KB in a second of such round trips.
#[test]
fn bulk_data_recovers_within_a_second_of_a_step() {
    for mode in [Mode::Extended, Mode::Base] {
        for make in [controlled::<0> as MakeStorage<_>, controlled::<1>, controlled::<2>] {
            let (delivered, repeats) = bulk_after_a_step(mode, make);
            assert!(delivered[0] > 200_000 && delivered[1..].iter().all(|&bytes| bytes > 280_000), "{delivered:?}");
            assert!(repeats < 100, "{repeats} repeats");
        }
    }
}

/// One message is held for 5 s, then the path is as before. A loss soon after must not wait for 7.5 s.
#[test]
fn one_late_answer_does_not_keep_the_timeout_high() {
    let config = Config::default();
    let mut sim = Simulation::new(1);
    let client = sim.add(End::new(config, stop_and_wait, 100));
    sim.add(End::new(config, stop_and_wait, 0));
    let delay = |millis| LinkConfig::ideal().with_delay(Duration::from_millis(millis));
    let (there, _back) = sim.connect(NodeId(0), NodeId(1), delay(10));
    sim.run_until(Instant::from_millis(5_650));
    sim.reconfigure(there, delay(5_000));
    sim.run_for(Duration::from_millis(60));
    sim.reconfigure(there, delay(10));
    // Some ten answers after 20 ms each.
    sim.run_until(Instant::from_millis(5_700 + 5_010 + 250));
    let rto = sim.node(client).connection.as_ref().unwrap().rtt().rto();
    assert!(rto <= Duration::from_secs(1), "{rto}");
}
