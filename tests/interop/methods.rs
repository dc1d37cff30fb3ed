//! Connections with the public implementation of either method.

use harness::base::*;
use rdt_proto::connection::{Config, Ignored, Method};

pub(crate) fn selective_repeat() -> Config {
    Config::rostov(Method::SelectiveRepeat)
}

pub(crate) fn stop_and_wait() -> Config {
    Config::rostov(Method::StopAndWait)
}

/// A client and a server, both established, with their FIN under way.
pub(crate) fn closing(config: Config) -> [BaseTrace; 2] {
    [BaseTrace::established_client(config), BaseTrace::established_server(config)].map(|mut trace| {
        trace.machine.close();
        trace.expect(FIN);
        trace.expect_nothing();
        trace
    })
}

pub(crate) fn established(config: Config) -> [BaseTrace; 2] {
    [BaseTrace::established_client(config), BaseTrace::established_server(config)]
}

/// Nothing is sent any more, whatever time passes and whatever the peer and the application do.
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
