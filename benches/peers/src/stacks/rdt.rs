//! rdt-proto: two connections in extended mode with selective repeat.

use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, Fixed, NewReno, Pacer};
use rdt_proto::connection::{Config, Connection, ENTROPY_BYTES, Hello, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{Duration, Instant};

use crate::stack::{Control, Endpoint, MICRO, Nanos, Output, Settings, Stack, Take};

/// Which congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Default,
    Cubic,
    NewReno,
    /// The window of the setting, in flight and in the stores: for `memory`.
    Fixed,
}

pub struct Rdt(pub Kind);

type Machine = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, SelectiveRepeat<Vec<Block>, Controller>>;
type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, SelectiveRepeat<Vec<Block>, Controller>>;

/// The resolution of the clock that a real driver would wait with: an `epoll` wait is 1 ms.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Datagrams in one `poll_transmit_batch`.
const BATCH: usize = 8;

enum State {
    /// A server without a peer, and what it will be made with.
    Waiting(Config, Option<Box<Stores>>),
    Open(Box<Machine>),
}

struct End {
    state: State,
    datagram: usize,
}

/// What stands before a body in extended mode.
fn header_len() -> usize {
    Framing::tagged(Tag::new([0; Tag::LEN])).info_header_len()
}

impl Rdt {
    fn controller(&self, datagram: u32, window: u64) -> Controller {
        match self.0 {
            Kind::Default => Controller::from(BandwidthDelay::new(datagram)),
            Kind::Cubic => Controller::from(Cubic::new(datagram)),
            Kind::NewReno => Controller::from(NewReno::new(datagram)),
            Kind::Fixed => Controller::from(Fixed::new(window)),
        }
    }

    fn stores(&self, s: &Settings) -> Option<Stores> {
        let datagram = u32::try_from(s.datagram).ok()?;
        let segment = u16::try_from(s.datagram - header_len()).ok()?;
        let slots = s.window.div_ceil(segment.into());
        let blocks = vec![Block::EMPTY; slots.div_ceil(64).next_power_of_two()];
        let congestion = self.controller(datagram, s.window as u64);
        Some(Storage {
            send: SendSlots::with_slots(slots, segment).ok()?,
            recv: RecvSlots::with_slots(slots, segment).ok()?,
            arq: SelectiveRepeat::new(blocks, congestion, Pacer::new(GRANULARITY, datagram))?,
        })
    }
}

impl Stack for Rdt {
    fn name(&self) -> &'static str {
        match self.0 {
            Kind::Default => "rdt",
            Kind::Cubic => "rdt cubic",
            Kind::NewReno => "rdt newreno",
            Kind::Fixed => "rdt fixed",
        }
    }

    fn options(&self, _: Control) -> String {
        let congestion = match self.0 {
            Kind::Default => "BandwidthDelay (default)",
            Kind::Cubic => "Cubic",
            Kind::NewReno => "NewReno",
            Kind::Fixed => "Fixed: no congestion control, the window in flight",
        };
        format!("extended mode, selective repeat, {congestion}, pacing granularity 1 ms, no idle limit, no checksum")
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn is_simulated(&self) -> bool {
        self.0 != Kind::Fixed
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let config = Config {
            segment: u16::try_from(s.datagram - header_len()).ok()?,
            handshake_limit: Duration::MAX,
            idle_limit: Duration::MAX,
            ..Config::default()
        };
        let client = Machine::connect(Instant::ZERO, config, [1; ENTROPY_BYTES], self.stores(s)?);
        let client = End { state: State::Open(Box::new(client)), datagram: s.datagram };
        let server = End { state: State::Waiting(config, Some(Box::new(self.stores(s)?))), datagram: s.datagram };
        Some((Box::new(client), Box::new(server)))
    }
}

fn at(now: Nanos) -> Instant {
    Instant::from_micros(now / MICRO)
}

impl End {
    fn machine(&mut self) -> Option<&mut Machine> {
        match &mut self.state {
            State::Waiting(..) => None,
            State::Open(machine) => Some(machine),
        }
    }

    /// What a listener does: a CONNECT makes a connection.
    fn accept(&mut self, now: Nanos, datagram: &[u8]) {
        let State::Waiting(config, stores) = &mut self.state else { return };
        let Ok(Packet::Connect(options)) = config.framing.decode(datagram) else { return };
        let Some(stores) = stores.take() else { return };
        let hello = Hello::from_options(&options);
        let machine = Machine::accept(at(now), *config, [2; ENTROPY_BYTES], hello, *stores);
        self.state = State::Open(Box::new(machine));
    }
}

impl Endpoint for End {
    fn ready(&mut self) -> bool {
        self.machine().is_some_and(|machine| machine.is_established())
    }

    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        self.machine().map_or(0, |machine| machine.send(data).unwrap_or(0))
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        self.machine().map_or(0, |machine| machine.recv(out))
    }

    fn input(&mut self, now: Nanos, datagram: &[u8], take: Take<'_>) {
        match &mut self.state {
            State::Waiting(..) => self.accept(now, datagram),
            State::Open(machine) => {
                let _ = machine.handle_datagram_into(at(now), datagram, take);
            }
        }
    }

    fn service(&mut self, _: Nanos) {
        if let Some(machine) = self.machine() {
            while machine.poll_event().is_some() {}
        }
    }

    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        let datagram = self.datagram;
        let machine = self.machine()?;
        // Old content stays where it is: zeroing a datagram is not the stack's cost.
        out.resize(datagram * BATCH, 0);
        let transmit = machine.poll_transmit_batch(at(now), BATCH, out).expect("room for a datagram");
        transmit.map(|transmit| Output { len: transmit.len, segment: transmit.segment_size })
    }

    fn deadline(&mut self, _: Nanos) -> Option<Nanos> {
        self.machine()?.poll_timeout().map(|at| at.as_micros().saturating_mul(MICRO))
    }

    fn tick(&mut self, now: Nanos) {
        if let Some(machine) = self.machine() {
            machine.handle_timeout(at(now));
        }
    }
}
