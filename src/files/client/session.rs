//! The calls of a driver.

use super::{Failure, FileClient, Get, Pending, State};
use crate::files::event::SessionEnd;
use crate::files::incoming::{Operation, Update};
use crate::files::message::{Flags, SessionMessage};
use crate::files::request::{
    Cause, Committed, FileOutput, FileSession, ReceiveAnswer, ReceiveRequest, SendAnswer, SendRequest, Target,
};
use crate::files::sealed::Sealed;
use crate::ftp::{ErrorCode, Unasked};

impl FileClient {
    /// Processes content. Returns how many bytes are consumed, and whether more input may be processed.
    fn take_content(&mut self, input: &[u8]) -> (usize, bool) {
        let len = self.reader.content_in(input.len());
        let Some(Get { incoming, failure, .. }) = &mut self.receiving else { return (0, false) };
        if incoming.excess_of(len).is_some() {
            incoming.stop(Cause::Invalid);
            failure.get_or_insert(Failure::Length);
        }
        let consumed = incoming.offer(len);
        self.reader.consume(consumed);
        (consumed, consumed == len && len > 0)
    }

    /// Processes a message. Returns how many bytes are consumed, and whether more input may be processed.
    fn take_message(&mut self, input: &[u8]) -> (usize, bool) {
        let (consumed, message) = self.reader.read(input);
        let is_valid = match message {
            Ok(None) => return (consumed, false),
            Ok(Some(message)) if !self.may_handle(message) => return (consumed, false),
            Ok(Some(message)) => self.handle(message),
            Err(_) => false,
        };
        if !is_valid {
            self.writer.abort(ErrorCode::Malformed);
            self.end(SessionEnd::Violation);
        }
        (consumed, true)
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Ending(_) | State::Over)
    }
}

impl Sealed for FileClient {}

impl FileSession for FileClient {
    fn handle_input(&mut self, unread: &[u8]) -> usize {
        if self.event == Pending::Polled {
            self.event = Pending::None;
            self.reader.next();
        }
        let (mut taken, mut goes_on) = (0, true);
        while goes_on && !self.is_over() && !self.has_event() {
            let rest = unread.get(taken..).unwrap_or_default();
            let consumed;
            (consumed, goes_on) =
                if self.reader.expects_content() { self.take_content(rest) } else { self.take_message(rest) };
            taken += consumed;
        }
        if let Some(end) = self.stream_end
            && !self.reader.holds_message()
        {
            self.end(end);
        }
        let is_writing = self.receiving.as_ref().is_some_and(|get| get.incoming.is_writing());
        if self.is_over() && !is_writing { unread.len() } else { taken }
    }

    fn handle_peer_closed(&mut self) {
        // A server closes after its client. Before, it has lost what is open.
        self.writer.close();
        self.end_stream(SessionEnd::Closed);
    }

    fn handle_lost(&mut self, code: Option<ErrorCode>) {
        self.writer.lose();
        self.end_stream(SessionEnd::Lost(code));
    }

    fn poll_receive(&mut self) -> Option<ReceiveRequest<'_>> {
        let Get { number, incoming, .. } = self.receiving.as_mut()?;
        Some(match incoming.poll()? {
            Operation::Prepare => match self.file.message() {
                Ok(Some(SessionMessage::File { kind, metadata, length, offset, .. })) => {
                    let (number, flags) = (*number, Flags::empty());
                    ReceiveRequest::Create(Target { number, path: None, kind, metadata, length, offset, flags })
                }
                // The FILE is kept until storage has prepared the file.
                Ok(_) | Err(_) => return None,
            },
            Operation::Write { offset, len } => ReceiveRequest::Write { offset, len },
            Operation::Commit { digest } => ReceiveRequest::Commit { digest },
            Operation::Discard(cause) => ReceiveRequest::Discard(cause),
        })
    }

    fn answer_receive(&mut self, answer: ReceiveAnswer) -> Result<(), Unasked> {
        let Get { number, incoming, failure } = self.receiving.as_mut().ok_or(Unasked)?;
        match incoming.answer(answer)? {
            Update::Progress => {}
            Update::Queued => {
                let _fits = self.queued.push_back(*number);
            }
            Update::Failed(error) => {
                failure.get_or_insert(Failure::Storage(error));
            }
        }
        self.finish_receiving();
        Ok(())
    }

    fn poll_send(&mut self, room: usize) -> Option<SendRequest<'_>> {
        if !self.writer.is_ready() {
            return None;
        }
        self.sending.as_mut()?.outgoing.poll(room)
    }

    fn answer_send(&mut self, answer: SendAnswer<'_>) -> Result<(), Unasked> {
        let put = self.sending.as_mut().ok_or(Unasked)?;
        if let Some(error) = put.outgoing.answer(&answer)? {
            let number = put.number;
            self.open.fail(number, error);
        }
        if self.is_over() {
            self.sending = None;
        }
        Ok(())
    }

    fn handle_committed(&mut self, result: Committed) -> Result<(), Unasked> {
        let number = self.queued.pop_front().ok_or(Unasked)?;
        let _fits = self.committed.push_back((number, result));
        Ok(())
    }

    fn poll_output(&mut self) -> Option<FileOutput<'_>> {
        self.advance();
        // Content that storage reads comes before the end of the stream.
        let is_read = self.sending.as_ref().is_some_and(|put| put.outgoing.is_asked());
        if is_read && self.writer.is_closing() { None } else { self.writer.poll() }
    }

    fn output_sent(&mut self, len: usize) -> Result<(), Unasked> {
        self.writer.sent(len)
    }

    fn is_done(&self) -> bool {
        self.state == State::Over
    }
}
