//! How many SACKs the way back carries, and what a narrow way back costs.

use rdt_proto::congestion::Controller;
use rdt_proto::connection::{Config, Connection, ConnectionTypes, HandshakeParameters, HeapStopAndWait, HeapStorage};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};

/// Makes storage.
pub(crate) type Make<S> = fn(&Config) -> S;

/// One side. The client always has data to send. The server reads all of it.
struct Side<S: ConnectionTypes> {
    peer: SimAddress,
    make: Make<S>,
    connection: Option<Connection<S>>,
    is_client: bool,
    received: u64,
}

/// Both sides, so that they may use different mechanisms.
enum End<C: ConnectionTypes, S: ConnectionTypes> {
    Client(Side<C>),
    Server(Side<S>),
}

impl<S: ConnectionTypes> Side<S> {
    fn client(make: Make<S>) -> Self {
        let config = Config::default();
        let connection = Connection::connect(Instant::ZERO, config, [1; 32], make(&config)).ok();
        Self { peer: SimAddress::new(1, 0), make, connection, is_client: true, received: 0 }
    }

    fn server(make: Make<S>) -> Self {
        Self { peer: SimAddress::new(0, 0), make, connection: None, is_client: false, received: 0 }
    }

    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let config = Config::default();
        if let Some(connection) = &mut self.connection {
            let received = &mut self.received;
            connection.handle_datagram_into(now, datagram, |bytes| {
                *received += bytes.len() as u64;
                bytes.len()
            });
            while !connection.recv_chunk().is_empty() {
                let len = connection.recv_chunk().len();
                self.received += len as u64;
                connection.consume(len);
            }
        } else if let Ok(Packet::Connect(options)) = config.framing.decode(datagram) {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            self.connection = Connection::accept(now, config, [2; 32], parameters, (self.make)(&config)).ok();
        }
    }

    fn poll_app(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        while connection.poll_event().is_some() {}
        self.is_client && connection.send(&[7; 60_000]).is_ok_and(|count| count > 0)
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.connection.as_mut()?.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(self.peer, transmit.len))
    }
}

macro_rules! either {
    ($end:expr, $side:ident => $call:expr) => {
        match $end {
            End::Client($side) => $call,
            End::Server($side) => $call,
        }
    };
}

impl<C: ConnectionTypes, S: ConnectionTypes> Node for End<C, S> {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        either!(self, side => side.handle_datagram(now, datagram));
    }

    fn handle_timeout(&mut self, now: Instant) {
        either!(self, side => side.connection.as_mut().map(|connection| connection.handle_timeout(now)));
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        either!(self, side => side.poll_transmit(now, buf))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        either!(self, side => side.connection.as_ref().and_then(Connection::poll_timeout))
    }

    fn poll_app(&mut self, _now: Instant) -> bool {
        either!(self, side => side.poll_app())
    }

    fn is_done(&self) -> bool {
        false
    }
}

pub(crate) fn wide(config: &Config) -> HeapStorage<Controller> {
    HeapStorage::on_heap_with(config, 4_096, Controller::new).unwrap()
}

fn small(config: &Config) -> HeapStopAndWait {
    HeapStopAndWait::stop_and_wait(config, vec![0; config.send_bytes(16)], vec![0; config.recv_bytes(16)]).unwrap()
}

/// The bytes that arrive within `millis`, and the datagrams that the server sends.
pub(crate) fn run<C, S>(seed: u64, client: Make<C>, server: Make<S>, links: [LinkConfig; 2], millis: u64) -> (u64, u64)
where
    C: ConnectionTypes,
    S: ConnectionTypes,
{
    let mut sim = Simulation::new(seed);
    sim.add(End::<C, S>::Client(Side::client(client)));
    let id = sim.add(End::Server(Side::server(server)));
    let [there, back] = links;
    sim.connect_with(NodeId(0), NodeId(1), there, back);
    sim.run_until(Instant::from_millis(millis));
    let End::Server(side) = sim.node(id) else { panic!("the second node is the server") };
    (side.received, side.connection.as_ref().unwrap().stats().datagrams_sent)
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
