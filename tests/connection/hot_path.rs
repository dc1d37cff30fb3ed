//! Fast paths: bodies that the application reads in the datagram, and several datagrams from one call.

use harness::extended::*;
use rdt_proto::congestion::{Controller, Cubic, FixedWindow};
use rdt_proto::connection::{Config, Connection, Event, Handled, HandshakeParameters, HeapStorage, Storage, Transmit};
use rdt_proto::store::SendSource;
use rdt_proto::wire::{Framing, Packet};
use rdt_proto::{Duration, Instant};

/// Delivers `packet`, and consumes up to `most` bytes of the body that is lent. Returns the consumed bytes.
///
/// `None` if the body was not lent.
fn lends(trace: &mut ExtendedTrace, packet: Packet<'_>, most: usize) -> Option<Vec<u8>> {
    let mut datagram = [0; 2_048];
    let len = packet.encode(&Framing::tagged(trace.peer.tag.unwrap()), &mut datagram).unwrap();
    let mut lent = None;
    let handled = trace.machine.handle_datagram_into(trace.now, &datagram[..len], |bytes| {
        assert_eq!(lent, None, "a body is lent once");
        let count = bytes.len().min(most);
        lent = Some(bytes[..count].to_vec());
        count
    });
    assert_eq!(handled, Handled::Accepted);
    lent
}

fn reads(trace: &mut ExtendedTrace) -> Vec<u8> {
    let mut buf = [0; 4_096];
    let count = trace.machine.recv(&mut buf);
    buf[..count].to_vec()
}

#[test]
fn data_in_order_is_lent_and_counts_as_read() {
    let mut client = ExtendedTrace::established(Config::default());
    assert_eq!(lends(&mut client, info(0, b"one"), 9).as_deref(), Some(&b"one"[..]));
    assert_eq!(lends(&mut client, info(1, b"two"), 9).as_deref(), Some(&b"two"[..]));
    client.expect_sack(2, &[]);
    assert_eq!(client.machine.poll_event(), None);
    assert_eq!(reads(&mut client), b"");
}

#[test]
fn data_not_consumed_is_kept_and_read_first() {
    let mut client = ExtendedTrace::established(Config::default());
    assert_eq!(lends(&mut client, info(0, b"abcdef"), 2).as_deref(), Some(&b"ab"[..]));
    client.expect_event(Event::Readable);
    assert_eq!(lends(&mut client, info(1, b"ghi"), 9), None, "older data is unread");
    client.expect_sack(2, &[]);
    assert_eq!(reads(&mut client), b"cdefghi");
    assert_eq!(lends(&mut client, info(2, b"jk"), 0).as_deref(), Some(&b""[..]));
    assert_eq!(lends(&mut client, info(3, b"l"), 9), None);
    assert_eq!(reads(&mut client), b"jkl");
    assert_eq!(lends(&mut client, info(4, b"m"), 9).as_deref(), Some(&b"m"[..]));
}

#[test]
fn data_behind_a_gap_is_read_after_the_lent_data() {
    let mut client = ExtendedTrace::established(Config::default());
    assert_eq!(lends(&mut client, info(1, b"two"), 9), None, "not in order");
    assert_eq!(lends(&mut client, info(0, b"one"), 9).as_deref(), Some(&b"one"[..]));
    client.expect_event(Event::Readable);
    client.expect_sack(2, &[]);
    assert_eq!(reads(&mut client), b"two");
    assert_eq!(lends(&mut client, info(1, b"two"), 9), None, "a duplicate");
}

#[test]
fn a_store_of_one_slot_never_fills_if_everything_is_consumed() {
    let mut client = ExtendedTrace::established_with(Config::default(), storage(&Config::default(), 1, 32));
    for number in 0..5 {
        assert_eq!(lends(&mut client, info(number, b"x"), 9).as_deref(), Some(&b"x"[..]));
    }
    client.expect_sack(5, &[]);
}

