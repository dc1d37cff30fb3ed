//! The lines of `-v`: what a connection does, for people.

use crate::messages::{counted, duration, to_stderr, was_or_were};
use crate::qlog::VantagePoint;
use indicatif::HumanBytes;
use rdt_proto::connection::{CloseReason, ConnectionState, PathSnapshot, Timer, TraceEvent};
use rdt_proto::wire::Packet;
use rdt_proto::{Duration, Instant};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// The interval between two lines about losses, windows and rates of a connection.
const INTERVAL: Duration = Duration::from_secs(2);

/// Explains what one connection does.
pub(crate) struct Narrator {
    peer: SocketAddr,
    side: VantagePoint,
    started: Option<Instant>,
    path: Option<PathSnapshot>,
    /// What the last lines said.
    said: Said,
    /// The number of losses since the start.
    lost: u64,
    /// The bytes of bodies that have arrived, repeats included.
    arrived: u64,
}

/// What the lines so far have said.
#[derive(Default)]
struct Said {
    at: Instant,
    segment: Option<usize>,
    window: u64,
    lost: u64,
    delivered: u64,
    arrived: u64,
}

impl Narrator {
    /// A narrator of the connection to `peer`. Each line has its address.
    pub(crate) fn new(peer: SocketAddr, side: VantagePoint) -> Self {
        Self { peer, side, started: None, path: None, said: Said::default(), lost: 0, arrived: 0 }
    }

    pub(crate) fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        for line in self.lines(now, event) {
            if let Some(left_out) = LIMIT.lock().unwrap_or_else(PoisonError::into_inner).handle(std_now()) {
                to_stderr(format_args!("{}: {line}{left_out}", self.peer));
            }
        }
    }

    fn lines(&mut self, now: Instant, event: &TraceEvent<'_>) -> Vec<String> {
        let started = *self.started.get_or_insert(now);
        match event {
            TraceEvent::Sent { datagram, .. } => match datagram.packet {
                Packet::Connect(_) if self.path.is_none() && started == now => vec!["connecting".into()],
                _ => Vec::new(),
            },
            TraceEvent::Received { datagram, .. } => match datagram.packet {
                Packet::Info { body, .. } => {
                    self.arrived += body.len() as u64;
                    // The path of a side that only receives does not change.
                    self.path.map(|path| self.summary_if_due(now, &path)).unwrap_or_default()
                }
                Packet::Retry { .. } => vec!["the server asks to validate the address; connecting again".into()],
                Packet::Fin => vec!["the peer has sent everything".into()],
                _ => Vec::new(),
            },
            TraceEvent::Lost(_) => {
                self.lost += 1;
                Vec::new()
            }
            TraceEvent::Path(path) => self.on_path(now, path),
            TraceEvent::Expired(timer) => timer_line(*timer).map(str::to_owned).into_iter().collect(),
            TraceEvent::State(state) => self.on_state(now, started, *state),
            TraceEvent::Moved => vec!["the peer has moved to another address; the path is measured again".into()],
            TraceEvent::Ignored(_) | TraceEvent::Phase(_) => Vec::new(),
            // A later version of the library.
            _ => Vec::new(),
        }
    }

    fn on_state(&mut self, now: Instant, started: Instant, state: ConnectionState) -> Vec<String> {
        let took = duration(now.saturating_since(started));
        vec![match state {
            ConnectionState::Established => {
                self.said.at = now;
                format!("connected after {took}")
            }
            ConnectionState::Closing => "everything is sent, closing".into(),
            // A client evicts a connection for no other reason.
            ConnectionState::Ended(CloseReason::Evicted) if self.side == VantagePoint::Client => {
                format!("given up after {took}: the port of the server is closed{}", self.losses())
            }
            ConnectionState::Ended(reason) => format!("closed after {took}: {reason}{}", self.losses()),
            _ => return Vec::new(),
        }]
    }

    fn losses(&self) -> String {
        if self.lost > 0 { format!("; packets lost and sent again: {}", self.lost) } else { String::new() }
    }

    fn on_path(&mut self, now: Instant, path: &PathSnapshot) -> Vec<String> {
        let mut lines = Vec::new();
        let is_open = matches!(path.state, ConnectionState::Established | ConnectionState::Closing);
        if is_open
            && self.path.is_none_or(|before| before.srtt.is_none())
            && let Some(srtt) = path.srtt
        {
            lines.push(format!("the round trip takes {}", duration(srtt)));
        }
        if is_open && self.said.segment.is_some_and(|segment| segment != path.segment) {
            let change = if self.said.segment < Some(path.segment) { "carries" } else { "carries only" };
            lines.push(format!("the path {change} packets with {} bytes of content", path.segment));
        }
        if is_open {
            if self.said.segment.is_none() {
                self.said.window = path.window.unwrap_or(0);
            }
            self.said.segment = Some(path.segment);
        }
        self.path = Some(*path);
        if is_open {
            lines.extend(self.summary_if_due(now, path));
        }
        lines
    }

    fn summary_if_due(&mut self, now: Instant, path: &PathSnapshot) -> Vec<String> {
        let is_open = matches!(path.state, ConnectionState::Established | ConnectionState::Closing);
        if is_open && now >= self.said.at + INTERVAL { self.summary(now, path) } else { Vec::new() }
    }

    /// What has happened since the last such lines.
    fn summary(&mut self, now: Instant, path: &PathSnapshot) -> Vec<String> {
        let span = now.saturating_since(self.said.at);
        let (sent, arrived) =
            (path.delivered - self.said.delivered.min(path.delivered), self.arrived - self.said.arrived);
        let mut lines = Vec::new();
        if let Some(srtt) = path.srtt.filter(|_| sent > 0 || arrived > 0) {
            let (rate, word) = if sent >= arrived { (sent, "delivers") } else { (arrived, "receives") };
            lines.push(format!("{word} {}, the round trip takes {}", bit_rate(rate, span), duration(srtt)));
        }
        if self.lost > self.said.lost {
            let (lost, all) = (self.lost - self.said.lost, self.lost);
            lines.push(format!("packets lost and sent again: {lost}, {all} since the start"));
        }
        if let Some(window) = path.window.filter(|_| sent > 0)
            && (window >= self.said.window * 2 || window <= self.said.window / 2)
        {
            let change = if window > self.said.window { "grown" } else { "shrunk" };
            lines.push(format!("the congestion window has {change} to {}", HumanBytes(window)));
            self.said.window = window;
        }
        let Said { segment, window, .. } = self.said;
        self.said =
            Said { at: now, segment, window, lost: self.lost, delivered: path.delivered, arrived: self.arrived };
        lines
    }
}

