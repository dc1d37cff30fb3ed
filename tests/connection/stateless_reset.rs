//! A client whose server does not know the connection any more (RFC 9000 §10.3).

use harness::extended::*;
use rdt_proto::connection::{CloseReason, Config, Event, Handled, HandshakeParameters, Ignored};
use rdt_proto::wire::{DecodeError, Packet, Tag};

const TOKEN: Tag = Tag::new(*b"token 01");
const RESET: &[u8] = b"token 01\x08\x00";

/// A client whose server has announced a token.
fn client() -> ExtendedTrace {
    let mut client = ExtendedTrace::client(Config::default());
    client.learns_tag();
    client.peer_sends_connack(HandshakeParameters { reset_token: Some(TOKEN), ..PARAMETERS });
    client.expect_event(Event::Connected);
    client.expect(info(0, b""));
    client.peer_sends(sack(1, 0, 1, &[]));
    client
}

#[test]
fn a_stateless_reset_ends_the_connection() {
    let mut client = client();
    assert_eq!(client.receive_datagram((), RESET), Handled::Accepted);
    client.expect_event(Event::Closed(CloseReason::StatelessReset));
    client.expect_nothing();
}

#[test]
fn a_reset_with_another_token_type_or_length_is_ignored() {
    let mut client = client();
    for forged in [&b"token 02\x08\x00"[..], b"token 01\x04\x00", b"token 01\x08", b"token 01\x08\x00\x00"] {
        let ignored = Handled::Ignored(Ignored::Malformed(DecodeError::Prefix));
        assert_eq!(client.receive_datagram((), forged), ignored, "{forged:?}");
    }
    assert_eq!(client.machine.ended(), None);
}

#[test]
fn without_a_token_no_stateless_reset_counts() {
    let mut client = ExtendedTrace::established(Config::default());
    client.receive_datagram((), RESET);
    client.receive_datagram((), &[0; 10]);
    assert_eq!(client.machine.ended(), None);
}

/// The server has answered the last FIN, its answer was lost, and its linger has ended.
#[test]
fn a_stateless_reset_after_the_last_fin_finishes_the_connection() {
    let mut client = client();
    client.peer_sends(Packet::Fin);
    client.expect(Packet::FinAck);
    client.machine.close();
    client.expect(Packet::Fin);
    client.receive_datagram((), RESET);
    assert_eq!(client.machine.ended(), Some(CloseReason::Finished));
}
