//! The two laws of the codec, and recorded datagrams of another implementation.

use fuzz_harness::wire;
use proptest::collection::vec;
use proptest::prelude::*;
use rdt_proto::Seq;
use rdt_proto::wire::{DecodeError, Framing, Options, OptionsWriter, Packet, Tag};

/// Recorded datagrams of a public implementation, and the packet that each decodes to.
const RECORDED: [(&str, Packet<'static>); 16] = [
    ("524f53544f5630", Packet::Connect(Options::NONE)),
    ("524f53544f5631", Packet::ConnAck(Options::NONE)),
    ("524f53544f5632000000000000", info(0, b"")),
    ("524f53544f563300000000", ack(0)),
    ("524f53544f5632000c0000000101090068656c6c6f2e747874", info(1, b"\x01\x09\0hello.txt")),
    ("524f53544f563300000001", ack(1)),
    ("524f53544f5632000900000000021b00000000000000", info(0, b"\x02\x1b\0\0\0\0\0\0\0")),
    (
        "524f53544f5632001b0000000168656c6c6f206f766572206c6f73737920646174616772616d730a",
        info(1, b"hello over lossy datagrams\n"),
    ),
    ("524f53544f5634", Packet::Fin),
    ("524f53544f5635", Packet::FinAck),
    ("524f53544f5632000e00000001010b006e6f74686572652e747874", info(1, b"\x01\x0b\0nothere.txt")),
    ("524f53544f56320002000000000401", info(0, b"\x04\x01")),
    (
        "524f53544f5632001400000001001b00000000000000090068656c6c6f2e747874",
        info(1, b"\0\x1b\0\0\0\0\0\0\0\x09\0hello.txt"),
    ),
    (
        "524f53544f5632001b0000000268656c6c6f206f766572206c6f73737920646174616772616d730a",
        info(2, b"hello over lossy datagrams\n"),
    ),
    ("524f53544f563300000002", ack(2)),
    ("524f53544f563200010000000003", info(0, b"\x03")),
];

const fn info(number: u32, body: &[u8]) -> Packet<'_> {
    Packet::Info { number: Seq::new(number), body, request: rdt_proto::wire::AckRequest::DEFAULT }
}

const fn ack(number: u32) -> Packet<'static> {
    Packet::Ack { number: Seq::new(number) }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn recorded_datagrams_decode_to_their_packets() {
    for (hex, packet) in RECORDED {
        let datagram = bytes_of(hex);
        assert_eq!(Framing::ROSTOV.decode(&datagram), Ok(packet), "{hex}");
        let mut buf = [0; 64];
        let len = packet.encode(&Framing::ROSTOV, &mut buf).unwrap();
        assert_eq!(buf[..len], datagram, "{hex}");
        assert_eq!(Framing::NOTE.decode(&datagram), Err(DecodeError::Prefix), "{hex}");
    }
}

/// Bytes with a packet type, and with fields whose length often fits this type.
fn nearly_a_packet() -> impl Strategy<Value = Vec<u8>> {
    let options = vec((0..8_u8, vec(any::<u8>(), 0..10)), 0..6).prop_map(|options| {
        let as_bytes =
            |(kind, value): (u8, Vec<u8>)| [&[kind, u8::try_from(value.len()).unwrap()], &value[..]].concat();
        options.into_iter().flat_map(as_bytes).collect::<Vec<_>>()
    });
    let info = (any::<u32>(), vec(any::<u8>(), 0..40)).prop_map(|(number, body)| {
        [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], &number.to_be_bytes(), &body].concat()
    });
    let sized = |len: usize, more: usize| vec(any::<u8>(), len..=len + more);
    prop_oneof![
        (0..2_u8, options),
        (Just(2), info),
        (Just(3), sized(4, 1)),
        (4..6_u8, sized(0, 1)),
        (Just(6), sized(16, 135)),
        (Just(7), sized(0, 66)),
        (Just(8), sized(0, 2)),
        (Just(9), sized(7, 20)),
        (Just(10), sized(7, 2)),
        (any::<u8>(), sized(0, 20)),
    ]
    .prop_map(|(packet_type, fields)| [&[packet_type], &fields[..]].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Law 1: an encoded packet decodes to the same packet.
    #[test]
    fn packets_survive_the_wire(bytes in vec(any::<u8>(), 9..400)) {
        wire::round_trip_packet(&bytes);
    }

    /// Law 2: the packet that a datagram decodes to encodes to the same datagram. No input panics.
    #[test]
    fn accepted_datagrams_encode_to_themselves(fields in nearly_a_packet(), shift in prop_oneof![Just(0), Just(b'0')]) {
        let mut shifted = fields.clone();
        shifted[0] = shifted[0].wrapping_add(shift);
        for prefix in [&b"RDT1"[..], b"ROSTOV", b"entropy!", b""] {
            wire::parse_packet(&[prefix, &shifted].concat());
        }
    }

    /// What the framing `ROSTOV` accepts decodes to the same packet in the framing `NOTE`.
    #[test]
    fn rostov_framing_is_a_subset_of_note_framing(fields in nearly_a_packet()) {
        let mut shifted = fields.clone();
        shifted[0] = shifted[0].wrapping_add(b'0');
        let (note, rostov) = ([&b"RDT1"[..], &fields].concat(), [&b"ROSTOV"[..], &shifted].concat());
        if let Ok(packet) = Framing::ROSTOV.decode(&rostov) {
            prop_assert_eq!(Framing::NOTE.decode(&note), Ok(packet));
        }
    }

    #[test]
    fn options_read_back_as_written(
        tag: [u8; 8],
        segment in 64..=u16::MAX,
        window in 1..1_u32 << 31,
        cookie in vec(any::<u8>(), 1..=64),
        idle_ms: u32,
        len in 0..=286_usize,
    ) {
        let mut list = [0; 400];
        let options = OptionsWriter::new(&mut list)
            .tag(Tag::new(tag))
            .and_then(|list| list.segment(segment))
            .and_then(|list| list.window(window))
            .and_then(|list| list.cookie(&cookie))
            .and_then(|list| list.idle_ms(idle_ms))
            .and_then(|list| list.pad_to(len))
            .unwrap()
            .finish();
        prop_assert_eq!(Options::parse(options.as_bytes()), Ok(options));
        prop_assert_eq!(options.tag(), Some(Tag::new(tag)));
        prop_assert_eq!(options.segment(), Some(segment));
        prop_assert_eq!(options.window(), Some(window));
        prop_assert_eq!(options.cookie(), Some(&cookie[..]));
        prop_assert_eq!(options.idle_ms(), Some(idle_ms.max(1_000)));
        prop_assert!(options.as_bytes().len() >= len);
    }
}