#[test]
fn all_data_of_a_source_is_in_flight_without_slots() {
    let image: Vec<u8> = (0..100_u8).flat_map(|byte| [byte; 1_000]).collect();
    let config = Config::default();
    let Storage { recv, arq, .. } = storage(&config, 256, 200);
    let client = Storage { send: SendSource::new(&image[..], config.segment).unwrap(), recv, arq };
    let now = Instant::from_millis(1_000);
    let mut client = Connection::connect(now, config, [1; 32], client).unwrap();
    let mut buf = vec![0; 65_507];
    let connect = client.poll_transmit(now, &mut buf).unwrap().unwrap();
    let Packet::Connect(options) = Framing::NOTE.decode(&buf[..connect.len]).unwrap() else { panic!("no CONNECT") };
    let parameters = HandshakeParameters::from_options(&options);
    let mut server = Connection::accept(now, config, [2; 32], parameters, storage(&config, 256, 200)).unwrap();
    client.close();
    let (mut received, mut most) = (Vec::new(), 0);
    for _ in 0..4 {
        while let Some(Transmit { len, .. }) = server.poll_transmit(now, &mut buf).unwrap() {
            client.handle_datagram(now, &buf[..len]);
        }
        let before = client.stats().infos_sent;
        while let Some(Transmit { len, segment_size }) = client.poll_transmit_batch(now, 64, &mut buf).unwrap() {
            for datagram in buf[..len].chunks(segment_size) {
                server.handle_datagram_into(now, datagram, |bytes| {
                    received.extend_from_slice(bytes);
                    bytes.len()
                });
            }
        }
        most = most.max(client.stats().infos_sent - before);
    }
    assert!(received == image);
    assert!(client.is_all_acknowledged());
    assert_eq!(most, 84, "all bodies are in flight in one round");
}

/// Sends a batch into a buffer of `len` bytes. Returns the lengths of its datagrams.
///
/// Asserts that each body consists of one repeated byte, so no datagram has bytes of two bodies.
fn batch(trace: &mut ExtendedTrace, len: usize) -> Vec<usize> {
    let mut buf = vec![0; len];
    let Some(Transmit { len, segment_size }) = trace.machine.poll_transmit_batch(trace.now, 64, &mut buf).unwrap()
    else {
        return Vec::new();
    };
    for (datagram, index) in buf[..len].chunks(segment_size).zip(0_u8..) {
        if let Packet::Info { body: sent, .. } = Framing::tagged(PEER).decode(datagram).unwrap() {
            assert!(sent.iter().all(|&byte| byte == sent[0]), "datagram {index} has bytes of two bodies");
        }
    }
    buf[..len].chunks(segment_size).map(<[u8]>::len).collect()
}

/// The length of an INFO's header in extended mode, in bytes.
const HEADER: usize = 20;

#[test]
fn datagrams_of_a_batch_have_one_size_and_the_last_may_be_shorter() {
    let mut client = ExtendedTrace::established(Config::default());
    for (body, len) in [(1, 700), (2, 700), (3, 700), (4, 300), (5, 700), (6, 800), (7, 700)] {
        client.machine.send_segment(&[body; 1_200][..len]).unwrap();
    }
    assert_eq!(batch(&mut client, 65_507), [720, 720, 720, 320]);
    assert_eq!(batch(&mut client, 65_507), [720], "the next datagram is longer");
    assert_eq!(batch(&mut client, 65_507), [800 + HEADER, 700 + HEADER]);
    client.expect_nothing();
}

#[test]
fn a_batch_fills_the_buffer_and_leaves_the_rest_due() {
    let mut client = ExtendedTrace::established(Config::default());
    for body in 0..5 {
        client.machine.send_segment(&[body; 100]).unwrap();
    }
    assert_eq!(batch(&mut client, 2 * 120 + 119), [120, 120]);
    assert_eq!(batch(&mut client, 120), [120]);
    assert!(client.machine.poll_transmit_batch(client.now, 64, &mut [0; 114]).is_err());
    assert_eq!(batch(&mut client, 1_000), [120, 120]);
    client.expect_nothing();
}

#[test]
fn a_batch_has_at_most_the_callers_number_of_datagrams() {
    let mut client = ExtendedTrace::established(Config::default());
    for body in 0..6 {
        client.machine.send_segment(&[body; 100]).unwrap();
    }
    let mut buf = [0; 4_096];
    for (most, len) in [(3, 3 * 120), (0, 120), (1, 120), (9, 120)] {
        let transmit = client.machine.poll_transmit_batch(client.now, most, &mut buf).unwrap();
        assert_eq!(transmit, Some(Transmit { len, segment_size: 120 }), "at most {most} datagrams");
    }
    client.expect_nothing();
}

