//! Prints a packet on one line, as `tcpdump` does.

use super::{AckRequest, Datagram, Options, Packet, Sack};
use core::fmt;

/// Prints the packet after its counter: `#17 INFO 7, length 1200`.
impl fmt::Display for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counter {
            Some(counter) => write!(f, "#{counter} {}", self.packet),
            None => self.packet.fmt(f),
        }
    }
}

/// Prints the packet on one line, without its body.
///
/// Examples: `INFO 7, length 1200`, `SACK 12, window 52, latest 15 #17, delay 304us, received 14-15`.
impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(options) => write!(f, "CONNECT{options}"),
            Self::ConnAck(options) => write!(f, "CONNACK{options}"),
            Self::Info { number, body, request } => {
                write!(f, "INFO {}, length {}", number.value(), body.len())?;
                write_request(f, *request)
            }
            Self::Ack { number } => write!(f, "ACK {}", number.value()),
            Self::Fin => f.write_str("FIN"),
            Self::FinAck => f.write_str("FINACK"),
            Self::Sack(sack) => write!(f, "SACK {sack}"),
            Self::Retry { cookie } => write!(f, "RETRY, cookie of {} bytes", cookie.len()),
            Self::Reset { code } => write!(f, "RESET, code {code}"),
            Self::Probe { nonce, for_window, padding } => {
                write!(f, "PROBE {nonce:016x}{}", if *for_window { ", window" } else { "" })?;
                if padding.is_empty() { Ok(()) } else { write!(f, ", padding {}", padding.len()) }
            }
            Self::Echo { nonce, counter } => write!(f, "ECHO {nonce:016x} #{counter}"),
        }
    }
}

/// Prints what differs from the default: `, answer at once`, `, SACK for 32 or after 10000us`.
fn write_request(f: &mut fmt::Formatter<'_>, request: AckRequest) -> fmt::Result {
    if request.at_once {
        f.write_str(", answer at once")
    } else if request == AckRequest::DEFAULT {
        Ok(())
    } else {
        write!(f, ", SACK for {} or after {}us", request.infos(), request.delay().as_micros())
    }
}

/// Prints each known option after a comma: `, version 1, tag 0102030405060708, segment 1200, window 64`.
impl fmt::Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(version) = self.version() {
            write!(f, ", version {version}")?;
        }
        if let Some(tag) = self.tag() {
            write!(f, ", tag {:016x}", u64::from_be_bytes(*tag.as_bytes()))?;
        }
        if let Some(segment) = self.segment() {
            write!(f, ", segment {segment}")?;
        }
        if let Some(window) = self.window() {
            write!(f, ", window {window}")?;
        }
        if let Some(idle_ms) = self.idle_ms() {
            write!(f, ", idle {idle_ms}ms")?;
        }
        if let Some(attempt) = self.attempt() {
            write!(f, ", attempt {attempt}")?;
        }
        if self.reset_token().is_some() {
            f.write_str(", reset token")?;
        }
        match self.cookie() {
            Some(cookie) => write!(f, ", cookie of {} bytes", cookie.len()),
            None => Ok(()),
        }
    }
}

/// Prints all fields, with the bitmap as ranges of numbers.
impl fmt::Display for Sack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, window {}, latest {} #{}", self.next.value(), self.window, self.latest.value(), self.counter)?;
        if let Some(delay) = self.delay.duration() {
            write!(f, ", delay {}us", delay.as_micros())?;
        }
        if self.ce != 0 {
            write!(f, ", CE {}", self.ce)?;
        }
        let mut numbers = self.numbers().peekable();
        let mut separator = ", received ";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if(|&number| number == last.next()) {
                last = next;
            }
            write!(f, "{separator}{}", first.value())?;
            if last != first {
                write!(f, "-{}", last.value())?;
            }
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seq;
    use crate::wire::{OptionsWriter, SackDelay, Tag};
    use std::string::ToString;

    fn sack(bitmap: &[u8], delay: u16) -> Sack<'_> {
        let (next, base, latest) = (Seq::new(12), Seq::new(14), Seq::new(15));
        Sack { next, window: 52, latest, counter: 17, delay: SackDelay::new(delay), ce: 0, base, bitmap }
    }

    #[test]
    fn each_packet_is_one_line() {
        let number = Seq::new(7);
        for (packet, line) in [
            (Packet::Connect(Options::NONE), "CONNECT"),
            (Packet::Info { number, body: b"abc", request: AckRequest::DEFAULT }, "INFO 7, length 3"),
            (Packet::Info { number, body: b"", request: AckRequest::AT_ONCE }, "INFO 7, length 0, answer at once"),
            (Packet::Ack { number }, "ACK 7"),
            (Packet::Fin, "FIN"),
            (Packet::FinAck, "FINACK"),
            (Packet::Retry { cookie: &[1; 24] }, "RETRY, cookie of 24 bytes"),
            (Packet::Reset { code: 3 }, "RESET, code 3"),
            (Packet::Probe { nonce: 0xab, for_window: false, padding: &[] }, "PROBE 00000000000000ab"),
            (Packet::Probe { nonce: 1, for_window: false, padding: &[0; 5] }, "PROBE 0000000000000001, padding 5"),
            (Packet::Echo { nonce: 0xab, counter: 9 }, "ECHO 00000000000000ab #9"),
        ] {
            assert_eq!(packet.to_string(), line);
        }
        assert_eq!(Datagram { counter: Some(17), packet: Packet::Fin }.to_string(), "#17 FIN");
        assert_eq!(Datagram { counter: None, packet: Packet::Fin }.to_string(), "FIN");
    }

    #[test]
    fn options_follow_their_packet() {
        let mut buf = [0; 128];
        let options = OptionsWriter::new(&mut buf).version(1).unwrap().tag(Tag::new([1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        let options = options.segment(1_200).unwrap().window(64).unwrap().idle_ms(30_000).unwrap();
        let packet = Packet::ConnAck(options.cookie(&[9; 24]).unwrap().finish());
        let line =
            "CONNACK, version 1, tag 0102030405060708, segment 1200, window 64, idle 30000ms, cookie of 24 bytes";
        assert_eq!(packet.to_string(), line);
    }

    #[test]
    fn a_sack_lists_ranges() {
        let start = "SACK 12, window 52, latest 15 #17";
        assert_eq!(Packet::Sack(sack(&[], u16::MAX)).to_string(), start);
        let delay = sack(&[0b0010_1011], 0).delay.duration().unwrap().as_micros();
        let line = std::format!("{start}, delay {delay}us, received 14-15 17 19");
        assert_eq!(Packet::Sack(sack(&[0b0010_1011], 0)).to_string(), line);
    }
}