/// What an expired timer means, if that is of interest.
const fn timer_line(timer: Timer) -> Option<&'static str> {
    match timer {
        Timer::RetransmitHandshake => Some("no answer yet; asking again"),
        Timer::FallBack => Some("no answer in extended mode; trying base mode"),
        Timer::Retransmission => Some("no acknowledgement comes; what is in flight is sent again"),
        Timer::Persist => Some("the peer takes nothing; asking for its window"),
        Timer::KeepAlive => Some("the peer is silent; asking whether it is there"),
        _ => None,
    }
}

/// Formats a rate as networks do: "20.3 Mbit/s".
fn bit_rate(bytes: u64, span: Duration) -> String {
    let bits = u128::from(bytes) * 8 * 1_000_000 / u128::from(span.as_micros().max(1));
    let (unit, name) = match bits {
        0..1_000_000 => (1_000, "kbit/s"),
        1_000_000..1_000_000_000 => (1_000_000, "Mbit/s"),
        _ => (1_000_000_000, "Gbit/s"),
    };
    format!("{}.{} {name}", bits / unit, bits % unit * 10 / unit)
}

/// The lines of all connections: a server has many.
static LIMIT: Mutex<LineLimit> = Mutex::new(LineLimit { second: None, lines: 0, left_out: 0 });

/// At most [`LINES`](Self::LINES) lines a second.
struct LineLimit {
    /// The start of the present second.
    second: Option<std::time::Instant>,
    lines: u32,
    left_out: u64,
}

impl LineLimit {
    const LINES: u32 = 8;

    /// Whether a line may be printed. If so, returns what it adds about those that were left out.
    fn handle(&mut self, now: std::time::Instant) -> Option<String> {
        if self.second.is_none_or(|second| now.saturating_duration_since(second) >= std::time::Duration::from_secs(1)) {
            (self.second, self.lines) = (Some(now), 0);
        }
        if self.lines >= Self::LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            left_out => format!(" (after {} that {} left out)", counted(left_out, "line"), was_or_were(left_out)),
        })
    }
}

