//! Constructors of packets for traces, and descriptions of sent packets for the messages of failed tests.

use rdt_proto::Seq;
use rdt_proto::wire::{Datagram, Framing, Options, Packet};

/// CONNECT without options.
pub const CONNECT: Packet<'static> = Packet::Connect(Options::NONE);
/// CONNACK without options.
pub const CONNACK: Packet<'static> = Packet::ConnAck(Options::NONE);
/// The bytes of a tag option. In CONNECT it asks for extended mode.
pub const TAG_OPTION: &[u8] = b"\x01\x08entropy!";
/// FIN.
pub const FIN: Packet<'static> = Packet::Fin;
/// FINACK.
pub const FINACK: Packet<'static> = Packet::FinAck;

/// INFO `number` with this body.
#[must_use]
pub const fn info(number: u32, body: &[u8]) -> Packet<'_> {
    Packet::Info { number: Seq::new(number), body, request: rdt_proto::wire::AckRequest::DEFAULT }
}

/// ACK of `number`.
#[must_use]
pub const fn ack(number: u32) -> Packet<'static> {
    Packet::Ack { number: Seq::new(number) }
}

/// Encodes a packet in this framing.
#[must_use]
pub fn datagram(framing: &Framing, packet: Packet<'_>) -> Vec<u8> {
    let mut datagram = vec![0; 66_000];
    let len = packet.encode(framing, &mut datagram).unwrap();
    datagram.truncate(len);
    datagram
}

/// Formats the packet in a datagram of this framing, or the error of decoding it.
#[must_use]
pub fn describe(framing: &Framing, datagram: &[u8]) -> String {
    match framing.decode_datagram(datagram) {
        Ok(Datagram { counter: Some(counter), packet }) => format!("{packet:?} #{counter}"),
        Ok(Datagram { counter: None, packet }) => format!("{packet:?}"),
        Err(error) => format!("{error}: {datagram:?}"),
    }
}
