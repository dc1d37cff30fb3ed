//! What one host and one address may have of a listener in extended mode, by handshakes and by moving.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod door;

use door::*;
use rdt_proto::connection::{Config, Event, Handled, Mode, Reason};
use rdt_proto::listener::{ListenerConfig, Retry, Routed, Unrouted};
use rdt_proto::wire::{Framing, Options, Packet};

fn config(retry: Retry) -> ListenerConfig {
    ListenerConfig { retry, ..ListenerConfig::default() }
}

/// As many forged CONNECTs as a host may have entries once kept everybody of that host out.
#[test]
fn forged_connects_of_a_host_do_not_keep_out_who_proves_its_address() {
    let mut door = Door::new(ListenerConfig { per_host: 2, ..config(Retry::Auto) });
    door.queues(At(1, 66), tag(66));
    door.accepts(At(1, 66));
    door.queues(At(1, 67), tag(67));
    for port in 1..=2 {
        let cookie = door.retries(At(1, port), tag(1));
        assert_eq!(door.connect(At(1, port), tag(1), Some(&cookie)), Routed::Queued);
    }
    // Only those who are there keep others out, and for them no proof is asked in vain.
    door.ignores(At(1, 3), tag(1), Unrouted::HostLimit);
    assert_eq!((door.machine.stats().host_limit, door.machine.stats().retried), (1, 2));
    door.queues(At(2, 1), tag(1));
}

/// A handshake that proved nothing holds no place against those who did.
#[test]
fn the_first_info_of_a_host_that_has_as_many_proven_ones_as_it_may_ends_its_handshake() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    door.queues(At(1, 1), tag(1));
    let late = door.accepts(At(1, 1));
    let cookie = door.retries(At(1, 2), tag(2));
    assert_eq!(door.connect(At(1, 2), tag(2), Some(&cookie)), Routed::Queued);
    let sooner = door.accepts(At(1, 2));
    door.takes(&late, info(0, b"late"));
    door.expect_event(&late, Event::Connected);
    door.expect_event(&late, Event::Readable);
    door.expect_event(&late, Event::Closed(Reason::Superseded));
    door.confirms(&sooner);
    assert_eq!(door.machine.stats().superseded, 1);
    // It is no entry of the proven ones, however long it stays.
    door.peer(&sooner).abort(0);
    door.drain();
    door.machine.release(door.now, sooner.id);
    let cookie = door.retries(At(1, 3), tag(3));
    assert_eq!(door.connect(At(1, 3), tag(3), Some(&cookie)), Routed::Queued);
}

/// Nor is a cookie worth more for one that waits already.
#[test]
fn one_that_waits_is_proven_only_while_its_host_may_have_more() {
    let mut door = Door::new(ListenerConfig { per_host: 1, ..config(Retry::Auto) });
    let made_before = {
        let mut other = Door::new(config(Retry::Always));
        other.retries(At(1, 1), tag(1))
    };
    door.queues(At(1, 1), tag(1));
    let cookie = door.retries(At(1, 2), tag(2));
    assert_eq!(door.connect(At(1, 2), tag(2), Some(&cookie)), Routed::Queued);
    assert_eq!(door.connect(At(1, 1), tag(1), Some(&made_before)), Routed::Queued);
    assert_eq!(door.machine.stats().bad_cookie, 0);
    assert!(!door.incoming(At(1, 1)).is_proven());
    assert!(door.incoming(At(1, 2)).is_proven());
}

/// Base mode proves nothing: it keeps nobody of extended mode out of his host.
#[test]
fn connections_of_base_mode_keep_out_only_those_who_prove_nothing() {
    let both = Config { mode: Mode::Both, ..Config::default() };
    let mut door = Door::new(ListenerConfig { connection: both, per_host: 1, ..config(Retry::Auto) });
    let base = |door: &mut Door, from: At, packet: Packet<'_>| {
        let mut datagram = [0; 64];
        let len = packet.encode(&Framing::NOTE, &mut datagram).unwrap();
        door.receive(from, &datagram[..len])
    };
    assert_eq!(base(&mut door, At(1, 1), Packet::Connect(Options::NONE)), Routed::Queued);
    let incoming = door.incoming(At(1, 1));
    let id = door.accept(incoming);
    assert_eq!(base(&mut door, At(1, 1), info(0, b"")), Routed::Peer(id, Handled::Accepted));
    let second = base(&mut door, At(1, 2), Packet::Connect(Options::NONE));
    assert_eq!(second, Routed::Ignored(Unrouted::HostLimit));
    door.machine.peer_mut(id).unwrap().abort(0);
    let cookie = door.connect(At(1, 3), tag(1), None);
    assert_eq!(cookie, Routed::Retried);
}
