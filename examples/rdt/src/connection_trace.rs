//! The events of one connection in the words of [`qlog`](crate::qlog).
//!
//! The packet number of qlog is the counter of a datagram, not the number of an INFO, which stays the same when the
//! INFO is repeated. In base mode, which has no counters, the datagrams of each direction are counted here.

use crate::packet_numbers::{Arrived, Sent, ranges};
use crate::qlog::{Data, Destination, Event, Frame, Metrics, PacketHeader, PacketType, Raw, Source, VantagePoint};
use crate::trace_file;
use rdt_proto::connection::{CloseReason, ConnectionState, PathSnapshot, Timer, TraceEvent};
use rdt_proto::wire::{Datagram, Packet};
use rdt_proto::{Duration, Instant};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes the trace of one connection.
pub(crate) struct ConnectionTrace {
    peer: SocketAddr,
    side: VantagePoint,
    group: String,
    /// The time of the trace at [`Instant::ZERO`], in milliseconds; `None` before the first event.
    offset: Option<f64>,
    sent: Sent,
    arrived: Arrived,
    latest_rtt: Option<Duration>,
    metrics: Metrics,
}

impl ConnectionTrace {
    /// The trace of a connection to `peer`. `None` if no trace is written.
    pub(crate) fn new(peer: SocketAddr, side: VantagePoint) -> Option<Box<Self>> {
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        trace_file::is_on().then(|| {
            let group = format!("{peer}#{}", CONNECTIONS.fetch_add(1, Ordering::Relaxed));
            Box::new(Self {
                peer,
                side,
                group,
                offset: None,
                sent: Sent::default(),
                arrived: Arrived::default(),
                latest_rtt: None,
                metrics: Metrics::default(),
            })
        })
    }

    pub(crate) fn observe(&mut self, now: Instant, event: &TraceEvent<'_>) {
        self.translate(now, event, &mut |event| trace_file::write(event));
    }

    fn translate(&mut self, now: Instant, event: &TraceEvent<'_>, write: &mut dyn FnMut(&Event<'_>)) {
        let clock = millis(now.saturating_since(Instant::ZERO));
        let is_first = self.offset.is_none();
        let offset = *self.offset.get_or_insert_with(|| trace_file::elapsed().as_secs_f64() * 1_000.0 - clock);
        let (named, closed) = (self.data(now, event), closed(event));
        let first = is_first.then(|| ("connectivity:connection_started", self.started()));
        for (name, data) in first.into_iter().chain(named).chain(closed) {
            write(&Event { time: micros_of(offset + clock), name, group_id: &self.group, data });
        }
    }

    fn started(&self) -> Data {
        let (ip, port) = (self.peer.ip().to_string(), self.peer.port());
        let (from, to) = match self.side {
            VantagePoint::Client => (None, Some(Destination { dst_ip: ip, dst_port: port })),
            VantagePoint::Server => (Some(Source { src_ip: ip, src_port: port }), None),
        };
        Data::Started { protocol: "RDT", from, to }
    }

    /// The name and the data of an event. `None` if qlog needs nothing of it.
    fn data(&mut self, now: Instant, event: &TraceEvent<'_>) -> Option<(&'static str, Data)> {
        Some(match event {
            TraceEvent::Sent { datagram, len } => ("transport:packet_sent", self.on_sent(now, datagram, *len)),
            TraceEvent::Received { datagram, len } => {
                ("transport:packet_received", self.on_received(now, datagram, *len))
            }
            TraceEvent::Ignored(reason) => {
                ("transport:packet_dropped", Data::Dropped { trigger: format!("{reason:?}") })
            }
            TraceEvent::Lost(number) => {
                let packet_number = self.sent.packet_number(*number)?;
                let header = PacketHeader { packet_type: PacketType::OneRtt, packet_number };
                ("recovery:packet_lost", Data::Lost { header })
            }
            TraceEvent::Path(path) => {
                let metrics = self.metrics_of(path);
                let changed = metrics.since(&std::mem::replace(&mut self.metrics, metrics));
                (changed != Metrics::default()).then_some(("recovery:metrics_updated", Data::Metrics(changed)))?
            }
            TraceEvent::Expired(timer) => timer_data(*timer),
            TraceEvent::Phase(phase) => ("recovery:congestion_state_updated", Data::New { new: phase }),
            TraceEvent::State(state) => {
                ("connectivity:connection_state_updated", Data::New { new: state_name(*state) })
            }
            TraceEvent::Moved => ("connectivity:path_updated", Data::Nothing {}),
            // A later version of the library.
            _ => return None,
        })
    }

    fn on_sent(&mut self, now: Instant, datagram: &Datagram<'_>, len: usize) -> Data {
        let header = header(datagram, |packet_type| self.sent.next_uncounted(packet_type));
        let frames = match datagram.packet {
            Packet::Info { number, body, .. } => {
                let offset = self.sent.on_info(now, number, header.packet_number, body.len());
                vec![stream(offset, body.len(), number.value())]
            }
            Packet::Sack(sack) => {
                let acked_ranges = ranges(self.arrived.take_unreported());
                let ack_delay = sack.delay.duration().map(millis);
                vec![Frame::Ack { ack_delay, acked_ranges, rdt_window: Some(sack.window) }]
            }
            Packet::Ack { number } => {
                let acked_ranges = ranges(self.arrived.take(number).into_iter().collect());
                vec![Frame::Ack { ack_delay: None, acked_ranges, rdt_window: None }]
            }
            _ => other_frames(&datagram.packet),
        };
        Data::Packet { header, raw: Raw { length: len }, frames }
    }

    fn on_received(&mut self, now: Instant, datagram: &Datagram<'_>, len: usize) -> Data {
        let header = header(datagram, |packet_type| self.arrived.next_uncounted(packet_type));
        let frames = match datagram.packet {
            Packet::Info { number, body, .. } => {
                let offset = self.arrived.on_info(number, header.packet_number, body.len());
                vec![stream(offset, body.len(), number.value())]
            }
            Packet::Sack(sack) => {
                let delay = sack.delay.duration();
                if let (Some(delay), Some(since)) = (delay, self.sent.since(now, sack.latest, Some(sack.counter))) {
                    // What the peer says of its delay may be false.
                    self.latest_rtt = Some(Duration::from_micros(since.as_micros().saturating_sub(delay.as_micros())));
                }
                let acked_ranges = ranges(self.sent.on_sack(&sack));
                vec![Frame::Ack { ack_delay: delay.map(millis), acked_ranges, rdt_window: Some(sack.window) }]
            }
            Packet::Ack { number } => {
                self.latest_rtt = self.sent.since(now, number, None).or(self.latest_rtt);
                let acked_ranges = ranges(self.sent.on_ack(number).into_iter().collect());
                vec![Frame::Ack { ack_delay: None, acked_ranges, rdt_window: None }]
            }
            _ => other_frames(&datagram.packet),
        };
        Data::Packet { header, raw: Raw { length: len }, frames }
    }

    fn metrics_of(&self, path: &PathSnapshot) -> Metrics {
        Metrics {
            min_rtt: path.min_rtt.map(millis),
            smoothed_rtt: path.srtt.map(millis),
            latest_rtt: self.latest_rtt.map(millis),
            congestion_window: path.window,
            bytes_in_flight: Some(path.in_flight),
            pacing_rate: path.pacing_rate.map(|bytes| bytes.saturating_mul(8)),
        }
    }
}

