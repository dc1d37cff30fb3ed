//! The course of events that is printed with a violation.

use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{Duration, Seq};

/// The events that lead to a violation, one on each line.
#[derive(Default)]
pub(crate) struct Trace {
    /// The lines so far. `None` during the search, which needs no text.
    lines: Option<Vec<String>>,
    elapsed: Duration,
}

impl Trace {
    /// A trace that keeps its lines.
    pub(crate) fn kept() -> Self {
        Self { lines: Some(Vec::new()), ..Self::default() }
    }

    pub(crate) fn elapse(&mut self, span: Duration) {
        self.elapsed = self.elapsed.saturating_add(span);
    }

    pub(crate) fn says(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>11}  {}", self.elapsed.to_string(), line()));
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.lines.unwrap_or_default().join("\n")
    }
}

/// Describes a datagram on one line.
pub(crate) fn describe(datagram: &[u8]) -> String {
    let framings = [Framing::NOTE, Framing::tagged(tag(1)), Framing::tagged(tag(2))];
    let Some(packet) = framings.iter().find_map(|framing| framing.decode(datagram).ok()) else {
        return format!("{} bytes that are not a packet", datagram.len());
    };
    match packet {
        Packet::Connect(_) => "CONNECT".into(),
        Packet::ConnAck(_) => "CONNACK".into(),
        Packet::Info { number, body, .. } => format!("INFO {} {body:?}", number.value()),
        Packet::Ack { number } => format!("ACK {}", number.value()),
        Packet::Fin => "FIN".into(),
        Packet::FinAck => "FINACK".into(),
        Packet::Sack(sack) => {
            let ahead: Vec<_> = sack.numbers().map(Seq::value).collect();
            format!("SACK next {} window {} ahead {ahead:?}", sack.next.value(), sack.window)
        }
        Packet::Reset { code } => format!("RESET {code}"),
        Packet::Probe { .. } => "PROBE".into(),
        Packet::Echo { .. } => "ECHO".into(),
        Packet::Retry { .. } => "RETRY".into(),
    }
}

/// The tag of a connection whose entropy consists of this byte.
fn tag(entropy: u8) -> Tag {
    Tag::new([entropy; 8])
}
