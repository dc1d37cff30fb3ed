//! The cost of encoding and decoding one packet.
#![allow(missing_docs, reason = "`criterion_group!` makes a public function without documentation")]
#![allow(clippy::expect_used, reason = "the bench makes its own packets")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rdt_proto::Seq;
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Sack, SackDelay, Tag};

const TAGGED: Framing = Framing::tagged(Tag::new(*b"\xe4\x17\x0b\x5a\x93\xc8\x21\x7f"));

/// The packets of the bench, each with its name and framing.
fn packets<'a>(body: &'a [u8], bitmap: &'a [u8], list: &'a mut [u8]) -> [(&'static str, Framing, Packet<'a>); 5] {
    let options = OptionsWriter::new(list)
        .tag(Tag::new(*b"\x18\xb2\x6d\x40\xaf\x05\xf9\x3c"))
        .and_then(|list| list.segment(1_200))
        .and_then(|list| list.window(65_536))
        .and_then(|list| list.idle_ms(30_000))
        .and_then(|list| list.pad_to(MIN_CONNECT - Framing::NOTE.header_len()))
        .map(OptionsWriter::finish)
        .expect("the buffer is large enough");
    let sack = Sack {
        counter: 0,
        ce: 0,
        next: Seq::new(70_000),
        window: 65_536,
        latest: Seq::new(71_023),
        delay: SackDelay::new(125),
        base: Seq::new(70_001),
        bitmap,
    };
    [
        ("ack", Framing::NOTE, Packet::Ack { number: Seq::new(70_000) }),
        (
            "info_1200",
            Framing::NOTE,
            Packet::Info { number: Seq::new(70_000), body, request: rdt_proto::wire::AckRequest::DEFAULT },
        ),
        (
            "info_1200_tagged",
            TAGGED,
            Packet::Info { number: Seq::new(70_000), body, request: rdt_proto::wire::AckRequest::DEFAULT },
        ),
        ("sack_128", TAGGED, Packet::Sack(sack)),
        ("connect_options", Framing::NOTE, Packet::Connect(options)),
    ]
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (name, framing, packet) in packets(&[0x5a; 1_200], &[0xbb; 128], &mut [0; 128]) {
        let mut buf = [0; 1_500];
        group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: packet.encoded_len(&framing) as u64 });
        group.bench_function(name, |b| {
            b.iter(|| {
                let len = black_box(&packet).encode(black_box(&framing), &mut buf);
                black_box(&buf);
                len
            });
        });
    }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, framing, packet) in packets(&[0x5a; 1_200], &[0xbb; 128], &mut [0; 128]) {
        let mut buf = [0; 1_500];
        let len = packet.encode(&framing, &mut buf).expect("the buffer is large enough");
        group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: len as u64 });
        group.bench_function(name, |b| b.iter(|| black_box(&framing).decode(black_box(&buf[..len])).is_ok()));
    }
    let foreign = [0xc3; 1_200];
    group.throughput(Throughput::Elements(1));
    group.bench_function("foreign", |b| b.iter(|| black_box(&TAGGED).decode(black_box(&foreign)).is_err()));
}

fn sack(c: &mut Criterion) {
    let mut group = c.benchmark_group("sack");
    for (_, _, packet) in packets(&[], &[0xbb; 128], &mut [0; 128]) {
        let Packet::Sack(sack) = packet else { continue };
        group.throughput(Throughput::Elements(sack.numbers().count() as u64));
        group.bench_function("numbers", |b| {
            b.iter(|| black_box(&sack).numbers().map(Seq::value).fold(0, u32::wrapping_add));
        });
        group.bench_function("words", |b| {
            b.iter(|| black_box(&sack).words().map(|(_, word)| word.count_ones()).fold(0, u32::wrapping_add));
        });
    }
}

criterion_group!(benches, encode, decode, sack);
criterion_main!(benches);
