//! rdt-proto: two connections in extended mode with selective repeat.

use rdt_proto::Duration;
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{BandwidthDelay, Controller, Cubic, FixedWindow, NewReno, Pacer};
use rdt_proto::connection::Config;
use rdt_proto::store::{SendSlots, slot_bytes};

use super::rdt_ends::{Machine, ends, extended_header_len, stores};
use crate::stack::{Control, Endpoint, Settings, Stack};

/// Which congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Default,
    Cubic,
    NewReno,
    /// The window of the setting, in flight and in the stores: for `memory`.
    Fixed,
}

pub struct Rdt(pub Kind);

type Selective = SelectiveRepeat<Vec<Block>, Controller>;

/// The resolution of the clock that a real driver would wait with: an `epoll` wait is 1 ms.
const GRANULARITY: Duration = Duration::from_millis(1);

impl Rdt {
    fn controller(&self, datagram: u32, window: u64) -> Controller {
        match self.0 {
            Kind::Default => Controller::from(BandwidthDelay::new(datagram)),
            Kind::Cubic => Controller::from(Cubic::new(datagram)),
            Kind::NewReno => Controller::from(NewReno::new(datagram)),
            Kind::Fixed => Controller::from(FixedWindow::new(window)),
        }
    }

    fn selective(&self, s: &Settings, slots: usize) -> Option<Selective> {
        let datagram = u32::try_from(s.datagram).ok()?;
        let blocks = vec![Block::EMPTY; slots.div_ceil(64).next_power_of_two()];
        SelectiveRepeat::new(blocks, self.controller(datagram, s.window as u64), Pacer::new(GRANULARITY, datagram))
    }
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
            Kind::Fixed => "Fixed: no congestion control, the window in flight",
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
        Some(size_of::<Machine<SendSlots<Vec<u8>>, Selective>>())
    }

    fn lent_bytes(&self, s: &Settings) -> usize {
        2 * s.window.div_ceil(s.datagram - extended_header_len())
            * slot_bytes((s.datagram - extended_header_len()) as u16)
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let segment = u16::try_from(s.datagram - extended_header_len()).ok()?;
        let config = Config { segment, handshake_limit: Duration::MAX, idle_limit: Duration::MAX, ..Config::default() };
        let slots = s.window.div_ceil(segment.into());
        let mechanism = self.selective(s, slots)?;
        let [client, server] = ends(config, || stores(slots, segment, mechanism.clone()));
        Some((client, server))
    }
}
