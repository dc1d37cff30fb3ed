//! Windows that grow: which memory is the limit, memory that is replaced in flight, the promise.

use harness::extended::*;
use rdt_proto::Seq;
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::Controller;
use rdt_proto::connection::{
    Config, ConnectionTypes, Event, HandshakeParameters, Ignored, MemoryUse, SendError, Storage, blocks_for,
};
use rdt_proto::store::{GrowingRecvSlots, SendSlots, SendStore, slot_bytes};
use rdt_proto::wire::{Framing, Packet, Sack};

type Stores = Storage<SendSlots<Vec<u8>>, GrowingRecvSlots<Vec<u8>>, SelectiveRepeat<Vec<Block>, Controller>>;
type Trace = ExtendedTrace<Stores>;

pub(super) const CONFIG: Config = Config::new();
pub(super) const SLOT: usize = slot_bytes(1_200);

/// A client before its CONNECT, with memory for `window` packets.
fn client(window: u32, in_flight: u64) -> Trace {
    Trace::client_with(CONFIG, storage(&CONFIG, window, in_flight).growing())
}

/// Completes the handshake with a peer that accepts 1,000 numbers. INFO 0 is empty, and is acknowledged.
pub(super) fn establish<S: ConnectionTypes>(trace: &mut ExtendedTrace<S>) {
    trace.learns_tag();
    trace.peer_sends_connack(HandshakeParameters { window: 1_000, ..PARAMETERS });
    trace.expect_event(Event::Connected);
    trace.expect(info(0, b""));
    trace.elapse(100);
    trace.peer_sends(sack(1, 0, 1, &[]));
    trace.expect_nothing();
}

fn established(window: u32, in_flight: u64) -> Trace {
    let mut trace = client(window, in_flight);
    establish(&mut trace);
    trace
}