fn header(datagram: &Datagram<'_>, next_uncounted: impl FnOnce(PacketType) -> u64) -> PacketHeader {
    let packet_type = match datagram.packet {
        Packet::Connect(_) | Packet::ConnAck(_) => PacketType::Initial,
        Packet::Retry { .. } => PacketType::Retry,
        Packet::Info { .. } | Packet::Ack { .. } | Packet::Fin | Packet::FinAck => PacketType::OneRtt,
        Packet::Sack(_) | Packet::Reset { .. } | Packet::Probe { .. } | Packet::Echo { .. } => PacketType::OneRtt,
    };
    let packet_number = datagram.counter.map_or_else(|| next_uncounted(packet_type), u64::from);
    PacketHeader { packet_type, packet_number }
}

const fn stream(offset: Option<u64>, length: usize, number: u32) -> Frame {
    Frame::Stream { stream_id: 0, offset, length, fin: false, rdt_number: Some(number) }
}

/// The frames of a packet that is neither INFO nor an acknowledgement.
fn other_frames(packet: &Packet<'_>) -> Vec<Frame> {
    let raw_frame_type = match *packet {
        Packet::Fin => {
            return vec![Frame::Stream { stream_id: 0, offset: None, length: 0, fin: true, rdt_number: None }];
        }
        Packet::Reset { code } => {
            return vec![Frame::ConnectionClose { error_space: "application", error_code: code }];
        }
        Packet::Probe { nonce, padding, .. } => {
            let challenge = Frame::PathChallenge { data: format!("{nonce:016x}") };
            let padding = (!padding.is_empty()).then_some(Frame::Padding { length: padding.len() });
            return [challenge].into_iter().chain(padding).collect();
        }
        Packet::Echo { nonce, .. } => return vec![Frame::PathResponse { data: format!("{nonce:016x}") }],
        Packet::Connect(_) => 0,
        Packet::ConnAck(_) => 1,
        Packet::Info { .. } => 2,
        Packet::Ack { .. } => 3,
        Packet::FinAck => 5,
        Packet::Sack(_) => 6,
        Packet::Retry { .. } => 7,
    };
    vec![Frame::Unknown { raw_frame_type, rdt_packet: packet.to_string() }]
}

