//! Two ends of rdt-proto with any stores, mechanism and settings.

use rdt_proto::Instant;
use rdt_proto::connection::{Config, Connection, ConnectionTypes, Entropy, HandshakeParameters};
use rdt_proto::wire::{Framing, Packet, Tag};

use crate::stack::{Endpoint, MICRO, Nanos, Output, Take};

/// The number of bytes before a body in extended mode.
pub fn extended_header_len() -> usize {
    Framing::tagged(Tag::new([0; Tag::LEN])).info_header_len()
}

/// A client, and a server that accepts its CONNECT.
pub fn ends<T: ConnectionTypes + 'static>(config: Config, storage: impl Fn() -> T) -> [Box<dyn Endpoint>; 2] {
    let client = Connection::connect(Instant::ZERO, config, [1; Entropy::BYTES], storage());
    let client = Box::new(client.expect("the storage fits the config"));
    [Box::new(End { config, state: State::Open(client) }), Box::new(End { config, state: State::Waiting(storage()) })]
}

/// The maximum number of datagrams in one call of `poll_transmit_batch`.
const BATCH: usize = 32;

/// The maximum number of bytes in a batch. A system call with segmentation offload (GSO) takes no more.
const GSO_BYTES: usize = 65_507;

enum State<T: ConnectionTypes> {
    /// A server without a peer.
    Waiting(T),
    Open(Box<Connection<T>>),
    /// A temporary value while `Waiting` becomes `Open`.
    Changing,
}

struct End<T: ConnectionTypes> {
    config: Config,
    state: State<T>,
}

fn at(now: Nanos) -> Instant {
    Instant::from_micros(now / MICRO)
}

impl<T: ConnectionTypes> End<T> {
    fn machine(&mut self) -> Option<&mut Connection<T>> {
        match &mut self.state {
            State::Waiting(_) | State::Changing => None,
            State::Open(machine) => Some(machine),
        }
    }

    /// Makes a connection for a CONNECT, as a listener does.
    fn accept(&mut self, now: Nanos, datagram: &[u8]) {
        let Ok(Packet::Connect(options)) = self.config.framing.decode(datagram) else { return };
        let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
        self.state = match std::mem::replace(&mut self.state, State::Changing) {
            State::Waiting(storage) => {
                let machine = Connection::accept(at(now), self.config, [2; Entropy::BYTES], parameters, storage);
                State::Open(Box::new(machine.expect("the storage fits the config")))
            }
            other => other,
        };
    }
}

impl<T: ConnectionTypes> Endpoint for End<T> {
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
        match self.machine() {
            Some(machine) => {
                machine.handle_datagram_into(at(now), datagram, take);
            }
            None => self.accept(now, datagram),
        }
    }

    fn service(&mut self, _: Nanos) {
        if let Some(machine) = self.machine() {
            while machine.poll_event().is_some() {}
        }
    }

    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        let datagram = self.config.max_datagram_len();
        let room = (datagram * BATCH).clamp(datagram, GSO_BYTES.max(datagram));
        let machine = self.machine()?;
        // Old content is not zeroed, because zeroing is not a cost of the stack.
        out.resize(room, 0);
        let transmit = machine.poll_transmit_batch(at(now), BATCH, out).expect("the buffer fits a datagram")?;
        Some(Output { len: transmit.len, segment: transmit.segment_size })
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
