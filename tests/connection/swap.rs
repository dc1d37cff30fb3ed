//! Bodies that enter the send store, or leave the receive store, with their memory.

use crate::windows::{CONFIG, establish};
use harness::extended::*;
use rdt_proto::congestion::{Controller, FixedWindow};
use rdt_proto::connection::{Config, Event, GrowingStorage, SendError};
use rdt_proto::store::{PooledSlot, PooledStore};

type Trace = ExtendedTrace<GrowingStorage<Controller>>;

const SMALL: Config = Config { segment: 480, ..CONFIG };

/// An established client with room for `window` bodies.
fn client(config: Config, window: u32) -> Trace {
    let controller = |datagram: u32| FixedWindow::new(32 * u64::from(datagram)).into();
    let mut trace = Trace::client_with(config, GrowingStorage::pooled_with(&config, window, controller).unwrap());
    establish(&mut trace);
    while trace.machine.poll_event().is_some() {}
    trace
}

fn filled(trace: &Trace, data: &[u8]) -> PooledSlot {
    let mut slot = trace.machine.new_send_slot();
    slot.bytes_mut()[..data.len()].copy_from_slice(data);
    slot
}

#[test]
fn a_swapped_slot_is_a_packet_of_its_own() {
    let mut client = client(SMALL, 8);
    let mut slot = filled(&client, b"second");
    assert_eq!(client.machine.send(b"first"), Ok(5));
    client.machine.send_swap(&mut slot, 6).unwrap();
    assert_eq!(client.machine.send(b"third"), Ok(5));
    for (number, body) in [(1, &b"first"[..]), (2, b"second"), (3, b"third")] {
        client.expect(info(number, body));
    }
    client.expect_nothing();
    client.machine.send_swap(&mut slot, 0).unwrap();
    client.expect_nothing();
}

/// The slot gets the memory of a body that the peer has acknowledged, so nothing is allocated.
#[test]
fn memory_goes_round() {
    let mut client = client(SMALL, 8);
    let mut slot = filled(&client, b"one");
    client.machine.send_swap(&mut slot, 3).unwrap();
    assert_eq!((slot.bytes().len(), client.machine.send_store().pool().kept()), (480, 1));
    client.expect(info(1, b"one"));
    client.peer_sends(sack(2, 1, 2, &[]));
    assert_eq!(client.machine.send_store().pool().kept(), 0);
    slot.bytes_mut()[..3].copy_from_slice(b"two");
    client.machine.send_swap(&mut slot, 3).unwrap();
    client.expect(info(2, b"two"));
    assert_eq!(&slot.bytes()[..3], b"one");
}

/// `send_slot` has given memory to the next body already, which then goes into the slot.
#[test]
fn a_lent_slot_is_swapped_as_well() {
    let mut client = client(SMALL, 8);
    client.machine.send_slot().unwrap()[..4].copy_from_slice(b"lent");
    let mut slot = filled(&client, b"body");
    client.machine.send_swap(&mut slot, 4).unwrap();
    assert_eq!(client.machine.commit(4), Err(SendError::NotLent));
    client.expect(info(1, b"body"));
    assert_eq!((&slot.bytes()[..4], client.machine.send_store().pool().kept()), (&b"lent"[..], 1));
}

#[test]
fn a_full_store_takes_a_slot_once_a_body_is_acknowledged() {
    let mut client = client(SMALL, 2);
    let mut slot = filled(&client, b"body");
    for _ in 0..2 {
        client.machine.send_swap(&mut slot, 4).unwrap();
        slot.bytes_mut()[..4].copy_from_slice(b"next");
    }
    assert_eq!(client.machine.send_swap(&mut slot, 4), Err(SendError::Full));
    assert_eq!(&slot.bytes()[..4], b"next", "a refused slot stays as it was");
    client.expect(info(1, b"body"));
    client.expect(info(2, b"next"));
    client.peer_sends(sack(2, 1, 2, &[]));
    client.expect_event(Event::Writable);
    client.machine.send_swap(&mut slot, 4).unwrap();
    client.expect(info(3, b"next"));
}

