//! How a connection closes: FIN and FINACK each way, what is lost, lingering, abort.

mod common;

use common::*;
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
