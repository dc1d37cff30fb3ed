//! The records of a trace: qlog as a sequence of JSON texts (RFC 7464).
//!
//! The version is 0.3, which is draft-ietf-quic-qlog-main-schema-02 with draft-ietf-quic-qlog-quic-events-02: viewers
//! such as qvis open it today. The names are those of QUIC. Members that begin with `rdt` are this program's own.

use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// The character that begins each record (RFC 7464 §2.2).
pub(crate) const RECORD_SEPARATOR: u8 = 0x1e;

/// Which side of a connection writes the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VantagePoint {
    Client,
    Server,
}

/// The first record.
#[derive(Serialize)]
pub(crate) struct Header {
    qlog_version: &'static str,
    qlog_format: &'static str,
    title: &'static str,
    trace: Trace,
}

#[derive(Serialize)]
struct Trace {
    vantage_point: Vantage,
    common_fields: CommonFields,
}

#[derive(Serialize)]
struct Vantage {
    name: &'static str,
    #[serde(rename = "type")]
    side: VantagePoint,
}

#[derive(Serialize)]
struct CommonFields {
    time_format: &'static str,
    /// Milliseconds since 1970 (UTC).
    reference_time: f64,
    protocol_type: [&'static str; 1],
}

impl Header {
    /// The header of a trace whose times count from `start`.
    pub(crate) fn new(side: VantagePoint, start: SystemTime) -> Self {
        let since_1970 = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let common_fields = CommonFields {
            time_format: "relative",
            reference_time: since_1970.as_secs_f64() * 1_000.0,
            protocol_type: ["RDT"],
        };
        let vantage_point = Vantage { name: concat!("rdt ", env!("CARGO_PKG_VERSION")), side };
        let trace = Trace { vantage_point, common_fields };
        Self { qlog_version: "0.3", qlog_format: "JSON-SEQ", title: "rdt", trace }
    }
}

/// An event of one connection.
#[derive(Serialize)]
pub(crate) struct Event<'a> {
    /// Milliseconds since the reference time.
    pub(crate) time: f64,
    pub(crate) name: &'static str,
    /// The connection.
    pub(crate) group_id: &'a str,
    pub(crate) data: Data,
}

/// The data of an event. The name of the event says which.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Data {
    Started {
        protocol: &'static str,
        /// The client, in the trace of a server.
        #[serde(flatten)]
        from: Option<Source>,
        /// The server, in the trace of a client.
        #[serde(flatten)]
        to: Option<Destination>,
    },
    Packet {
        header: PacketHeader,
        raw: Raw,
        frames: Vec<Frame>,
    },
    Lost {
        header: PacketHeader,
    },
    Metrics(Metrics),
    New {
        new: &'static str,
    },
    Timer {
        event_type: &'static str,
        timer_type: &'static str,
    },
    OtherTimer {
        timer: String,
    },
    Dropped {
        trigger: String,
    },
    Closed {
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        application_code: Option<u8>,
    },
    Nothing {},
}

#[derive(Serialize)]
pub(crate) struct Source {
    pub(crate) src_ip: String,
    pub(crate) src_port: u16,
}

#[derive(Serialize)]
pub(crate) struct Destination {
    pub(crate) dst_ip: String,
    pub(crate) dst_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PacketHeader {
    pub(crate) packet_type: PacketType,
    pub(crate) packet_number: u64,
}

/// The types of packets that viewers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum PacketType {
    /// The handshake: CONNECT and CONNACK, which have numbers of their own.
    #[serde(rename = "initial")]
    Initial,
    #[serde(rename = "retry")]
    Retry,
    #[serde(rename = "1RTT")]
    OneRtt,
}

#[derive(Serialize)]
pub(crate) struct Raw {
    pub(crate) length: usize,
}