#[test]
fn a_slot_that_a_datagram_may_not_carry_is_refused() {
    let mut client = client(Config { segment: 4_000, ..CONFIG }, 8);
    let mut slot = filled(&client, &[7; 1_201]);
    let refused = client.machine.send_swap(&mut slot, 1_201);
    assert_eq!(refused, Err(SendError::TooLarge { length: 1_201, limit: 1_200 }), "the peer takes 1,200");
    assert_eq!(client.machine.send(&slot.bytes()[..1_201]), Ok(1_201));
    client.expect(info(1, &[7; 1_200]));
    client.expect(info(2, &[7]));
}

#[test]
fn a_slot_of_another_segment_or_of_a_closed_connection_is_refused() {
    let (mut small, large) = (client(SMALL, 8), client(CONFIG, 8));
    let refused = small.machine.send_swap(&mut large.machine.new_send_slot(), 4);
    assert_eq!(refused, Err(SendError::ForeignSlot));
    let mut slot = small.machine.new_send_slot();
    small.machine.close();
    assert_eq!(small.machine.send_swap(&mut slot, 4), Err(SendError::Closing));
    small.machine.abort(0);
    assert_eq!(small.machine.send_swap(&mut slot, 4), Err(SendError::Closed));
}

/// A body that was swapped in is cut as any other when the path turns out to carry less.
#[test]
fn an_unsent_body_is_cut_when_the_path_shrinks() {
    let mut client = client(CONFIG, 8);
    let mut slot = filled(&client, &[7; 1_200]);
    client.machine.send_swap(&mut slot, 1_200).unwrap();
    client.machine.handle_datagram_too_large(client.now, 1_216);
    // The body is cut into equal pieces.
    for number in 1..=3 {
        client.expect(info(number, &[7; 400]));
    }
    let refused = client.machine.send_swap(&mut slot, 493);
    assert_eq!(refused, Err(SendError::TooLarge { length: 493, limit: 492 }));
}

#[test]
fn a_body_leaves_with_its_memory() {
    let mut client = client(SMALL, 8);
    let mut slot = client.machine.new_recv_slot();
    assert_eq!(client.machine.recv_swap(&mut slot), None, "nothing is unread");
    slot.bytes_mut()[..3].copy_from_slice(b"old");
    client.peer_sends(info(0, b"first"));
    client.peer_sends(info(1, b"second"));
    client.machine.consume(2);
    assert_eq!(client.machine.recv_swap(&mut slot), Some(2..5));
    assert_eq!((&slot.bytes()[..5], client.machine.recv_chunk()), (&b"first"[..], &b"second"[..]));
    assert_eq!(client.machine.recv_swap(&mut slot), Some(0..6));
    assert_eq!(&slot.bytes()[..6], b"second");
    assert_eq!(client.machine.recv_swap(&mut slot), None);
    assert_eq!(client.machine.recv_store().pool().kept(), 0);
}

/// A body behind a gap is unread only once the gap is closed. An empty body is passed by.
#[test]
fn bodies_leave_in_order() {
    let mut client = client(SMALL, 8);
    let mut slot = client.machine.new_recv_slot();
    client.peer_sends(info(2, b"third"));
    assert_eq!(client.machine.recv_swap(&mut slot), None);
    client.peer_sends(info(1, b""));
    client.peer_sends(info(0, b"first"));
    assert_eq!(client.machine.recv_swap(&mut slot), Some(0..5));
    assert_eq!(client.machine.recv_swap(&mut slot), Some(0..5));
    assert_eq!(&slot.bytes()[..5], b"third");
    let (next, right) = crate::windows::edge(&mut client);
    assert_eq!((next, right - next), (3, 8), "the window is open again");
}

#[test]
fn a_body_does_not_leave_into_a_slot_of_another_segment() {
    let mut client = client(Config { recv_segment: 1_000, ..SMALL }, 8);
    client.peer_sends(info(0, b"first"));
    assert_eq!(client.machine.recv_swap(&mut client.machine.new_send_slot()), None);
    assert_eq!(client.machine.recv_chunk(), b"first");
}
