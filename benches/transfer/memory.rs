//! Two connections in one process that exchange datagrams directly.

use rdt_proto::congestion::FixedWindow;
use rdt_proto::connection::{
    Config, Connection, ConnectionTypes, Entropy, GrowingStorage, HandshakeParameters, HeapStopAndWait, HeapStorage,
};
use rdt_proto::store::StoreError;
use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{Duration, Instant};

/// The size of a datagram in bytes.
const DATAGRAM: usize = 1_200;
/// The number of datagrams in flight with selective repeat.
const WINDOW: u32 = 64;

/// Both ends. All transfers use them, so that the handshake is not measured.
pub(crate) struct Pair<T: ConnectionTypes> {
    client: Connection<T>,
    server: Connection<T>,
    now: Instant,
    datagram: Vec<u8>,
    data: Vec<u8>,
    read: Vec<u8>,
}

/// Two ends in extended mode, with 64 datagrams in flight.
pub(crate) fn selective_repeat() -> Pair<HeapStorage<FixedWindow>> {
    let config = config(Config::default(), Framing::tagged(Tag::new([0; Tag::LEN])));
    let controller = |datagram: u32| FixedWindow::new(u64::from(WINDOW * datagram));
    Pair::new(config, || HeapStorage::on_heap_with(&config, WINDOW, controller))
}

/// The same, with memory for bodies only while they are kept.
pub(crate) fn pooled() -> Pair<GrowingStorage<FixedWindow>> {
    let config = config(Config::default(), Framing::tagged(Tag::new([0; Tag::LEN])));
    let controller = |datagram: u32| FixedWindow::new(u64::from(WINDOW * datagram));
    Pair::new(config, || GrowingStorage::pooled_with(&config, WINDOW, controller))
}

/// Two ends in base mode. While one datagram is in flight, the application writes another.
pub(crate) fn stop_and_wait() -> Pair<HeapStopAndWait> {
    let config = config(Config::base(), Framing::NOTE);
    Pair::new(config, || HeapStopAndWait::stop_and_wait_on_heap(&config))
}

/// `config` with bodies that fill a datagram in this framing.
fn config(config: Config, framing: Framing) -> Config {
    let segment = u16::try_from(DATAGRAM - framing.info_header_len()).expect("a datagram is shorter than 64 KiB");
    let pacing_granularity = Duration::from_millis(1);
    Config { segment, recv_segment: segment, pacing_granularity, ..config }
}

impl<T: ConnectionTypes> Pair<T> {
    fn new(config: Config, storage: impl Fn() -> Result<T, StoreError>) -> Self {
        let now = Instant::ZERO;
        let mut datagram = vec![0; config.max_datagram_len()];
        let storage = || storage().expect("the config has at least one slot");
        let client = Connection::connect(now, config, [1; Entropy::BYTES], storage());
        let mut client = client.expect("the storage fits the config");
        let connect = client.poll_transmit(now, &mut datagram).ok().flatten().expect("a client sends CONNECT at once");
        let Ok(Packet::Connect(options)) = config.framing.decode(&datagram[..connect.len]) else {
            panic!("the first datagram must be CONNECT");
        };
        let parameters = HandshakeParameters::from_options(&options).with_datagram_len(connect.len);
        let server = Connection::accept(now, config, [2; Entropy::BYTES], parameters, storage());
        let server = server.expect("the storage fits the config");
        let data: Vec<u8> = (0..65_536_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut pair = Self { client, server, now, datagram, read: vec![0; data.len()], data };
        pair.check();
        pair
    }

    /// Transfers `bytes` bytes.
    pub(crate) fn transfer(&mut self, bytes: u64) {
        let (mut unsent, mut missing) = (bytes, bytes);
        while missing > 0 {
            unsent -= self.write(unsent);
            self.carry();
            let mut got = 0;
            while let read @ 1.. = self.server.recv(&mut self.read) {
                got += read as u64;
            }
            missing -= got;
            self.pass_time(got == 0);
        }
    }

    /// Checks that data arrives unchanged.
    fn check(&mut self) {
        let (mut unsent, mut arrived) = (self.data.len(), Vec::new());
        while arrived.len() < self.data.len() {
            let from = self.data.len() - unsent;
            unsent -= self.client.send(&self.data[from..]).expect("the connection is open");
            self.carry();
            let count = self.server.recv(&mut self.read);
            arrived.extend_from_slice(&self.read[..count]);
            self.pass_time(count == 0);
        }
        assert!(arrived == self.data, "data must arrive unchanged");
    }

    fn write(&mut self, unsent: u64) -> u64 {
        let mut written = 0;
        while written < unsent {
            let slot = self.client.send_slot().expect("the connection is open");
            let count = slot.len().min(usize::try_from(unsent - written).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            slot[..count].copy_from_slice(&self.data[..count]);
            self.client.commit(count).expect("the slot was lent");
            written += count as u64;
        }
        written
    }

    /// Exchanges datagrams until neither end has a datagram to send.
    fn carry(&mut self) {
        let Self { client, server, now, datagram, .. } = self;
        loop {
            let mut any = carry(*now, client, server, datagram);
            any |= carry(*now, server, client, datagram);
            if !any {
                return;
            }
        }
    }

    /// Advances the time by 10 µs. If no data has arrived, also advances it to the next deadline.
    fn pass_time(&mut self, stuck: bool) {
        self.now = self.now + Duration::from_micros(10);
        if stuck {
            let deadlines = [self.client.poll_timeout(), self.server.poll_timeout()];
            self.now = self.now.max(deadlines.into_iter().flatten().min().expect("a deadline is set"));
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
    }
}

/// Moves one datagram from one end to the other. Returns whether there was one.
fn carry<T: ConnectionTypes>(
    now: Instant,
    from: &mut Connection<T>,
    to: &mut Connection<T>,
    datagram: &mut [u8],
) -> bool {
    let transmit = from.poll_transmit(now, datagram).expect("the buffer is large enough");
    transmit.is_some_and(|transmit| {
        to.handle_datagram(now, &datagram[..transmit.len]);
        true
    })
}
