//! A connection in each of its states.

use super::{CONNACK, CONNECT, FIN, FINACK, Trace, ack, info};
use rdt_proto::connection::{Config, Event};

/// Every state by name. Where a connection is established, one INFO was acknowledged in each direction.
pub fn states() -> Vec<(&'static str, Trace)> {
    let mut connecting = Trace::client(Config::base());
    connecting.expect(CONNECT);
    let mut confirming = Trace::server(Config::base());
    confirming.expect(CONNACK);
    let mut outstanding = established_client();
    outstanding.machine.send(b"x").unwrap();
    outstanding.expect(info(1, b"x"));
    let mut closing = established_client();
    closing.machine.send(b"x").unwrap();
    closing.expect(info(1, b"x"));
    closing.machine.close();
    let mut drained = lingering();
    drained.elapse(1_000);
    let mut aborted = established_client();
    aborted.machine.abort(0);
    aborted.expect(FIN);
    vec![
        ("connecting", connecting),
        ("confirming", confirming),
        ("established client", established_client()),
        ("established server", established_server()),
        ("outstanding", outstanding),
        ("closing", closing),
        ("fin sent", fin_sent()),
        ("fin answered", fin_answered()),
        ("peer closed", peer_closed()),
        ("last fin", last_fin()),
        ("lingering", lingering()),
        ("drained", drained),
        ("aborted", aborted),
    ]
}

fn established_client() -> Trace {
    let mut client = Trace::established_client(Config::base());
    client.peer_sends(info(0, b""));
    client.expect(ack(0));
    client
}

fn established_server() -> Trace {
    let mut server = Trace::established_server(Config::base());
    server.machine.send(b"x").unwrap();
    server.expect(info(0, b"x"));
    server.peer_sends(ack(0));
    server
}

fn fin_sent() -> Trace {
    let mut client = established_client();
    client.machine.close();
    client.expect(FIN);
    client
}

fn fin_answered() -> Trace {
    let mut client = fin_sent();
    client.peer_sends(FINACK);
    client
}

fn lingering() -> Trace {
    let mut client = fin_answered();
    client.peer_sends(FIN);
    client.expect(FINACK);
    client
}

fn peer_closed() -> Trace {
    let mut server = established_server();
    server.peer_sends(FIN);
    server.expect(FINACK);
    server.expect_event(Event::PeerClosed);
    server
}

fn last_fin() -> Trace {
    let mut server = peer_closed();
    server.machine.close();
    server.expect(FIN);
    server
}
