//! Many peers on one socket: routing, backlog, release, quarantine, turns.

mod common;

use common::*;
use rdt_proto::connection::{Event, Reason};
use rdt_proto::listener::ListenerConfig;

/// Both sides of the connection with this address close, the peer first. It lingers.
#[track_caller]
fn finish(server: &mut Server, address: u8, id: rdt_proto::listener::PeerId) {
    server.takes(address, FIN);
    server.expect(address, FINACK);
    server.expect_event(id, Event::PeerClosed);
    server.peer(id).close();
    server.expect(address, FIN);
    server.takes(address, FINACK);
    server.expect_event(id, Event::Closed(Reason::Finished));
}

/// Releasing with the id of a connection that is gone once marked the connection that now has its slot as released.
#[test]
fn releasing_a_peer_that_is_gone_leaves_its_successor_alone() {
    let mut server = Server::new(ListenerConfig::default(), 1);
    let gone = server.connected(1);
    finish(&mut server, 1, gone);
    server.release(gone);
    server.elapse(4_000);
    assert!(server.machine.is_empty());

    let id = server.connected(2);
    assert_eq!(id.index(), gone.index());
    server.release(gone);
    server.takes(2, info(1, b"hello"));
    server.expect(2, ack(1));
    server.expect_event(id, Event::Readable);
    assert!(server.peer(id).is_established());
}
