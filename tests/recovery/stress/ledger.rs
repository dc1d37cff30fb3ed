//! The data written and read by all incarnations, their close reasons, and a check of both.

use super::session::Session;
use rdt_proto::connection::CloseReason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The sessions of all incarnations of both sides.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The number of identifiers assigned so far.
    names: u64,
    entries: Vec<(Side, Session)>,
}

impl Ledger {
    /// Returns an identifier that no other incarnation has.
    pub(crate) fn next_id(&mut self, side: Side) -> u64 {
        self.names += 1;
        u64::from(side == Side::Server) << 63 | self.names << 32 | 0xA5A5_A5A5
    }

    /// Records an incarnation that has ended, or that was dropped without an end.
    pub(crate) fn note(&mut self, side: Side, session: Session) {
        self.entries.push((side, session));
    }

    pub(crate) fn of(&self, side: Side) -> impl Iterator<Item = &Session> {
        self.entries.iter().filter(move |(of, _)| *of == side).map(|(_, session)| session)
    }

    /// Asserts that all records are consistent.
    pub(crate) fn check(&self) {
        for (side, other) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
            for session in self.of(side) {
                let peer = self.writer(session, other);
                assert!(is_allowed(side, session), "{side:?} of {:x}: {:?}", session.id, session.end);
                if session.end == Some(CloseReason::Finished) {
                    self.check_finished(session, peer, other);
                }
            }
        }
    }

    /// Returns the incarnation that wrote what `session` has read. `None` if it has read nothing.
    ///
    /// Asserts that there is such an incarnation, and that no other session has read its data.
    fn writer(&self, session: &Session, other: Side) -> Option<&Session> {
        if session.received.is_empty() {
            return None;
        }
        let peer = self.of(other).find(|peer| peer.written().starts_with(&session.received));
        assert!(peer.is_some(), "{:x} read {} bytes that no incarnation wrote", session.id, session.received.len());
        let first = session.received.first_chunk::<8>();
        let readers =
            self.entries.iter().filter(|(_, reader)| first.is_some() && reader.received.first_chunk() == first);
        assert!(readers.count() <= 1, "two sessions read data of {first:x?}");
        peer
    }

    /// Asserts that all data of both directions has arrived.
    fn check_finished(&self, session: &Session, peer: Option<&Session>, other: Side) {
        assert_eq!(session.sent, session.data.len(), "{:x} finished before it had written everything", session.id);
        let readers = self.of(other).filter(|reader| reader.received == session.data).count();
        // Data shorter than an identifier may be the same in several incarnations.
        let unclear = |bytes: &[u8]| bytes.len() < 8;
        assert!(readers == 1 || unclear(&session.data), "{readers} read all that {:x} wrote", session.id);
        match peer {
            Some(peer) => assert!(
                peer.data == session.received || unclear(&session.received),
                "{:x} finished without all of {:x}",
                session.id,
                peer.id
            ),
            None => assert!(
                self.of(other).any(|peer| peer.data.is_empty()),
                "{:x} finished and has read nothing of what was written",
                session.id
            ),
        }
    }
}

/// Whether the session may end for its reported reason.
///
/// | cause | reported reason |
/// |---|---|
/// | both sides closed, or only the last FIN has no answer | `Finished` |
/// | no answer to CONNECT or CONNACK: loss, a blackout, or an address that an earlier incarnation still has | `HandshakeTimedOut` |
/// | a blackout, loss, or a peer that has restarted, while data, FIN or a PROBE wait for an answer | `TimedOut` |
/// | the same while nothing is unacknowledged, in base mode | `Quiet` |
/// | the client has restarted and opened a newer connection, in extended mode | `Evicted`, at the server |
/// | a restart of this side dropped the session | none |
fn is_allowed(side: Side, session: &Session) -> bool {
    match session.end {
        Some(CloseReason::Finished | CloseReason::TimedOut) | None => true,
        Some(CloseReason::HandshakeTimedOut) => session.received.is_empty(),
        Some(CloseReason::Quiet) => !session.extended,
        Some(CloseReason::Evicted) => session.extended && side == Side::Server,
        Some(_) => false,
    }
}