#[test]
fn an_acknowledgement_is_sent_alone_before_a_batch() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(info(1, b"early"));
    client.machine.send_segment(b"a").unwrap();
    client.machine.send_segment(b"b").unwrap();
    assert_eq!(batch(&mut client, 1_000).len(), 1);
    assert_eq!(batch(&mut client, 1_000), [21, 21]);
    assert_eq!(client.machine.stats().datagrams_sent, 5, "CONNECT, INFO 0, SACK, and the two INFOs of the batch");
}

#[test]
fn the_congestion_window_ends_a_batch() {
    let mut client = ExtendedTrace::established_with(Config::default(), storage(&Config::default(), 32, 2));
    for body in 0..4 {
        client.machine.send_segment(&[body; 1_200]).unwrap();
    }
    assert_eq!(batch(&mut client, 65_507), [1_220, 1_220]);
    client.expect_nothing();
}

/// Whether two datagrams are the same, but for the acknowledgement that an INFO asks for: in a batch each INFO asks for
/// what the last one asks for.
fn is_same(single: &[u8], batched: &[u8]) -> bool {
    let framing = Framing::tagged(PEER);
    let [first, second] = [single, batched].map(|datagram| framing.decode_datagram(datagram).unwrap());
    match (first.packet, second.packet) {
        (Packet::Info { number, body, request }, Packet::Info { number: other, body: same, request: later }) => {
            (first.counter, number, body, request.at_once) == (second.counter, other, same, later.at_once)
                && later.infos() >= request.infos()
        }
        (_, _) => single == batched,
    }
}

/// The history before a batch is random: data, acknowledgements, timeouts, and pacing.
#[test]
fn a_batch_is_equivalent_to_single_calls() {
    for seed in 0..300 {
        let mut random = oorandom::Rand32::new(seed);
        let config = Config { pacing_granularity: Duration::from_millis(1), ..Config::default() };
        let controller = |datagram| match seed % 3 {
            0 => FixedWindow::new(20_000).into(),
            1 => Controller::new(datagram),
            _ => Cubic::new(datagram).into(),
        };
        let storage = HeapStorage::on_heap_with(&config, 50, controller).unwrap();
        let mut client = ExtendedTrace::established_with(config, storage);
        let (mut next, mut buf, mut single_buf) = (1, [0; 20_000], [0; 2_048]);
        for step in 0..60 {
            client.now = client.now + Duration::from_micros(random.rand_range(0..3_000).into());
            client.machine.handle_timeout(client.now);
            match random.rand_range(0..4) {
                0 => drop(client.machine.send(&[7; 30_000][..random.rand_range(0..30_000) as usize])),
                1 => drop(client.machine.send_segment(&[8; 1_200][..random.rand_range(1..1_200) as usize])),
                2 => client.machine.handle_datagram_too_large(client.now, random.rand_range(600..1_300) as usize),
                _ => {
                    let stats = client.machine.stats();
                    let sent = u32::try_from(stats.infos_sent).unwrap() - stats.infos_repeated;
                    next = random.rand_range(next..sent + 1);
                    let framing = Framing::tagged(client.peer.tag.unwrap());
                    let _ = client.receive_under(&framing, sack_of(next, next - 1, next, next, &[]));
                }
            }
            let (mut single, most) = (client.machine.clone(), random.rand_range(0..20) as usize);
            let room = random.rand_range(1_220..20_000) as usize;
            let batch = client.machine.poll_transmit_batch(client.now, most, &mut buf[..room]).unwrap();
            let Some(Transmit { len, segment_size }) = batch else { continue };
            for datagram in buf[..len].chunks(segment_size) {
                let sent = single.poll_transmit(client.now, &mut single_buf).unwrap().unwrap().len;
                assert!(is_same(&single_buf[..sent], datagram), "seed {seed}, step {step}");
            }
            let last = buf[..len].chunks(segment_size).next_back().unwrap();
            assert_eq!(&single_buf[..last.len()], last, "seed {seed}, step {step}: the last asks for its own flight");
            assert!(single == client.machine, "seed {seed}, step {step}: the state differs");
        }
    }
}
