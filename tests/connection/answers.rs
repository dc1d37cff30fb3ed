//! One datagram brings at most one answer.

use harness::extended::*;
use rdt_proto::Seq;
use rdt_proto::connection::Config;
use rdt_proto::wire::{AckRequest, Framing, Packet};

/// Takes all that is due, and returns how many of the datagrams are answers.
fn answers(client: &mut ExtendedTrace) -> usize {
    let mut count = 0;
    while let Some(datagram) = client.next_datagram() {
        count += match Framing::tagged(PEER).decode(&datagram).unwrap() {
            Packet::Sack(_) | Packet::Echo { .. } | Packet::FinAck | Packet::Reset { .. } => 1,
            Packet::Info { .. } | Packet::Probe { .. } | Packet::Fin => 0,
            other => panic!("{other}"),
        };
    }
    count
}

/// A packet that may bring an answer.
fn packets() -> Vec<Packet<'static>> {
    let probe = |for_window| Packet::Probe { nonce: 1, for_window, padding: &[0; 40] };
    let at_once = |number| Packet::Info { number: Seq::new(number), body: b"x", request: AckRequest::AT_ONCE };
    vec![
        probe(false),
        probe(true),
        at_once(1),
        at_once(1),
        at_once(20),
        at_once(20),
        at_once(4),
        at_once(1_000),
        info(2, b"y"),
        info(20, b"y"),
        sack(1, 0, 1, &[]),
        Packet::Echo { nonce: 1, counter: 1 },
        FIN,
        FIN,
        Packet::FinAck,
        probe(false),
        at_once(2),
    ]
}

#[test]
fn one_datagram_brings_one_answer_at_most() {
    for first in 0..packets().len() {
        let mut client = ExtendedTrace::established(Config::default());
        client.machine.send(b"data").unwrap();
        answers(&mut client);
        let packets = packets();
        for packet in packets[first..].iter().chain(&packets) {
            client.receive(*packet);
            let count = answers(&mut client);
            assert!(count <= 1, "{packet} brings {count} answers");
        }
        // What was delayed is one answer as well.
        client.receive(info(30, b"z"));
        let mut count = answers(&mut client);
        client.elapse(100);
        client.machine.handle_timeout(client.now);
        count += answers(&mut client);
        assert!(count <= 1, "a delayed SACK and {count} answers");
    }
}
