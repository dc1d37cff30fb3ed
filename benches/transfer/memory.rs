//! Two connections in one process, each datagram handed from one to the other at once.

use super::Stream;
use rdt_proto::arq::{Arq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{FixedWindow, Pacer};
use rdt_proto::connection::{Config, ENTROPY_BYTES, Hello, Storage};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{Duration, Instant};

/// Bytes of a datagram, and how many of them are in flight with selective repeat.
const DATAGRAM: usize = 1_200;
const WINDOW: usize = 64;

/// Both ends. They stay, so that what is measured is the transfer of bytes and not the handshake.
pub(crate) struct Pair<A> {
    client: Stream<A>,
    server: Stream<A>,
    now: Instant,
    datagram: Vec<u8>,
    data: Vec<u8>,
    read: Vec<u8>,
}

type Selective = SelectiveRepeat<Vec<Block>, FixedWindow>;

/// Extended mode, 64 datagrams in flight.
pub(crate) fn selective_repeat() -> Pair<Selective> {
    let header = Framing::tagged(Tag::new([0; Tag::LEN])).info_header_len();
    let config = Config { segment: segment(header), ..Config::default() };
    Pair::new(config, || {
        let (blocks, pacer) = (vec![Block::EMPTY; WINDOW.div_ceil(64)], Pacer::new(Duration::from_millis(1), 1_200));
        let arq = SelectiveRepeat::new(blocks, FixedWindow::new((WINDOW * DATAGRAM) as u64), pacer);
        storage(WINDOW, config.segment, arq.expect("there is a block"))
    })
}

/// Base mode, one datagram in flight and one that the application writes meanwhile.
pub(crate) fn stop_and_wait() -> Pair<StopAndWait> {
    let config = Config { segment: segment(Framing::NOTE.info_header_len()), ..Config::base() };
    Pair::new(config, || storage(2, config.segment, StopAndWait::new()))
}

fn segment(header: usize) -> u16 {
    u16::try_from(DATAGRAM - header).expect("a datagram is shorter than 64 KiB")
}

fn storage<A>(slots: usize, segment: u16, arq: A) -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, A> {
    let send = SendSlots::with_slots(slots, segment).expect("there is a slot");
    let recv = RecvSlots::with_slots(slots, segment).expect("there is a slot");
    Storage { send, recv, arq }
}

impl<A: Arq> Pair<A> {
    fn new(config: Config, storage: impl Fn() -> Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, A>) -> Self {
        let now = Instant::ZERO;
        let mut datagram = vec![0; config.max_datagram_len()];
        let mut client = Stream::connect(now, config, [1; ENTROPY_BYTES], storage());
        let call = client.poll_transmit(now, &mut datagram).ok().flatten().expect("a client calls at once");
        let Ok(Packet::Connect(options)) = config.framing.decode(&datagram[..call.len]) else {
            panic!("the first datagram is CONNECT");
        };
        let hello = Hello::from_options(&options);
        let server = Stream::accept(now, config, [2; ENTROPY_BYTES], hello, storage());
        let data: Vec<u8> = (0..65_536_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut pair = Self { client, server, now, datagram, read: vec![0; data.len()], data };
        pair.check();
        pair
    }

    /// Moves so many bytes.
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

    /// The bytes that arrive are those that were sent.
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

    /// Datagrams cross until neither end has one, each answered at once.
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

    /// Where nothing moves, to the next deadline.
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

/// One datagram, if there is one.
fn carry<A: Arq>(now: Instant, from: &mut Stream<A>, to: &mut Stream<A>, datagram: &mut [u8]) -> bool {
    let transmit = from.poll_transmit(now, datagram).expect("the buffer is large enough");
    transmit.is_some_and(|transmit| {
        let _ = to.handle_datagram(now, &datagram[..transmit.len]);
        true
    })
}
