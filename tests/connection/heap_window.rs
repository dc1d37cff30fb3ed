//! Windows that grow on the heap: memory for bodies only while they are kept, the promise, the budget.

use crate::windows::{CONFIG, SLOT, body, edge, establish, sends};
use harness::base::{BaseTrace, CONNACK, ack};
use harness::extended::*;
use rdt_proto::congestion::{Controller, FixedWindow};
use rdt_proto::connection::{Config, GrowingStorage, HandshakeParameters, HeapBudget, HeapWindow, Ignored, SendError};
use rdt_proto::store::{GrowingRecvSlots, PooledStore, SendSlots, SlotPool};
use rdt_proto::{Duration, Instant};

type Trace = ExtendedTrace<GrowingStorage<Controller>>;

/// What a place takes without a body.
const PLACE: usize = size_of::<Box<[u8]>>();

fn pooled(config: &Config, window: u32) -> GrowingStorage<Controller> {
    GrowingStorage::pooled_with(config, window, |datagram| FixedWindow::new(32 * u64::from(datagram)).into()).unwrap()
}

fn established(window: u32) -> Trace {
    let mut trace = Trace::client_with(CONFIG, pooled(&CONFIG, window));
    establish(&mut trace);
    trace
}

/// A server before INFO 0.
fn server(window: u32) -> Trace {
    let mut trace = Trace::server_with(CONFIG, PARAMETERS, pooled(&CONFIG, window));
    trace.learns_tag();
    trace
}

fn send(trace: &Trace) -> &SendSlots<SlotPool> {
    trace.machine.send_store()
}

fn recv(trace: &Trace) -> &GrowingRecvSlots<SlotPool> {
    trace.machine.recv_store()
}

/// The peer sends these numbers, and the application reads and updates the window after each.
fn arrive(trace: &mut Trace, window: &mut HeapWindow, budget: &mut HeapBudget, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        trace.receive(info(number, &body(number)));
        while !trace.machine.recv_chunk().is_empty() {
            trace.machine.consume(usize::MAX);
        }
        window.update(&mut trace.machine, budget);
        trace.drain();
    }
}

#[test]
fn memory_grows_as_it_is_used_up_to_the_most() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut server = server(4);
    window.update(&mut server.machine, &mut budget);
    arrive(&mut server, &mut window, &mut budget, 0..40);
    assert_eq!((recv(&server).pool().allowance(), window.taken()), (4, 0), "what is read at once needs no slot");
    arrive(&mut server, &mut window, &mut budget, [41, 42]);
    assert_eq!((recv(&server).pool().kept(), recv(&server).pool().allowance()), (2, 6));
    assert_eq!(window.taken(), 2 * SLOT + 4 * PLACE);
    arrive(&mut server, &mut window, &mut budget, 43..200);
    assert_eq!((recv(&server).pool().kept(), recv(&server).pool().allowance()), (63, 64), "the most");
    assert_eq!(window.taken(), 60 * (SLOT + PLACE));
    assert_eq!(budget.left(), (1 << 20) - window.taken());
    arrive(&mut server, &mut window, &mut budget, [40]);
    assert_eq!((recv(&server).pool().kept(), recv(&server).pool().allowance()), (0, 4), "all bodies are read");
}

/// Regression: a burst behind a gap on a fast path was dropped beyond the first bodies, and sent again.
#[test]
fn a_burst_behind_a_gap_is_kept_if_bursts_came_before() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut server = server(4);
    window.update(&mut server.machine, &mut budget);
    let mut burst = |server: &mut Trace, numbers: core::ops::Range<u32>| {
        for number in numbers {
            server.receive(info(number, &body(number)));
            server.machine.consume(usize::MAX);
        }
        window.update(&mut server.machine, &mut budget);
        server.drain();
    };
    burst(&mut server, 0..20);
    burst(&mut server, 21..50);
    assert_eq!(recv(&server).pool().kept(), 29);
    burst(&mut server, 20..21);
    server.machine.consume(usize::MAX);
    assert_eq!(recv(&server).pool().kept(), 28, "the oldest chunk was read");
}

/// Regression: acknowledgements that came together emptied the store, and what was written then counted as waiting for
/// the controller.
#[test]
fn a_send_store_that_fills_and_empties_in_turns_grows() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut client = established(4);
    window.update(&mut client.machine, &mut budget);
    sends(&mut client, 1, 4);
    client.peer_sends(sack(5, 4, 5, &[]));
    for number in 5..9 {
        client.machine.send_segment(&body(number)).unwrap();
    }
    assert!(window.update(&mut client.machine, &mut budget), "nothing has waited before");
    assert_eq!(send(&client).pool().allowance(), 8);
}