/// A part of a packet.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "frame_type", rename_all = "snake_case")]
pub(crate) enum Frame {
    Stream {
        stream_id: u8,
        /// `None` for an INFO that arrives before an earlier one, or again.
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<u64>,
        length: usize,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        fin: bool,
        /// The number of the INFO.
        #[serde(skip_serializing_if = "Option::is_none")]
        rdt_number: Option<u32>,
    },
    Ack {
        /// Milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        ack_delay: Option<f64>,
        /// Packet numbers, not numbers of INFO. Each is listed once, in the first acknowledgement that is for it.
        acked_ranges: Vec<(u64, u64)>,
        /// The receive window, in packets.
        #[serde(skip_serializing_if = "Option::is_none")]
        rdt_window: Option<u32>,
    },
    PathChallenge {
        data: String,
    },
    PathResponse {
        data: String,
    },
    Padding {
        length: usize,
    },
    ConnectionClose {
        error_space: &'static str,
        error_code: u8,
    },
    /// A packet without a counterpart in QUIC.
    Unknown {
        raw_frame_type: u8,
        rdt_packet: String,
    },
}

/// The estimates that have changed: times in milliseconds, sizes in bytes, the rate in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Metrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) smoothed_rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest_rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) congestion_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pacing_rate: Option<u64>,
}

impl Metrics {
    /// What differs from `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        fn changed<V: PartialEq>(now: Option<V>, before: Option<V>) -> Option<V> {
            if now == before { None } else { now }
        }
        Self {
            min_rtt: changed(self.min_rtt, before.min_rtt),
            smoothed_rtt: changed(self.smoothed_rtt, before.smoothed_rtt),
            latest_rtt: changed(self.latest_rtt, before.latest_rtt),
            congestion_window: changed(self.congestion_window, before.congestion_window),
            bytes_in_flight: changed(self.bytes_in_flight, before.bytes_in_flight),
            pacing_rate: changed(self.pacing_rate, before.pacing_rate),
        }
    }
}

/// A record: the separator, the JSON text, and a line feed, which shows that the text is whole (RFC 7464 §2.2).
pub(crate) fn record(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![RECORD_SEPARATOR];
    // Only a map whose keys are not strings cannot be written, and there is none.
    let _ = serde_json::to_writer(&mut bytes, value);
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &impl Serialize) -> String {
        let bytes = record(value);
        assert_eq!((bytes.first(), bytes.last()), (Some(&RECORD_SEPARATOR), Some(&b'\n')));
        String::from_utf8(bytes[1..bytes.len() - 1].to_vec()).unwrap()
    }

    #[test]
    fn a_header_names_version_format_side_and_start() {
        let start = UNIX_EPOCH + std::time::Duration::from_micros(1_500);
        let header: serde_json::Value = serde_json::from_str(&text(&Header::new(VantagePoint::Server, start))).unwrap();
        assert_eq!((&header["qlog_version"], &header["qlog_format"]), (&"0.3".into(), &"JSON-SEQ".into()));
        assert_eq!(header["trace"]["vantage_point"]["type"], "server");
        let fields = &header["trace"]["common_fields"];
        assert_eq!((&fields["time_format"], &fields["reference_time"]), (&"relative".into(), &1.5.into()));
    }

    #[test]
    fn an_event_has_the_names_of_the_draft() {
        let header = PacketHeader { packet_type: PacketType::OneRtt, packet_number: 7 };
        let stream = Frame::Stream { stream_id: 0, offset: Some(10), length: 3, fin: false, rdt_number: Some(5) };
        let ack = Frame::Ack { ack_delay: Some(0.5), acked_ranges: vec![(1, 4), (6, 6)], rdt_window: None };
        let data = Data::Packet { header, raw: Raw { length: 40 }, frames: vec![stream, ack] };
        let event = Event { time: 1.25, name: "transport:packet_sent", group_id: "a", data };
        let expected = concat!(
            r#"{"time":1.25,"name":"transport:packet_sent","group_id":"a","data":{"header":{"packet_type":"1RTT","#,
            r#""packet_number":7},"raw":{"length":40},"frames":[{"frame_type":"stream","stream_id":0,"offset":10,"#,
            r#""length":3,"rdt_number":5},{"frame_type":"ack","ack_delay":0.5,"acked_ranges":[[1,4],[6,6]]}]}}"#
        );
        assert_eq!(text(&event), expected);
    }

    #[test]
    fn metrics_have_only_what_has_changed() {
        let before = Metrics { min_rtt: Some(1.0), bytes_in_flight: Some(5), ..Metrics::default() };
        let now = Metrics { bytes_in_flight: Some(0), congestion_window: Some(9), ..before };
        assert_eq!(text(&Data::Metrics(now.since(&before))), r#"{"congestion_window":9,"bytes_in_flight":0}"#);
    }
}
