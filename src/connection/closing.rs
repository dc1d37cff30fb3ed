//! The handling of FIN and FINACK, and the end of a connection.

use super::close::Close;
use super::input::Outcome;
use super::state::{Ended, Farewell, State};
use super::{CloseReason, Connection, ConnectionTypes, Ignored};
use crate::Instant;
use crate::arq::Arq;
use crate::event::Events;
use crate::wire::VERSION;

impl<T: ConnectionTypes> Connection<T> {
    pub(super) fn handle_fin(&mut self) -> Outcome {
        // A FIN before the handshake is complete is a late copy from an earlier connection.
        if !self.state.is_established() {
            return Err(Ignored::State);
        }
        self.on_heard();
        self.with_close(Close::on_fin)
    }

    pub(super) fn handle_finack(&mut self) -> Outcome {
        if !self.state.is_established() {
            return Err(Ignored::State);
        }
        self.on_heard();
        self.with_close(Close::on_finack)
    }

    /// Lets `handle` process a FIN or FINACK. `handle` returns whether the packet has an effect; otherwise it is
    /// ignored.
    fn with_close(&mut self, handle: impl FnOnce(&mut Close, Instant) -> bool) -> Outcome {
        let State::Established { close, .. } = &mut self.state else { return Err(Ignored::State) };
        let first = !close.is_incoming_closed();
        if !handle(close, self.now) {
            return Err(Ignored::State);
        }
        if first && close.is_incoming_closed() {
            self.events.insert(Events::PEER_CLOSED);
        }
        Ok(())
    }

    /// How lossy the path is; `None` in base mode.
    pub(super) fn losses(&self) -> Option<u8> {
        self.negotiation.is_extended().then(|| self.arq.losses())
    }

    /// Whether the incoming direction is closed.
    pub(super) fn is_incoming_closed(&self) -> bool {
        self.state.close().is_some_and(Close::is_incoming_closed)
    }

    /// Ends a server whose client speaks the version `theirs`. A CONNACK that carries only our version is due.
    pub(super) fn refuse_version(&mut self, theirs: u32) {
        self.give_up(CloseReason::Version { ours: VERSION, theirs });
        self.state.say_farewell(Farewell::Version);
    }

    /// Ends the connection without a close: it sends and answers nothing any more.
    pub(super) fn give_up(&mut self, reason: CloseReason) {
        self.end(reason, Close::new(self.peer, true), None);
    }

    /// Ends the connection. `close` may still send FIN or FINACK, and answers a repeated FIN until `linger`.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn end(&mut self, reason: CloseReason, close: Close, linger: Option<Instant>) {
        let linger = linger.filter(|&end| end > self.now);
        let was_established = self.state.is_established();
        let ended = Ended { reason, at: self.now, linger, farewell: None, copies: 0, was_established };
        self.state = State::Ended { ended, close };
        self.events.insert(Events::CLOSED);
        self.events.remove(Events::WRITABLE | Events::BLOCKED);
    }
}
