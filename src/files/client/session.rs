//! The calls of a driver.

use super::{Client, Failure, Half, Peer, Sending};
use crate::files::incoming::{Operation, Stop};
use crate::files::message::Message;
use crate::files::request::{Answer, Output, Request, Session};
use crate::files::sealed::Sealed;
use crate::ftp::{ErrorCode, StorageError, Unasked};

impl Sealed for Client {}

impl Session for Client {
    fn handle_input(&mut self, unread: &[u8]) -> usize {
        let mut taken = 0;
        if core::mem::take(&mut self.has_polled_entry) {
            self.reader.message.clear();
        }
        while self.peer != Peer::Lost && self.event.is_none() {
            let rest = unread.get(taken..).unwrap_or_default();
            if self.reader.expects_content() {
                let len = self.reader.content_in(rest.len());
                let Some(receiving) = &mut self.receiving else { break };
                if receiving.incoming.is_exceeded_by(len) {
                    receiving.incoming.stop(Stop::Discard);
                    receiving.failure.get_or_insert(Failure::Length);
                }
                let consumed = receiving.incoming.offer(len);
                self.reader.consume(consumed);
                taken += consumed;
                if consumed < len || len == 0 {
                    break;
                }
            } else {
                if self.receiving.as_ref().is_some_and(|receiving| !receiving.incoming.is_ready()) {
                    break;
                }
                let (consumed, message) = self.reader.read(rest);
                taken += consumed;
                let is_valid = match message {
                    Ok(None) => break,
                    Ok(Some(message)) => self.handle(message),
                    Err(_) => false,
                };
                if !is_valid {
                    self.writer.abort(ErrorCode::Malformed);
                    self.lose();
                }
            }
        }
        let is_writing = self.receiving.as_ref().is_some_and(|receiving| receiving.incoming.is_writing());
        if self.peer == Peer::Lost && !is_writing { unread.len() } else { taken }
    }

    fn handle_peer_closed(&mut self) {
        if self.peer == Peer::Open {
            self.peer = Peer::Closed;
        }
    }

    fn handle_lost(&mut self) {
        self.writer.lose();
        self.lose();
    }

    fn handle_answer(&mut self, answer: Answer<'_>) -> Result<(), Unasked> {
        match self.asked {
            None => Err(Unasked),
            Some(Half::Sending) => self.answer_sending(&answer),
            Some(Half::Receiving) => self.answer_receiving(&answer),
        }
    }

    fn handle_committed(&mut self, _result: Result<(), StorageError>) -> Result<(), Unasked> {
        self.queued = self.queued.checked_sub(1).ok_or(Unasked)?;
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output<'_>> {
        self.advance();
        self.writer.poll()
    }

    fn output_sent(&mut self, len: usize) -> Result<(), Unasked> {
        self.writer.sent(len)
    }

    fn poll_request(&mut self, room: usize) -> Option<Request<'_>> {
        if self.asked.is_some() {
            return None;
        }
        if let Some(operation) = self.receiving.as_mut().and_then(|receiving| receiving.incoming.poll()) {
            let request = match (operation, self.reader.message.message()) {
                (Operation::Prepare, Ok(Some(Message::File { metadata, length, offset }))) => {
                    Request::Receive { metadata, length, offset }
                }
                (Operation::Write { offset, len }, _) => Request::Write { offset, len },
                (Operation::Commit { digest }, _) => Request::Commit { digest },
                (Operation::Discard { may_resume }, _) => Request::Discard { may_resume },
                // The reader keeps FILE until storage has prepared the file, and a client never rewinds.
                (Operation::Prepare | Operation::Rewind, _) => return None,
            };
            self.asked = Some(Half::Receiving);
            return Some(request);
        }
        let is_ready = self.writer.is_ready();
        let request = match &mut self.sending {
            &mut Sending::Compare { prefix, .. } if is_ready => Request::Compare { prefix },
            Sending::Content(outgoing) if is_ready => outgoing.poll(room)?,
            Sending::Idle | Sending::Resume { .. } | Sending::Compare { .. } | Sending::Content(_) => return None,
        };
        self.asked = Some(Half::Sending);
        Some(request)
    }

    fn is_done(&self) -> bool {
        let is_idle = matches!(self.sending, Sending::Idle) && self.receiving.is_none() && self.asked.is_none();
        self.writer.is_gone() && is_idle && self.queued == 0 && self.event.is_none() && self.peer != Peer::Open
    }
}
