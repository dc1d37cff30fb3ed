//! A connection in each of its states.

use harness::base::{BaseTrace, CONNACK, CONNECT, FIN, FINACK, ack, info};
use rdt_proto::connection::{Config, Event};

/// Every state with its name. In an established connection, one INFO in each direction has been acknowledged.
pub(crate) fn states() -> Vec<(&'static str, BaseTrace)> {
    let mut connecting = BaseTrace::client(Config::base());
    connecting.expect(CONNECT);
    let mut confirming = BaseTrace::server(Config::base());
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

fn established_client() -> BaseTrace {
    let mut client = BaseTrace::established_client(Config::base());
    client.peer_sends(info(0, b""));
    client.expect(ack(0));
    client
}

fn established_server() -> BaseTrace {
    let mut server = BaseTrace::established_server(Config::base());
    server.machine.send(b"x").unwrap();
    server.expect(info(0, b"x"));
    server.peer_sends(ack(0));
    server
}

fn fin_sent() -> BaseTrace {
    let mut client = established_client();
    client.machine.close();
    client.expect(FIN);
    client
}

fn fin_answered() -> BaseTrace {
    let mut client = fin_sent();
    client.peer_sends(FINACK);
    client
}

fn lingering() -> BaseTrace {
    let mut client = fin_answered();
    client.peer_sends(FIN);
    client.expect(FINACK);
    client
}

fn peer_closed() -> BaseTrace {
    let mut server = established_server();
    server.peer_sends(FIN);
    server.expect(FINACK);
    server.expect_event(Event::PeerClosed);
    server
}

fn last_fin() -> BaseTrace {
    let mut server = peer_closed();
    server.machine.close();
    server.expect(FIN);
    server
}
