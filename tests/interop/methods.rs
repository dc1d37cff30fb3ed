//! Connections with the public implementation, for both of its methods.

use harness::base::*;
use rdt_proto::connection::{Config, Ignored, Method};

pub(crate) fn selective_repeat() -> Config {
    Config::rostov(Method::SelectiveRepeat)
}

pub(crate) fn stop_and_wait() -> Config {
    Config::rostov(Method::StopAndWait)
}

/// A client and a server that have just sent their FIN.
pub(crate) fn closing(config: Config) -> [BaseTrace; 2] {
    [BaseTrace::established_client(config), BaseTrace::established_server(config)].map(|mut trace| {
        trace.machine.close();
        trace.expect(FIN);
        trace.expect_nothing();
        trace
    })
}

/// An established client and an established server.
pub(crate) fn established(config: Config) -> [BaseTrace; 2] {
    [BaseTrace::established_client(config), BaseTrace::established_server(config)]
}

/// Asserts that no packet, call or timeout makes the machine send anything more.
#[track_caller]
pub(crate) fn is_silent_for_ever(trace: &mut BaseTrace) {
    for packet in [CONNECT, CONNACK, info(0, b""), info(1, b"late"), ack(0), ack(1), FINACK] {
        trace.ignores(packet, Ignored::Closed);
        trace.expect_nothing();
    }
    trace.machine.close();
    trace.machine.abort(0);
    trace.expect_nothing();
    trace.elapse(600_000);
    trace.ignores(FIN, Ignored::Closed);
    trace.expect_nothing();
    assert!(trace.machine.is_drained());
}
