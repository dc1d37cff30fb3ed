//! rdt-proto: two connections in extended mode with selective repeat.

use rdt_proto::Duration;
use rdt_proto::congestion::{Algorithm, Controller, FixedWindow};
use rdt_proto::connection::{Config, Connection, HeapStorage};

use super::rdt_ends::{ends, extended_header_len};
use crate::stack::{Control, Endpoint, Settings, Stack};

/// The congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Default,
    Cubic,
    NewReno,
    /// A constant number of bytes in flight: the window of the settings. Only for `memory`.
    Fixed,
}

pub struct Rdt(pub Kind);

impl Rdt {
    fn controller(&self, datagram: u32, window: u64) -> Controller {
        match self.0 {
            Kind::Default => Controller::new(datagram),
            Kind::Cubic => Algorithm::Cubic.controller(datagram),
            Kind::NewReno => Algorithm::NewReno.controller(datagram),
            Kind::Fixed => FixedWindow::new(window).into(),
        }
    }

    fn ends(&self, config: Config, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let packets = packets(s)?;
        let controller = |datagram| self.controller(datagram, s.window as u64);
        let storage =
            || HeapStorage::on_heap_with(&config, packets, controller).expect("a window has at least one slot");
        let [client, server] = ends(config, storage);
        Some((client, server))
    }
}

/// A config whose bodies fill a datagram, without limits on the handshake and on unanswered data.
fn config(s: &Settings) -> Option<Config> {
    let segment = u16::try_from(s.datagram - extended_header_len()).ok()?;
    Some(Config {
        segment,
        recv_segment: segment,
        handshake_limit: Duration::MAX,
        idle_limit: Duration::MAX,
        pacing_granularity: Duration::from_millis(1),
        ..Config::default()
    })
}

/// The number of bodies in a window.
fn packets(s: &Settings) -> Option<u32> {
    u32::try_from(s.window.div_ceil(s.datagram - extended_header_len())).ok()
}

impl Stack for Rdt {
    fn name(&self) -> &'static str {
        match self.0 {
            Kind::Default => "rdt",
            Kind::Cubic => "rdt cubic",
            Kind::NewReno => "rdt newreno",
            Kind::Fixed => "rdt fixed",
        }
    }

    fn options(&self, _: Control) -> String {
        let congestion = match self.0 {
            Kind::Default => "BandwidthDelay (default)",
            Kind::Cubic => "Cubic",
            Kind::NewReno => "NewReno",
            Kind::Fixed => "FixedWindow: no congestion control, the window in flight",
        };
        format!("extended mode, selective repeat, {congestion}, pacing granularity 1 ms, no idle limit, no checksum")
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn is_simulated(&self) -> bool {
        self.0 != Kind::Fixed
    }

    fn connection_bytes(&self) -> Option<usize> {
        Some(size_of::<Connection<HeapStorage<Controller>>>())
    }

    fn lent_bytes(&self, s: &Settings) -> usize {
        let (Some(config), Some(packets)) = (config(s), packets(s)) else { return 0 };
        config.send_bytes(packets) + config.recv_bytes(packets)
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        self.ends(config(s)?, s)
    }

    fn pair_with_limits(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let Config { handshake_limit, idle_limit, .. } = Config::default();
        self.ends(Config { handshake_limit, idle_limit, ..config(s)? }, s)
    }
}