/// Over loopback, a send store as large as the window did not fit the cache, and copied a fifth slower.
#[test]
fn a_send_store_grows_no_further_than_the_round_trip_can_use() {
    let grown = |rtt_ms| {
        let (mut window, mut budget) = (HeapWindow::new(4, 16_384), HeapBudget::new(1 << 30));
        let storage = GrowingStorage::pooled_with(&CONFIG, 4, |_| FixedWindow::new(u64::MAX).into()).unwrap();
        let mut client = Trace::client_with(CONFIG, storage);
        client.learns_tag();
        client.peer_sends_connack(HandshakeParameters { window: 1_000, ..PARAMETERS });
        client.drain();
        client.elapse(rtt_ms);
        client.peer_sends(sack(1, 0, 1, &[]));
        for _ in 0..16 {
            while client.machine.send_segment(&[7; 1_200]).is_ok() {}
            client.drain();
            window.update(&mut client.machine, &mut budget);
        }
        send(&client).pool().allowance() as usize
    };
    assert_eq!(grown(0), (1 << 20) / SLOT, "1 MiB");
    assert!(grown(100) > 1_024, "the peer takes 1,000 packets, and more may wait");
}

#[test]
fn a_spent_budget_leaves_bodies_unacknowledged() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut server = server(4);
    window.update(&mut server.machine, &mut budget);
    arrive(&mut server, &mut window, &mut budget, 0..8);
    // Another connection takes the rest but five slots.
    let mut budget = HeapBudget::new(5 * SLOT);
    arrive(&mut server, &mut window, &mut budget, 9..24);
    assert_eq!((recv(&server).pool().kept(), recv(&server).pool().allowance()), (7, 8));
    assert!(budget.left() < SLOT);
    server.ignores(info(16, b"x"), Ignored::NoRoom);
    arrive(&mut server, &mut window, &mut budget, [8]);
    server.peer_sends(info(0, b""));
    assert_eq!(edge(&mut server), (16, 40), "what was kept is acknowledged");
}

#[test]
fn a_scarce_budget_announces_less_and_the_edge_stays() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut server = server(4);
    window.update(&mut server.machine, &mut budget);
    arrive(&mut server, &mut window, &mut budget, 0..8);
    server.peer_sends(info(0, b""));
    assert_eq!(edge(&mut server), (8, 40));
    let mut budget = HeapBudget::new(48 * SLOT);
    for (numbers, edges) in [(8..20, (20, 41)), (20..34, (34, 41)), (34..37, (37, 43)), (37..40, (40, 46))] {
        arrive(&mut server, &mut window, &mut budget, numbers);
        server.peer_sends(info(0, b""));
        assert_eq!(edge(&mut server), edges, "an eighth of 48 slots");
    }
    arrive(&mut server, &mut window, &mut HeapBudget::new(1 << 20), [40]);
    server.peer_sends(info(0, b""));
    assert_eq!(edge(&mut server), (41, 73), "the promise is still 32");
}

#[test]
fn the_promise_rises_while_the_application_reads() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut server = server(4);
    window.update(&mut server.machine, &mut budget);
    server.peer_sends(info(0, b""));
    server.peer_sends(info(1, b""));
    assert_eq!(edge(&mut server), (2, 18), "at first a quarter of the most");
    arrive(&mut server, &mut window, &mut budget, 2..8);
    server.peer_sends(info(0, b""));
    assert_eq!(edge(&mut server), (8, 40));
    for number in 8..40 {
        server.peer_sends(info(number, b"x"));
        window.update(&mut server.machine, &mut budget);
        server.drain();
    }
    server.peer_sends(info(0, b""));
    assert_eq!(edge(&mut server), (40, 40), "all are unread");
    for _ in 8..40 {
        server.machine.consume(1);
    }
    assert_eq!(edge(&mut server), (40, 72), "the application reads late, so the promise is the same");
    window.update(&mut server.machine, &mut budget);
    server.peer_sends(info(0, b""));
    assert_eq!(edge(&mut server), (40, 104));
}

