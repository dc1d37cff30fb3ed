//! Any bytes as a datagram, and any packet in every framing.

use arbitrary::{Arbitrary, Unstructured};

use rdt_proto::wire::{AckRequest, EncodeError, Framing, MAX_DATAGRAM, Packet, Tag};

/// Decodes `datagram` in every kind of framing. Some framings take their prefix from the first bytes of `datagram`.
///
/// # Panics
///
/// If the decoded packet does not encode to the same bytes.
pub fn parse_packet(datagram: &[u8]) {
    assert_reencodes(&Framing::NOTE, datagram);
    assert_reencodes(&Framing::ROSTOV, datagram);
    if let Some(tag) = datagram.first_chunk() {
        assert_reencodes(&Framing::tagged(Tag::new(*tag)), datagram);
    }
    let own_prefixes = (1..=8).filter_map(|len| datagram.get(..len));
    own_prefixes.filter_map(|prefix| Framing::with_prefix(prefix).ok()).for_each(|framing| {
        assert_reencodes(&framing, datagram);
    });
}

/// Encodes an arbitrary packet in every kind of framing.
///
/// # Panics
///
/// If a framing supports the packet but cannot encode it, or if the encoded packet does not decode to itself.
pub fn round_trip_packet(bytes: &[u8]) {
    let mut unstructured = Unstructured::new(bytes);
    let Ok(tag) = Tag::arbitrary(&mut unstructured) else { return };
    let Ok(packet) = Packet::arbitrary(&mut unstructured) else { return };
    for framing in [Framing::NOTE, Framing::ROSTOV, Framing::tagged(tag)] {
        let mut buf = [0; 2_048];
        let decoded = packet.encode(&framing, &mut buf).map(|len| framing.decode(buf.get(..len).unwrap_or_default()));
        match decoded {
            Err(EncodeError::NotInProfile) if framing.is_base_only() => (),
            Err(EncodeError::Unrepresentable) if has_prefix(&packet, &framing) => (),
            Err(EncodeError::Unrepresentable) if asks(&packet) => assert_ne!(framing, Framing::tagged(tag)),
            Ok(_) | Err(_) => assert_eq!(decoded, Ok(Ok(packet))),
        }
    }
}

/// Whether the packet announces a tag that begins with the prefix.
fn has_prefix(packet: &Packet<'_>, framing: &Framing) -> bool {
    matches!(packet, Packet::Connect(options) if options.tag().is_some_and(|tag| tag.starts_like(framing)))
}

/// Whether the packet asks for an acknowledgement, for which only a tagged framing has a field.
fn asks(packet: &Packet<'_>) -> bool {
    match packet {
        Packet::Info { request, .. } => *request != AckRequest::DEFAULT,
        Packet::Probe { for_window, .. } => *for_window,
        Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::Ack { .. }
        | Packet::Fin
        | Packet::FinAck
        | Packet::Sack(_)
        | Packet::Retry { .. }
        | Packet::Reset { .. }
        | Packet::Echo { .. } => false,
    }
}

fn assert_reencodes(framing: &Framing, datagram: &[u8]) {
    let Ok(decoded) = framing.decode_datagram(datagram) else { return };
    assert_eq!(decoded.packet.encoded_len(framing), datagram.len(), "{decoded:?}");
    let mut buf = [0; MAX_DATAGRAM];
    let encoded = decoded.encode(framing, &mut buf).map(|len| buf.get(..len));
    assert_eq!(encoded, Ok(Some(datagram)), "{decoded:?}");
}
