//! Two connections in one process that exchange datagrams directly.

use rdt_proto::congestion::FixedWindow;
use rdt_proto::connection::{
    Config, Connection, ConnectionTypes, Entropy, HandshakeParameters, HeapStopAndWait, HeapStorage,
};
use rdt_proto::store::StoreError;
use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{Duration, Instant};

/// The bytes of a datagram, and the datagrams in flight with selective repeat.
const DATAGRAM: usize = 1_200;
const WINDOW: u32 = 64;

/// Both ends. They are reused, so that the transfer of bytes is measured and not the handshake.
pub(crate) struct Pair<T: ConnectionTypes> {
    client: Connection<T>,
    server: Connection<T>,
    now: Instant,
    datagram: Vec<u8>,
    data: Vec<u8>,
    read: Vec<u8>,
}

/// Extended mode, 64 datagrams in flight.
pub(crate) fn selective_repeat() -> Pair<HeapStorage<FixedWindow>> {
    let config = config(Config::default(), Framing::tagged(Tag::new([0; Tag::LEN])));
    let controller = |datagram: u32| FixedWindow::new(u64::from(WINDOW * datagram));
    Pair::new(config, || HeapStorage::on_heap_with(&config, WINDOW, controller))
}

/// Base mode, one datagram in flight and one that the application writes meanwhile.
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
        let storage = || storage().expect("there is a slot");
        let client = Connection::connect(now, config, [1; Entropy::BYTES], storage());
        let mut client = client.expect("the storage was made for it");
        let call = client.poll_transmit(now, &mut datagram).ok().flatten().expect("a client sends CONNECT at once");
        let Ok(Packet::Connect(options)) = config.framing.decode(&datagram[..call.len]) else {
            panic!("the first datagram is CONNECT");
        };
        let parameters = HandshakeParameters::from_options(&options);
        let server = Connection::accept(now, config, [2; Entropy::BYTES], parameters, storage());
        let server = server.expect("the storage was made for it");
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

    /// Checks that the bytes that arrive are those that were sent.
    fn check(&mut self) {
        let (mut unsent, mut arrived) = (self.data.len(), Vec::new());
        while arrived.len() < self.data.len() {
            let from = self.data.len() - unsent;
            unsent -= self.client.send(&self.data[from..]).expect("it is open");
            self.carry();
            let count = self.server.recv(&mut self.read);
            arrived.extend_from_slice(&self.read[..count]);
            self.pass_time(count == 0);
        }
        assert!(arrived == self.data, "something else has arrived");
    }

    fn write(&mut self, unsent: u64) -> u64 {
        let mut written = 0;
        while written < unsent {
            let slot = self.client.send_slot().expect("it is open");
            let count = slot.len().min(usize::try_from(unsent - written).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            slot[..count].copy_from_slice(&self.data[..count]);
            self.client.commit(count).expect("it was lent");
            written += count as u64;
        }
        written
    }

    /// Exchanges datagrams until neither end has one.
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

    /// Moves the time to the next deadline where nothing moved.
    fn pass_time(&mut self, stuck: bool) {
        self.now = self.now + Duration::from_micros(10);
        if stuck {
            let deadlines = [self.client.poll_timeout(), self.server.poll_timeout()];
            self.now = self.now.max(deadlines.into_iter().flatten().min().expect("something will happen"));
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
    }
}

/// Carries one datagram, if there is one.
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