fn timer_data(timer: Timer) -> (&'static str, Data) {
    let timer_type = match timer {
        Timer::Reordering => "ack",
        Timer::TailLossProbe | Timer::Retransmission => "pto",
        _ => return ("rdt:timer_expired", Data::OtherTimer { timer: format!("{timer:?}") }),
    };
    ("recovery:loss_timer_updated", Data::Timer { event_type: "expired", timer_type })
}

const fn state_name(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Opening => "handshake_started",
        ConnectionState::Established => "handshake_confirmed",
        ConnectionState::Closing => "closing",
        // Every further state of a later version is an end.
        _ => "closed",
    }
}

/// The event that follows the state at the end.
fn closed(event: &TraceEvent<'_>) -> Option<(&'static str, Data)> {
    let TraceEvent::State(ConnectionState::Ended(reason)) = event else { return None };
    let application_code = match reason {
        CloseReason::Reset { code } | CloseReason::Refused { code } => Some(*code),
        _ => None,
    };
    Some(("connectivity:connection_closed", Data::Closed { reason: reason.to_string(), application_code }))
}

fn millis(duration: Duration) -> f64 {
    std::time::Duration::from(duration).as_secs_f64() * 1_000.0
}

/// Milliseconds without more digits than a clock has.
fn micros_of(millis: f64) -> f64 {
    (millis * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdt_proto::Seq;
    use rdt_proto::wire::{AckRequest, Sack, SackDelay};
    use serde_json::{Value, json};

    fn trace() -> ConnectionTrace {
        ConnectionTrace {
            peer: "192.0.2.1:6969".parse().unwrap(),
            side: VantagePoint::Client,
            group: "a".into(),
            offset: Some(0.0),
            sent: Sent::default(),
            arrived: Arrived::default(),
            latest_rtt: None,
            metrics: Metrics::default(),
        }
    }

    fn events(trace: &mut ConnectionTrace, ms: u64, event: &TraceEvent<'_>) -> Vec<Value> {
        let mut events = Vec::new();
        let now = Instant::from_millis(ms);
        trace.translate(now, event, &mut |event| events.push(serde_json::to_value(event).unwrap()));
        events
    }

    fn info(number: u32, counter: u32) -> Datagram<'static> {
        let packet = Packet::Info { number: Seq::new(number), body: &[0; 10], request: AckRequest::DEFAULT };
        Datagram { counter: Some(counter), packet }
    }

    #[test]
    fn an_acknowledgement_names_packets_not_numbers_of_info() {
        let mut trace = trace();
        for (number, counter) in [(0, 0), (1, 1), (2, 2)] {
            let sent = events(&mut trace, 10, &TraceEvent::Sent { datagram: info(number, counter), len: 30 });
            assert_eq!(sent[0]["data"]["frames"][0]["offset"], 10 * number);
        }
        let lost = events(&mut trace, 20, &TraceEvent::Lost(Seq::new(1)));
        assert_eq!(lost[0]["data"]["header"], json!({"packet_type": "1RTT", "packet_number": 1}));
        let repeated = events(&mut trace, 20, &TraceEvent::Sent { datagram: info(1, 3), len: 30 });
        assert_eq!(repeated[0]["data"]["frames"][0]["offset"], 10);
        let sack = Sack {
            next: Seq::new(3),
            window: 8,
            latest: Seq::new(1),
            counter: 3,
            delay: SackDelay::new(0),
            ce: 0,
            base: Seq::new(3),
            bitmap: &[],
        };
        let datagram = Datagram { counter: Some(0), packet: Packet::Sack(sack) };
        let received = events(&mut trace, 35, &TraceEvent::Received { datagram, len: 50 });
        let ack = &received[0]["data"]["frames"][0];
        assert_eq!((&ack["frame_type"], &ack["acked_ranges"]), (&"ack".into(), &json!([[0, 0], [2, 3]])));
        assert_eq!(trace.latest_rtt, Some(Duration::from_millis(15)));
    }

    #[test]
    fn the_end_has_its_reason() {
        let ended = TraceEvent::State(ConnectionState::Ended(CloseReason::Reset { code: 7 }));
        let events = events(&mut trace(), 5, &ended);
        let names: Vec<_> = events.iter().map(|event| &event["name"]).collect();
        assert_eq!(names, ["connectivity:connection_state_updated", "connectivity:connection_closed"]);
        assert_eq!((&events[0]["data"]["new"], &events[1]["data"]["application_code"]), (&"closed".into(), &7.into()));
    }
}