#[test]
fn a_body_that_a_sack_reports_has_no_memory() {
    let mut client = established(8);
    sends(&mut client, 1, 4);
    assert_eq!(send(&client).pool().kept(), 4);
    client.elapse(100);
    client.peer_sends(sack(1, 4, 2, &[0b111]));
    assert_eq!(send(&client).pool().kept(), 1);
    client.expect(info(1, &body(1)));
    // The places of the others are still in use.
    sends(&mut client, 5, 4);
    assert!(client.machine.send_segment(b"x").is_err());
    client.peer_sends(sack(9, 8, 9, &[]));
    assert!(client.machine.is_all_acknowledged());
    assert_eq!(send(&client).pool().kept(), 0);
}

/// Regression: the budget had back what a smaller allowance left in the store, and lent it to another connection.
#[test]
fn the_budget_lends_no_memory_that_is_still_held() {
    let (mut window, mut budget) = (HeapWindow::new(4, 512), HeapBudget::new(1 << 20));
    let mut client = established(4);
    window.update(&mut client.machine, &mut budget);
    let fill = |client: &mut Trace| while client.machine.send_segment(&[7; 1_200]).is_ok() {};
    // 32 packets fit into the controller's window, and the peer acknowledges nothing.
    for _ in 0..8 {
        fill(&mut client);
        client.drain();
        window.update(&mut client.machine, &mut budget);
    }
    fill(&mut client);
    // Another connection has taken most of the budget.
    let mut budget = HeapBudget::new(8 * SLOT);
    let held = |client: &Trace, window: &HeapWindow| (send(client).pool().kept() as usize - 4) * SLOT <= window.taken();
    assert!(held(&client, &window));
    for _ in 0..4 {
        window.update(&mut client.machine, &mut budget);
        assert!(held(&client, &window), "{} bodies, {} bytes", send(&client).pool().kept(), window.taken());
    }
}

#[test]
fn empty_memory_is_given_back_after_a_second() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut client = established(4);
    window.update(&mut client.machine, &mut budget);
    sends(&mut client, 1, 4);
    assert!(window.update(&mut client.machine, &mut budget));
    assert_eq!((send(&client).pool().allowance(), window.taken()), (8, 4 * (SLOT + PLACE)));
    client.peer_sends(sack(5, 4, 5, &[]));
    window.update(&mut client.machine, &mut budget);
    assert_eq!(send(&client).pool().allowance(), 8, "it may be needed again at once");
    client.now = client.now + Duration::from_secs(1);
    client.machine.handle_timeout(client.now);
    window.update(&mut client.machine, &mut budget);
    assert_eq!((send(&client).pool().allowance(), window.taken(), budget.left()), (4, 0, 1 << 20));
    sends(&mut client, 5, 4);
}

/// Regression: each of many idle connections held on to a slot each way, which takes 62,000 bytes within a machine.
#[test]
fn short_messages_hold_on_to_no_memory() {
    let (mut window, mut budget) = (HeapWindow::new(16, 64), HeapBudget::new(1 << 20));
    let mut server = server(16);
    let spare = |trace: &Trace| [send(trace).pool().spare(), recv(trace).pool().spare()];
    arrive(&mut server, &mut window, &mut budget, 0..3);
    assert_eq!(spare(&server), [0, 0], "they come one at a time");
    sends(&mut server, 0, 2);
    server.peer_sends(sack(2, 3, 2, &[]));
    assert_eq!(spare(&server), [2, 0], "it may write at once");
    window.update(&mut server.machine, &mut budget);
    assert_eq!(spare(&server), [0, 0]);
    // Bodies that come in a burst are followed by more.
    for number in 3..6 {
        server.receive(info(number, &body(number)));
    }
    arrive(&mut server, &mut window, &mut budget, [6]);
    assert_eq!(spare(&server), [0, 4]);
    arrive(&mut server, &mut window, &mut budget, 7..10);
    assert_eq!(spare(&server), [0, 0], "one at a time again");
}

/// Regression: a loop that asks for a slot before it knows whether there is something to write kept one for each client.
#[test]
fn a_slot_that_is_lent_without_use_is_given_back_after_a_second() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut client = established(4);
    sends(&mut client, 1, 4);
    window.update(&mut client.machine, &mut budget);
    client.peer_sends(sack(5, 4, 5, &[]));
    assert!(!client.machine.send_slot().unwrap().is_empty());
    window.update(&mut client.machine, &mut budget);
    assert_eq!(send(&client).pool().kept(), 1, "it may be filled");
    client.now = client.now + Duration::from_secs(1);
    client.machine.handle_timeout(client.now);
    window.update(&mut client.machine, &mut budget);
    assert_eq!(send(&client).pool().kept(), 0);
    assert_eq!(client.machine.commit(1), Err(SendError::NotLent));
    sends(&mut client, 5, 4);
}

