//! What a client is told that finds no room.

use harness::listener::*;
use rdt_proto::Duration;
use rdt_proto::listener::{Busy, DropReason, ListenerConfig, Retry};
use rdt_proto::wire::{Framing, Packet, Tag};

/// A listener with one place and one pending handshake, which tells others that it is busy.
fn busy() -> ListenerTrace {
    let busy = Some(Busy { after: Duration::from_millis(1_500), code: 7 });
    ListenerTrace::new(ListenerConfig {
        peers: 1,
        backlog: 2,
        per_host: 3,
        busy,
        retry: Retry::Never,
        ..ListenerConfig::default()
    })
}

#[track_caller]
fn expect_busy(listener: &mut ListenerTrace, to: At, tag: Tag) {
    let (address, reset) = listener.transmit().expect("no RESET");
    assert_eq!((address, Framing::tagged(tag).decode(&reset)), (to, Ok(Packet::Reset { code: 7 })));
    listener.expect_nothing();
}

#[test]
fn a_client_that_waits_is_refused_as_busy() {
    let mut listener = busy();
    listener.established(At(1, 1), tag(1));
    listener.queues(At(2, 1), tag(2));
    listener.sleep(1_499, 1_500);
    expect_busy(&mut listener, At(2, 1), tag(2));
    assert_eq!((listener.machine.backlog_len(), listener.machine.stats().expired), (0, 1));
}

#[test]
fn a_client_above_a_limit_is_refused_at_once() {
    let mut listener = busy();
    listener.established(At(1, 1), tag(1));
    for port in [2, 3] {
        listener.queues(At(1, port), tag(1));
    }
    listener.ignores(At(1, 4), tag(4), DropReason::HostLimit);
    expect_busy(&mut listener, At(1, 4), tag(4));
    listener.ignores(At(2, 1), tag(5), DropReason::BacklogFull);
    expect_busy(&mut listener, At(2, 1), tag(5));
}