/// The body of INFO `number`.
pub(super) fn body(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// Writes the bodies of these numbers. Asserts that each is sent at once.
#[track_caller]
pub(super) fn sends<S: ConnectionTypes>(trace: &mut ExtendedTrace<S>, from: u32, count: u32) {
    for number in from..from + count {
        trace.machine.send_segment(&body(number)).unwrap();
        trace.expect(info(number, &body(number)));
    }
}

/// The next and the right edge of the SACK that is due.
#[track_caller]
pub(super) fn edge<S: ConnectionTypes>(trace: &mut ExtendedTrace<S>) -> (u32, u32) {
    let sent = trace.next_datagram().expect("no SACK was sent");
    let Packet::Sack(Sack { next, window, .. }) = Framing::tagged(PEER).decode(&sent).unwrap() else {
        panic!("{sent:?}")
    };
    (next.value(), next.add(window).value())
}

#[test]
fn a_full_store_is_the_limit_once_three_quarters_are_in_flight() {
    let mut client = established(8, 7);
    sends(&mut client, 1, 4);
    assert!(!client.machine.send_memory().is_limit, "the application has not filled the store");
    for number in 5..=8 {
        client.machine.send_segment(&body(number)).unwrap();
    }
    assert_eq!(client.machine.send_memory(), MemoryUse { used: 8, room: 8, is_limit: false }, "half of it waits");
    client.expect(info(5, &body(5)));
    client.expect(info(6, &body(6)));
    assert!(!client.machine.send_memory().is_limit, "a quarter of it waits");
    client.expect(info(7, &body(7)));
    assert_eq!(client.machine.send_memory(), MemoryUse { used: 8, room: 8, is_limit: true });
}

#[test]
fn larger_memory_lets_a_blocked_write_continue() {
    let mut client = established(4, 32);
    sends(&mut client, 1, 4);
    assert_eq!(client.machine.send_segment(b"x"), Err(SendError::Full));
    client.expect_no_event();
    let earlier = client.machine.replace_send_memory(vec![0; 8 * SLOT]).unwrap();
    assert_eq!(earlier.len(), 4 * SLOT);
    client.expect_event(Event::Writable);
    sends(&mut client, 5, 4);
    assert_eq!(client.machine.send_segment(b"x"), Err(SendError::Full));
}

#[test]
fn a_slot_that_was_lent_does_not_survive_its_memory() {
    let mut client = established(4, 32);
    client.machine.send_slot().unwrap().fill(1);
    client.machine.replace_send_memory(vec![0; 8 * SLOT]).unwrap();
    assert_eq!(client.machine.commit(3), Err(SendError::NotLent));
    assert!(client.machine.send_slot().unwrap().len() == 1_200 && client.machine.commit(3).is_ok());
}

#[test]
fn numbers_and_bodies_in_flight_survive_when_the_rings_wrap() {
    let mut client = established(64, 200);
    sends(&mut client, 1, 50);
    client.peer_sends(sack(51, 50, 51, &[]));
    // The rings have 64 places, so numbers from 64 on lie before number 51.
    sends(&mut client, 51, 64);
    client.elapse(1);
    assert!(client.machine.number_memory().is_limit);
    assert_eq!(client.machine.send_segment(b"x"), Err(SendError::Full));
    client.machine.replace_send_memory(vec![0; 128 * SLOT]).unwrap();
    client.expect_event(Event::Writable);
    client.machine.send_segment(&body(115)).unwrap();
    client.expect_nothing();
    client.machine.replace_number_memory(vec![Block::EMPTY; blocks_for(128)]).unwrap();
    client.expect(info(115, &body(115)));
    // From number 128 on, one may be held back.
    sends(&mut client, 116, 12);
    // Numbers 70 and 71 are missing, and 127 has arrived.
    client.elapse(50);
    let bitmap = [0b1111_1100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0b11];
    client.peer_sends(sack(70, 127, 70, &bitmap));
    client.expect(info(70, &body(70)));
    client.expect(info(71, &body(71)));
    client.peer_sends(sack(128, 127, 128, &[]));
    assert!(client.machine.is_all_acknowledged());
    client.expect_nothing();
}

#[test]
fn memory_too_small_for_what_is_in_flight_is_refused() {
    let mut client = established(128, 200);
    sends(&mut client, 1, 70);
    client.machine.replace_number_memory(vec![Block::EMPTY; 1]).unwrap_err();
    client.machine.replace_send_memory(vec![0; 69 * SLOT]).unwrap_err();
    client.peer_sends(sack(8, 7, 8, &[]));
    client.machine.replace_number_memory(vec![Block::EMPTY; 1]).unwrap();
    client.machine.replace_send_memory(vec![0; 63 * SLOT]).unwrap();
    assert_eq!(client.machine.send_store().body(Seq::new(70)), body(70));
}

#[test]
fn the_handshake_and_each_sack_announce_the_promise() {
    let mut client = client(4, 32);
    client.machine.promise(100);
    let connect = client.learns_tag();
    let Packet::Connect(options) = CONFIG.framing.decode(&connect).unwrap() else { panic!("{connect:?}") };
    assert_eq!(options.window(), Some(100));
    let mut client = established(4, 32);
    client.machine.promise(100);
    for number in [0, 1] {
        client.peer_sends(info(number, b"x"));
    }
    assert_eq!(edge(&mut client), (2, 100), "two bodies are unread");
    client.machine.consume(1);
    client.machine.consume(1);
    client.peer_sends(info(3, b"x"));
    assert_eq!(edge(&mut client), (2, 102));
}

#[test]
fn a_body_without_a_slot_is_not_acknowledged_until_memory_is_lent() {
    let mut client = established(4, 32);
    client.machine.promise(16);
    client.peer_sends(info(2, b"c"));
    client.expect_sack(0, &[2]);
    assert!(client.machine.recv_memory().is_limit, "three of four places are in use");
    client.ignores(info(4, b"e"), Ignored::NoRoom);
    client.ignores(info(16, b"q"), Ignored::BeyondWindow);
    client.expect_nothing();
    client.machine.replace_recv_memory(vec![0; 8 * SLOT]).unwrap();
    client.peer_sends(info(4, b"e"));
    client.expect_sack(0, &[2, 4]);
    for (number, byte) in [(3, b"d"), (1, b"b"), (0, b"a")] {
        client.peer_sends(info(number, byte));
    }
    let mut read = [0; 8];
    assert_eq!((client.machine.recv(&mut read), &read[..5]), (5, &b"abcde"[..]));
}

#[test]
fn a_number_without_a_place_is_not_acknowledged_until_memory_is_lent() {
    let mut client = established(64, 32);
    client.machine.promise(200);
    client.machine.replace_recv_memory(vec![0; 200 * SLOT]).unwrap();
    client.ignores(info(64, b"x"), Ignored::BeyondWindow);
    client.machine.replace_number_memory(vec![Block::EMPTY; 4]).unwrap();
    client.peer_sends(info(64, b"x"));
    client.expect_sack(0, &[64]);
}

#[test]
fn the_right_edge_never_moves_back() {
    let mut client = established(64, 32);
    client.peer_sends(info(0, b""));
    client.peer_sends(info(1, b""));
    assert_eq!(edge(&mut client), (2, 66));
    client.machine.replace_recv_memory(vec![0; SLOT]).unwrap();
    client.machine.replace_number_memory(vec![Block::EMPTY; 1]).unwrap();
    client.peer_sends(info(0, b""));
    assert_eq!(edge(&mut client), (2, 66), "with less memory");
    client.machine.promise(2);
    client.peer_sends(info(0, b""));
    assert_eq!(edge(&mut client), (2, 66), "with a smaller promise");
    client.peer_sends(info(2, b"x"));
    client.peer_sends(info(0, b""));
    assert_eq!(edge(&mut client), (3, 66), "with an unread body");
    client.ignores(info(3, b"x"), Ignored::NoRoom);
}

#[test]
fn a_closed_window_that_opens_by_a_promise_is_reported_at_once() {
    let mut client = established(2, 32);
    for number in [0, 1] {
        client.peer_sends(info(number, b"x"));
    }
    assert_eq!(edge(&mut client), (2, 2));
    client.expect_nothing();
    client.machine.replace_recv_memory(vec![0; 4 * SLOT]).unwrap();
    assert_eq!(edge(&mut client), (2, 4));
}

#[test]
fn an_answer_older_than_the_earlier_memory_gives_no_sample() {
    let mut client = established(64, 200);
    sends(&mut client, 1, 64);
    client.elapse(30);
    // Numbers 2 to 64 have arrived, and number 1 is repeated. INFO `n` has the counter `n`.
    let mut bitmap = [0xff; 8];
    bitmap[7] = 0x7f;
    client.peer_sends(sack(1, 64, 2, &bitmap));
    client.expect(info(1, &body(1)));
    let rto = client.machine.rtt().rto();
    client.elapse(5);
    client.machine.replace_number_memory(vec![Block::EMPTY; 4]).unwrap();
    client.peer_sends(sack_of(65, 1, 1, 65, &[]));
    assert_eq!(client.machine.rtt().rto(), rto, "the time of counter 1 is not known any more");
}
