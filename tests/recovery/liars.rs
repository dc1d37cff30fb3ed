//! A peer that lies in its SACKs costs little more than an honest one.

use crate::pair::{self, Bytes, CLIENT, End, SERVER};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic};
use rdt_proto::connection::{Config, HeapStorage};
use rdt_proto::sim::{LinkConfig, Node, Outgoing, SimAddress};
use rdt_proto::wire::{Datagram, Framing, Packet, Sack, SackDelay, Tag};
use rdt_proto::{Duration, Instant};

type Lie = fn(&mut Sack<'_>);
/// The name of a controller, and its constructor.
type Maker = (&'static str, fn(u32) -> Controller);

/// An end that changes each of its SACKs.
struct Liar {
    end: End<HeapStorage<Controller>, Bytes>,
    lie: Lie,
}

impl Node for Liar {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        self.end.handle_datagram(now, from, to, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.end.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let sent = self.end.poll_transmit(now, buf)?;
        let datagram = buf[..sent.len].to_vec();
        let Some(tag) = datagram.first_chunk() else { return Some(sent) };
        let framing = Framing::tagged(Tag::new(*tag));
        let Ok(Datagram { counter, packet: Packet::Sack(mut sack) }) = framing.decode_datagram(&datagram) else {
            return Some(sent);
        };
        (self.lie)(&mut sack);
        let len = Datagram { counter, packet: Packet::Sack(sack) }.encode(&framing, buf).unwrap();
        Some(Outgoing { len, segment_size: len, ..sent })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.end.poll_timeout()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        self.end.poll_app(now)
    }

    fn is_done(&self) -> bool {
        self.end.is_done()
    }
}

/// The bytes that a client sends until a server has read 8 MB over 20 Mbit/s and 40 ms.
fn sent(controller: fn(u32) -> Controller, lie: Lie) -> u64 {
    let config = Config::default();
    let storage = || HeapStorage::on_heap_with(&config, 4_096, controller).unwrap();
    let bytes = 8_000_000;
    let client = End::client(config, [1; 32], storage(), Bytes { to_write: bytes, ..Bytes::default() });
    let server = End::server(config, [2; 32], storage(), Bytes::default());
    let link = LinkConfig::ideal().with_rate(20_000_000).with_delay(Duration::from_millis(20)).with_queue(100_000);
    let ends = [Liar { end: client, lie: |_| {} }, Liar { end: server, lie }];
    let (mut sim, _) = pair::connect(1, ends, [link.clone(), link]);
    while sim.node(SERVER).end.application.read < bytes && sim.now() < Instant::from_millis(60_000) {
        sim.run_for(Duration::from_millis(10));
    }
    assert_eq!(sim.node(SERVER).end.application.read, bytes, "after {:?}", sim.now());
    sim.node(CLIENT).end.connection.as_ref().unwrap().stats().bytes_sent
}

#[test]
fn no_lie_in_a_sack_makes_a_sender_send_more() {
    let lies: [(&str, Lie); 9] = [
        ("the longest delay", |sack| sack.delay = SackDelay::new(0xfffe)),
        ("a delay of 20 ms", |sack| sack.delay = SackDelay::from_duration(Duration::from_millis(20))),
        ("no sample", |sack| sack.delay = SackDelay::NO_SAMPLE),
        ("no delay", |sack| sack.delay = SackDelay::new(0)),
        ("the largest window", |sack| sack.window = u32::MAX / 2),
        ("an old latest number", |sack| sack.latest = sack.next.sub(1)),
        ("a latest number on its way", |sack| sack.latest = sack.highest().unwrap_or(sack.next).add(20)),
        ("a counter of long ago", |sack| sack.counter = 0),
        ("marks of congestion", |sack| sack.ce = u32::MAX),
    ];
    let controllers: [Maker; 2] = [
        ("BandwidthDelay", |datagram| BandwidthDelay::new(datagram).into()),
        ("Cubic", |datagram| Cubic::new(datagram).into()),
    ];
    for (name, controller) in controllers {
        let honest = sent(controller, |_| {});
        for (said, lie) in lies {
            let lied = sent(controller, lie);
            println!("{name}, {said}: {lied} bytes, {honest} for an honest peer");
            assert!(lied * 10 <= honest * 11, "{name}, {said}: {lied} bytes, {honest} for an honest peer");
        }
    }
}