/// The time of the last body was of the old clock, and the memory stayed until that time came again.
#[test]
fn memory_is_given_back_on_another_clock() {
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut client = established(4);
    client.elapse(5_000);
    sends(&mut client, 1, 4);
    window.update(&mut client.machine, &mut budget);
    client.peer_sends(sack(5, 4, 5, &[]));
    let to = Instant::from_millis(10);
    client.machine.rebase(client.now, to);
    window.update(&mut client.machine, &mut budget);
    assert_eq!(send(&client).pool().allowance(), 8);
    client.machine.handle_timeout(to + Duration::from_secs(1));
    window.update(&mut client.machine, &mut budget);
    assert_eq!(send(&client).pool().allowance(), 4);
}

#[test]
fn many_clients_share_one_budget() {
    const BYTES: usize = 100 * SLOT;
    let mut budget = HeapBudget::new(BYTES);
    let mut clients: Vec<_> = (0..20).map(|_| (server(4), HeapWindow::new(4, 64))).collect();
    for (trace, window) in &mut clients {
        window.update(&mut trace.machine, &mut budget);
        arrive(trace, window, &mut budget, (0..40).chain(41..104));
    }
    let taken: usize = clients.iter().map(|(_, window)| window.taken()).sum();
    assert_eq!(taken + budget.left(), BYTES);
    let kept = |trace: &Trace| recv(trace).pool().kept();
    let all: Vec<_> = clients.iter().map(|(trace, _)| kept(trace)).collect();
    assert_eq!((all[0], all[19]), (11, 3), "the first takes no more than a share: {all:?}");
    // Each client goes on: the next number in order always has a slot.
    for (trace, window) in &mut clients {
        arrive(trace, window, &mut budget, 40..104);
        trace.expect_nothing();
        assert_eq!(kept(trace), 0);
    }
    for (mut trace, window) in clients {
        window.give_back(&mut trace.machine, &mut budget);
        assert_eq!(recv(&trace).pool().allowance(), 4);
    }
    assert_eq!(budget.left(), BYTES);
}

/// Regression: eight slots for all time. A server that was busy with its disk dropped the rest of each burst, and the
/// controller of the peer, whose window nothing else limits, took seconds to recover.
#[test]
fn in_base_mode_the_receive_store_grows_within_the_budget() {
    const BYTES: usize = 8 * 32 * SLOT;
    let base = Config::base();
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(BYTES));
    let mut server = BaseTrace::server_with(base, pooled(&base, 4));
    window.update(&mut server.machine, &mut budget);
    server.expect(CONNACK);
    // The application reads nothing. Each batch is twice as long, as in slow start.
    for (first, end) in [(0, 2), (2, 6), (6, 14), (14, 30)] {
        for number in first..end {
            server.receive(info(number, &body(number)));
        }
        window.update(&mut server.machine, &mut budget);
        for number in first..end {
            server.expect(ack(number));
        }
        server.expect_nothing();
    }
    assert_eq!(server.machine.recv_store().pool().kept(), 30);
    // No more than an eighth of the budget: others need it as well.
    for number in 30..64 {
        server.receive(info(number, &body(number)));
    }
    assert_eq!(server.machine.recv_store().pool().kept(), 32);
    (30..32).for_each(|number| server.expect(ack(number)));
    server.expect_nothing();
    while !server.machine.recv_chunk().is_empty() {
        server.machine.consume(usize::MAX);
    }
    window.give_back(&mut server.machine, &mut budget);
    assert_eq!(budget.left(), BYTES);
}

#[test]
fn in_base_mode_the_send_store_grows() {
    let base = Config::base();
    let (mut window, mut budget) = (HeapWindow::new(4, 64), HeapBudget::new(1 << 20));
    let mut client = BaseTrace::client_with(base, pooled(&base, 4));
    window.update(&mut client.machine, &mut budget);
    for number in 0..4 {
        client.machine.send_segment(&body(number)).unwrap();
    }
    assert!(window.update(&mut client.machine, &mut budget));
    assert_eq!(client.machine.send_store().pool().allowance(), 8);
}
