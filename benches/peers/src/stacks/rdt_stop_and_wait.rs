//! rdt-proto: two connections in extended mode with stop-and-wait, for serial lines.

use rdt_proto::Duration;
use rdt_proto::connection::{Config, HeapStopAndWait};

use super::rdt_ends::{ends, extended_header_len};
use crate::stack::{Control, Endpoint, Settings, Stack};

pub struct RdtStopAndWait;

impl Stack for RdtStopAndWait {
    fn name(&self) -> &'static str {
        "rdt stop-and-wait"
    }

    fn options(&self, _: Control) -> String {
        "extended mode, stop-and-wait, no idle limit, no checksum; only on the serial lines of `paths`".into()
    }

    fn takes_paths(&self, is_serial: bool) -> bool {
        is_serial
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let segment = u16::try_from(s.datagram - extended_header_len()).ok()?;
        let never = Duration::MAX;
        let limits = Config { handshake_limit: never, idle_limit: never, ..Config::default() };
        let config = Config { segment, recv_segment: segment, ..limits };
        let storage = || HeapStopAndWait::stop_and_wait_on_heap(&config).expect("the config has at least one slot");
        let [client, server] = ends(config, storage);
        Some((client, server))
    }
}
