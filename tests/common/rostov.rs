//! Connections with the public implementation of either method.
#![allow(dead_code, unreachable_pub, reason = "each test file includes it, and uses its part")]

use super::common::*;
use rdt_proto::connection::{Config, Ignored, Method, Role};

pub fn selective_repeat() -> Config {
    Config::rostov(Method::SelectiveRepeat)
}

pub fn stop_and_wait() -> Config {
    Config::rostov(Method::StopAndWait)
}

/// A client and a server, both established, with their FIN under way.
pub fn closing(config: Config) -> [Trace; 2] {
    [Trace::established_client(config), Trace::established_server(config)].map(|mut trace| {
        trace.machine.close();
        trace.expect(FIN);
        trace.expect_nothing();
        trace
    })
}

pub fn established(config: Config) -> [Trace; 2] {
    [Trace::established_client(config), Trace::established_server(config)]
}

/// Nothing is sent any more, whatever time passes and whatever the peer and the application do.
#[track_caller]
pub fn is_silent_for_ever(trace: &mut Trace) {
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

impl Trace {
    /// The number of the next INFO of the peer: a client's empty INFO 0 has been.
    pub fn next_of_peer(&self) -> u32 {
        u32::from(self.machine.role() == Role::Server)
    }

    /// The number of our next INFO.
    pub fn next_of_ours(&self) -> u32 {
        1 - self.next_of_peer()
    }
}