fn std_now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdt_proto::Seq;
    use rdt_proto::wire::{AckRequest, Datagram};

    fn narrator(side: VantagePoint) -> Narrator {
        Narrator::new("192.0.2.1:6969".parse().unwrap(), side)
    }

    fn path(segment: usize, delivered: u64) -> PathSnapshot {
        let srtt = Some(Duration::from_millis(20));
        PathSnapshot {
            state: ConnectionState::Established,
            srtt,
            min_rtt: srtt,
            rto: Duration::from_secs(1),
            segment,
            in_flight: 0,
            window: Some(100 << 10),
            pacing_rate: None,
            delivered,
            lost: 0,
            retransmitted: 0,
            spurious: 0,
            phase: "steady",
        }
    }

    #[test]
    fn a_transfer_takes_a_few_lines() {
        let mut narrator = narrator(VantagePoint::Client);
        let mut at = |ms, event| narrator.lines(Instant::from_millis(ms), &event).join("; ");
        let opening = PathSnapshot { state: ConnectionState::Opening, srtt: None, ..path(1_200, 0) };
        assert_eq!(at(0, TraceEvent::Path(opening)), "");
        assert_eq!(at(20, TraceEvent::State(ConnectionState::Established)), "connected after 20 ms");
        assert_eq!(at(20, TraceEvent::Path(path(1_200, 0))), "the round trip takes 20 ms");
        assert_eq!(at(40, TraceEvent::Path(path(1_432, 0))), "the path carries packets with 1432 bytes of content");
        assert_eq!(at(100, TraceEvent::Lost(Seq::ZERO)), "");
        let grown = PathSnapshot { window: Some(200 << 10), ..path(1_432, 5_000_000) };
        let expected = [
            "delivers 20.0 Mbit/s, the round trip takes 20 ms",
            "packets lost and sent again: 1, 1 since the start",
            "the congestion window has grown to 200.00 KiB",
        ]
        .join("; ");
        assert_eq!(at(2_020, TraceEvent::Path(grown)), expected);
        assert_eq!(at(2_030, TraceEvent::Path(path(1_432, 5_100_000))), "", "not before two seconds have passed");
        let ended = ConnectionState::Ended(CloseReason::Finished);
        let expected = "closed after 3.00 s: both sides closed; packets lost and sent again: 1";
        assert_eq!(at(3_000, TraceEvent::State(ended)), expected);
    }

    /// Regression: a side that only receives said nothing, since the estimates of its path do not change.
    #[test]
    fn a_receiver_says_its_rate() {
        let mut narrator = narrator(VantagePoint::Client);
        let mut at = |ms, event| narrator.lines(Instant::from_millis(ms), &event).join("; ");
        at(0, TraceEvent::State(ConnectionState::Established));
        at(0, TraceEvent::Path(path(1_200, 0)));
        let packet = Packet::Info { number: Seq::ZERO, body: &[0; 1_250], request: AckRequest::DEFAULT };
        let received = TraceEvent::Received { datagram: Datagram { counter: Some(0), packet }, len: 1_270 };
        assert_eq!(at(1_000, received), "");
        assert_eq!(at(2_000, received), "receives 10.0 kbit/s, the round trip takes 20 ms");
    }

    /// Regression: a client whose server did not run said that another connection had replaced its own.
    #[test]
    fn a_client_gives_up_for_a_closed_port_and_a_server_evicts() {
        let evicted = TraceEvent::State(ConnectionState::Ended(CloseReason::Evicted));
        let said = |side| narrator(side).lines(Instant::ZERO, &evicted).join("; ");
        assert_eq!(said(VantagePoint::Client), "given up after 0.0 ms: the port of the server is closed");
        assert!(said(VantagePoint::Server).starts_with("closed after 0.0 ms: evicted "));
    }

    #[test]
    fn a_second_has_at_most_eight_lines() {
        let mut limit = LineLimit { second: None, lines: 0, left_out: 0 };
        let start = std_now();
        let printed = (0..20).filter(|_| limit.handle(start).is_some()).count();
        assert_eq!(printed, 8);
        let next = limit.handle(start + std::time::Duration::from_secs(1));
        assert_eq!(next, Some(" (after 12 lines that were left out)".into()));
    }

    #[test]
    fn rates_have_the_units_of_networks() {
        let second = Duration::from_secs(1);
        let rates = [125, 2_500_000, 1_250_000_000].map(|bytes| bit_rate(bytes, second));
        assert_eq!(rates, ["1.0 kbit/s", "20.0 Mbit/s", "10.0 Gbit/s"]);
    }
}
