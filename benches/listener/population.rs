//! A listener with many connections, and the state of their clients.

use oorandom::Rand32;
use rdt_proto::connection::{Config, Event, Handled, Storage};
use rdt_proto::listener::{Dispatch, HeapPeers, Listener, ListenerConfig, Retry};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Sack, SackDelay, Tag, VERSION};
use rdt_proto::{Duration, Instant, Seq};

const BODY: u16 = 64;
/// The config of every connection. Keep-alive after an hour gives each connection a deadline.
const CONFIG: Config =
    Config { segment: BODY, recv_segment: BODY, keep_alive: Duration::from_secs(3_600), ..Config::new() };

/// Memory for one body.
pub(crate) type Memory = [u8; CONFIG.send_bytes(1)];
pub(crate) type Server = Listener<HeapPeers<u32, Storage<SendSlots<Memory>, RecvSlots<Memory>>>>;

/// The number of datagrams prepared at a time.
const BATCH: usize = 256;

/// The connections to which the datagrams belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    One,
    Ten,
    All,
}

impl Order {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "one connection",
            Self::Ten => "ten at random",
            Self::All => "all at random",
        }
    }
}

/// The state of a client.
struct Client {
    /// The tag that the listener announced.
    theirs: Tag,
    /// The number of the client's next INFO.
    number: Seq,
    /// The number of the listener's next INFO.
    expects: Seq,
    id: rdt_proto::listener::PeerId,
}

pub(crate) struct Population {
    pub(crate) server: Server,
    clients: Vec<Client>,
    now: Instant,
    random: Rand32,
}

impl Population {
    /// The size of the bench's own state of each client.
    pub(crate) const CLIENT_BYTES: usize = size_of::<Client>();

    pub(crate) fn new(peers: usize) -> Self {
        let config = ListenerConfig { connection: CONFIG, peers, retry: Retry::Never, ..ListenerConfig::default() };
        let now = Instant::ZERO;
        let server = Server::new(now, config, [7; 48]);
        let mut population = Self { server, clients: Vec::with_capacity(peers), now, random: Rand32::new(1) };
        for address in 0..u32::try_from(peers).unwrap() {
            population.connect(address);
        }
        population
    }

    fn connect(&mut self, address: u32) {
        let (now, mut buf) = (self.now, [0; 128]);
        assert_eq!(self.server.handle_datagram(now, address, &connect(tag(address), None)), Dispatch::Queued);
        let incoming = self.server.poll_incoming().unwrap();
        let mut entropy = [0; 32];
        entropy.fill_with(|| (self.random.rand_u32() >> 24) as u8);
        let storage = || Storage::stop_and_wait(&CONFIG, [0; CONFIG.send_bytes(1)], [0; CONFIG.recv_bytes(1)]);
        let id = self.server.accept(now, incoming, entropy, storage).unwrap();
        let (_, connack) = self.server.poll_transmit(now, &mut buf).unwrap().unwrap();
        let Ok(Packet::ConnAck(options)) = Framing::tagged(tag(address)).decode(&buf[..connack.len]) else {
            panic!("the listener must answer with CONNACK");
        };
        self.clients.push(Client { theirs: options.tag().unwrap(), number: Seq::ZERO, expects: Seq::ZERO, id });
        let info = self.info(self.clients.len() - 1, &mut buf);
        assert_eq!(self.take(address, &buf[..info]), 1);
    }

    /// Encodes the next INFO of a client. Returns its length.
    fn info(&mut self, client: usize, buf: &mut [u8]) -> usize {
        let client = &mut self.clients[client];
        let packet = Packet::Info {
            number: client.number,
            body: &[7; BODY as usize],
            request: rdt_proto::wire::AckRequest::DEFAULT,
        };
        client.number = client.number.next();
        packet.encode(&Framing::tagged(client.theirs), buf).unwrap()
    }

    /// Encodes a client's SACK of the listener's next INFO. Returns its length.
    fn sack(&mut self, client: usize, buf: &mut [u8]) -> usize {
        let client = &mut self.clients[client];
        let latest = client.expects;
        client.expects = latest.next();
        let (next, delay) = (client.expects, SackDelay::new(0));
        let sack = Sack { next, window: 2, latest, counter: 0, ce: 0, delay, base: next, bitmap: &[] };
        Packet::Sack(sack).encode(&Framing::tagged(client.theirs), buf).unwrap()
    }

