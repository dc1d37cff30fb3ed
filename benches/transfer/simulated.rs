//! Two connections over a simulated link.

use std::collections::BTreeMap;
use std::time;

use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::{Config, Connection, Entropy, HandshakeParameters, HeapStorage};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};

const BITS_PER_SECOND: u64 = 100_000_000;
const ONE_WAY: Duration = Duration::from_millis(50);
/// The bandwidth-delay product in bytes. The queue has this size too.
const PRODUCT: u32 = 1_250_000;
/// The size of a body in bytes. Datagrams have 1,400 bytes.
const SEGMENT: u16 = 1_385;
/// The number of slots. They hold eight times the product, because at 20 % loss a number may be lost several times in a
/// row.
const SLOTS: u32 = 8 * PRODUCT / SEGMENT as u32;

/// The loss rates in each direction, in %.
pub(crate) const LOSSES: [u32; 5] = [0, 1, 5, 10, 20];

/// Makes a controller for datagrams of the given size in bytes.
type MakeController = fn(u32) -> Controller;

/// The controllers that are compared.
pub(crate) const CONTROLLERS: [(&str, MakeController); 4] = [
    ("FixedWindow", |_| FixedWindow::new(PRODUCT.into()).into()),
    ("NewReno", |datagram| Algorithm::NewReno.controller(datagram)),
    ("Cubic", |datagram| Algorithm::Cubic.controller(datagram)),
    ("BandwidthDelay", |datagram| Algorithm::BandwidthDelay.controller(datagram)),
];

/// The duration of each transfer. A seed runs once, because it always gives the same duration.
pub(crate) struct Results {
    bytes: u64,
    seconds: BTreeMap<(&'static str, u32), BTreeMap<u64, time::Duration>>,
}

impl Results {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { bytes, seconds: BTreeMap::new() }
    }

    /// The virtual time of a transfer, from the end of the handshake to the last byte read.
    ///
    /// The handshake does not count, because it takes seconds if its packets are lost.
    pub(crate) fn transfer(
        &mut self,
        name: &'static str,
        controller: MakeController,
        percent: u32,
        seed: u64,
    ) -> time::Duration {
        let seeds = self.seconds.entry((name, percent)).or_default();
        *seeds.entry(seed).or_insert_with(|| transfer(controller, percent, self.bytes, seed))
    }

    /// Prints the goodput by loss and controller. Prints nothing with `--test`, which runs a shorter transfer.
    pub(crate) fn print(&self) {
        if self.seconds.is_empty() || std::env::args().any(|arg| arg == "--test") {
            return;
        }
        let link = "100 Mbit/s, 100 ms";
        println!("goodput of {} MiB over {link}, in Mbit/s: median (worst..best) of the seeds\n", self.bytes >> 20);
        print!("{:<6}", "loss");
        CONTROLLERS.iter().for_each(|(name, _)| print!("{name:<24}"));
        for percent in LOSSES {
            print!("\n{:<6}", format!("{percent} %"));
            for (name, _) in CONTROLLERS {
                let seeds = self.seconds.get(&(name, percent)).into_iter().flat_map(BTreeMap::values);
                let mut goodput: Vec<f64> = seeds.map(|time| self.bytes as f64 * 8e-6 / time.as_secs_f64()).collect();
                goodput.sort_by(f64::total_cmp);
                let cell = match goodput[..] {
                    [] => String::from("–"),
                    [worst, ..] => {
                        format!("{:.1} ({worst:.1}..{:.1})", goodput[goodput.len() / 2], goodput[goodput.len() - 1])
                    }
                };
                print!("{cell:<24}");
            }
        }
        println!("\n");
    }
}

fn transfer(controller: MakeController, percent: u32, bytes: u64, seed: u64) -> time::Duration {
    let mut sim = Simulation::new(seed);
    let (client, server) = (NodeId(0), NodeId(1));
    sim.add(End::client(server.port(0), controller, bytes));
    sim.add(End::server(client.port(0), controller, bytes));
    let link = LinkConfig::ideal().with_rate(BITS_PER_SECOND).with_delay(ONE_WAY).with_queue(PRODUCT as usize);
    sim.connect(client, server, link.with_loss(f64::from(percent) / 100.0));
    let end = sim.run_until_done(Duration::from_secs(100_000));
    end.saturating_since(sim.node(client).established.expect("a client whose data has arrived is established")).into()
}

/// One end. The client sends the data, and the server receives it.
struct End {
    peer: SimAddress,
    controller: MakeController,
    stream: Option<Connection<HeapStorage<Controller>>>,
    established: Option<Instant>,
    unsent: u64,
    missing: u64,
    read: Vec<u8>,
}

fn config() -> Config {
    let never = Duration::MAX;
    Config {
        segment: SEGMENT,
        recv_segment: SEGMENT,
        handshake_limit: never,
        idle_limit: never,
        pacing_granularity: Duration::from_millis(1),
        ..Config::default()
    }
}

impl End {
    fn client(peer: SimAddress, controller: MakeController, bytes: u64) -> Self {
        let stream = Connection::connect(Instant::ZERO, config(), [1; Entropy::BYTES], storage(controller));
        let stream = Some(stream.expect("the storage fits the config"));
        Self { peer, controller, stream, established: None, unsent: bytes, missing: 0, read: Vec::new() }
    }

    fn server(peer: SimAddress, controller: MakeController, bytes: u64) -> Self {
        Self { peer, controller, stream: None, established: None, unsent: 0, missing: bytes, read: vec![0; 65_536] }
    }
}

fn storage(controller: MakeController) -> HeapStorage<Controller> {
    HeapStorage::on_heap_with(&config(), SLOTS, controller)
        .expect("there is at least one slot, and the segments of the config are large enough")
}

impl Node for End {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.handle_datagram(now, datagram);
        } else if let Ok(Packet::Connect(options)) = config().framing.decode(datagram) {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            let storage = storage(self.controller);
            let stream = Connection::accept(now, config(), [2; Entropy::BYTES], parameters, storage);
            self.stream = Some(stream.expect("the storage fits the config"));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(stream) = &mut self.stream {
            stream.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.stream.as_mut()?.poll_transmit(now, buf).expect("the buffer is large enough")?;
        Some(Outgoing::new(self.peer, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.stream.as_ref()?.poll_timeout()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        if stream.is_established() {
            self.established.get_or_insert(now);
        }
        let before = (self.unsent, self.missing);
        while self.unsent > 0 {
            let slot = stream.send_slot().expect("the connection is open");
            let count = slot.len().min(usize::try_from(self.unsent).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            stream.commit(count).expect("the slot was lent");
            self.unsent -= count as u64;
        }
        while let read @ 1.. = stream.recv(&mut self.read) {
            self.missing -= read as u64;
        }
        before != (self.unsent, self.missing)
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }
}
