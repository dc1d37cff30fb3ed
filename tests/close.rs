//! How a connection closes: FIN and FINACK each way, what is lost, lingering, abort.

mod common;

use common::*;
use rdt_proto::Duration;
use rdt_proto::connection::{Config, Ignored};

/// A FINACK that came before our FIN had left once counted as its answer, and the FIN was never sent.
#[test]
fn a_finack_before_our_fin_answers_nothing() {
    let mut client = Trace::established_client(Config::default());
    client.machine.close();
    client.ignores(FINACK, Ignored::Stage);
    client.expect(FIN);
    client.peer_sends(FINACK);
    client.expect_nothing();
}

/// A side that only received has measured no round trip. It once repeated its FIN after a whole second, when a peer with
/// a short round trip had just stopped lingering.
#[test]
fn a_fin_is_repeated_three_times_in_the_default_linger_without_a_measured_round_trip() {
    let mut server = Trace::established_server(Config::default());
    server.peer_sends(FIN);
    server.expect(FINACK);
    server.machine.close();
    server.expect(FIN);
    for _ in 0..10 {
        server.sleep(333, 355);
        server.expect(FIN);
    }
}

/// `abort` is told no time. The quarantine was once counted from the last call before it, and could be over already.
#[test]
fn the_quarantine_of_an_aborted_connection_begins_when_its_fin_has_left() {
    let mut client = Trace::established_client(Config::default());
    client.now = client.now + Duration::from_secs(20);
    client.machine.abort();
    client.expect(FIN);
    assert_eq!(client.machine.quarantine_end(), Some(client.now + Duration::from_secs(1)));
}