    fn pick(&mut self, order: Order) -> usize {
        let all = u32::try_from(self.clients.len()).unwrap();
        let index = match order {
            Order::One => all / 2,
            // The same ten connections each time, far from each other in memory.
            Order::Ten => self.random.rand_range(0..10) * (all / 10),
            Order::All => self.random.rand_range(0..all),
        };
        index as usize
    }

    /// Handles one datagram as a server does. Returns the number of datagrams that were sent.
    #[inline]
    fn take(&mut self, from: u32, datagram: &[u8]) -> usize {
        let (now, mut buf, mut sent) = (self.now, [0; 256], 0);
        let dispatch = self.server.handle_datagram(now, from, datagram);
        assert!(matches!(dispatch, Dispatch::Peer(_, Handled::Accepted)));
        while let Some((id, event)) = self.server.poll_event() {
            if event == Event::Readable {
                let _ = self.server.peer_mut(id).unwrap().recv(&mut buf);
            }
        }
        while self.server.poll_transmit(now, &mut buf).unwrap().is_some() {
            sent += 1;
        }
        let due = self.server.poll_timeout();
        assert!(due.is_some_and(|due| due > now));
        sent
    }

    /// The time to receive `count` datagrams.
    pub(crate) fn receive(&mut self, order: Order, count: u64) -> std::time::Duration {
        self.measure(count, |population, batch| {
            let datagrams = population.prepare(order, batch, Self::info);
            let start = std::time::Instant::now();
            for (client, datagram) in &datagrams {
                population.now = population.now + Duration::from_micros(1);
                assert_eq!(population.take(*client, datagram), 1);
            }
            start.elapsed()
        })
    }

    /// The time to send `count` bodies and receive their acknowledgements.
    pub(crate) fn send(&mut self, order: Order, count: u64) -> std::time::Duration {
        self.measure(count, |population, batch| {
            let datagrams = population.prepare(order, batch, Self::sack);
            let start = std::time::Instant::now();
            for (client, datagram) in &datagrams {
                population.now = population.now + Duration::from_micros(1);
                population.write(*client);
                assert_eq!(population.take(*client, datagram), 0);
            }
            start.elapsed()
        })
    }

    /// Writes and sends a body.
    #[inline]
    fn write(&mut self, client: u32) {
        let (now, mut buf) = (self.now, [0; 256]);
        let id = self.clients[client as usize].id;
        assert_eq!(self.server.peer_mut(id).unwrap().send(&[7; BODY as usize]), Ok(BODY.into()));
        let (to, _) = self.server.poll_transmit(now, &mut buf).unwrap().unwrap();
        assert!(to == client && self.server.poll_transmit(now, &mut buf).unwrap().is_none());
    }

    fn measure(
        &mut self,
        count: u64,
        mut batch: impl FnMut(&mut Self, usize) -> std::time::Duration,
    ) -> std::time::Duration {
        let (mut left, mut took) = (usize::try_from(count).unwrap(), std::time::Duration::ZERO);
        while left > 0 {
            took += batch(self, left.min(BATCH));
            left -= left.min(BATCH);
        }
        took
    }

    fn prepare(
        &mut self,
        order: Order,
        count: usize,
        write: impl Fn(&mut Self, usize, &mut [u8]) -> usize,
    ) -> Vec<(u32, Vec<u8>)> {
        let datagram = |population: &mut Self| {
            let (client, mut buf) = (population.pick(order), vec![0; 128]);
            let len = write(population, client, &mut buf);
            buf.truncate(len);
            (u32::try_from(client).unwrap(), buf)
        };
        (0..count).map(|_| datagram(self)).collect()
    }
}

/// The tag of a client.
pub(crate) fn tag(client: u32) -> Tag {
    let [a, b, c, d] = client.to_be_bytes();
    Tag::new([1, 1, 1, 1, a, b, c, d])
}

/// A CONNECT of extended mode, padded to the minimum length.
pub(crate) fn connect(tag: Tag, cookie: Option<&[u8]>) -> Vec<u8> {
    let mut list = [0; 2 * MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).version(VERSION).unwrap().tag(tag).unwrap();
    let options = match cookie {
        Some(cookie) => options.cookie(cookie).unwrap(),
        None => options,
    };
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    let mut datagram = vec![0; 256];
    let len = Packet::Connect(options).encode(&Framing::NOTE, &mut datagram).unwrap();
    datagram.truncate(len);
    datagram
}
