//! The calls of a driver.

use super::task::Task;
use super::{FileServer, Peer, Put};
use crate::files::incoming::{Operation, Update, in_file};
use crate::files::message::SessionMessage;
use crate::files::path::{FilePath, RawPath};
use crate::files::request::{
    Cause, Committed, FileOutput, FileSession, ReceiveAnswer, ReceiveRequest, SendAnswer, SendRequest, Target,
};
use crate::files::sealed::Sealed;
use crate::ftp::{ErrorCode, Unasked};

impl FileServer {
    /// Processes content. Returns how many bytes are consumed, and whether more input may be processed.
    fn take_content(&mut self, input: &[u8]) -> (usize, bool) {
        let len = self.reader.content_in(input.len());
        let Some(Put { incoming, .. }) = &mut self.receiving else {
            // The end of the stream has ended the PUT, and yet more came.
            self.reader.consume(len);
            return (len, len > 0);
        };
        if let Some(code) = incoming.excess_of(len) {
            self.refuse_put(code, Cause::Invalid);
            return (0, true);
        }
        let consumed = incoming.offer(len);
        if incoming.is_dropped() {
            self.dropped = self.dropped.saturating_add(in_file(consumed));
        }
        self.reader.consume(consumed);
        if self.dropped > self.config.drain_limit {
            self.abort(ErrorCode::Cancelled);
        }
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
            self.abort(ErrorCode::Malformed);
        }
        (consumed, true)
    }

    fn abort(&mut self, code: ErrorCode) {
        self.writer.abort(code);
        self.lose();
    }
}

impl Sealed for FileServer {}

impl FileSession for FileServer {
    fn handle_input(&mut self, unread: &[u8]) -> usize {
        let (mut taken, mut goes_on) = (0, true);
        while goes_on && self.peer != Peer::Lost && self.writer.is_open() {
            let rest = unread.get(taken..).unwrap_or_default();
            let consumed;
            (consumed, goes_on) =
                if self.reader.expects_content() { self.take_content(rest) } else { self.take_message(rest) };
            taken += consumed;
        }
        if (self.peer == Peer::Lost || !self.writer.is_open())
            && !self.receiving.as_ref().is_some_and(|put| put.incoming.is_writing())
        {
            taken = unread.len();
        }
        self.is_drained = taken == unread.len() && !self.reader.holds_message();
        self.settle();
        taken
    }

    fn handle_peer_closed(&mut self) {
        if self.peer == Peer::Open {
            self.peer = Peer::Closed;
        }
        self.settle();
    }

    fn handle_lost(&mut self, _code: Option<ErrorCode>) {
        self.writer.lose();
        self.lose();
    }

    fn poll_receive(&mut self) -> Option<ReceiveRequest<'_>> {
        let Put { number, incoming } = self.receiving.as_mut()?;
        Some(match incoming.poll()? {
            Operation::Prepare => match self.put.message() {
                Ok(Some(SessionMessage::Put { flags, kind, metadata, length, offset, path })) => {
                    let (number, path) = (*number, path.check().ok());
                    ReceiveRequest::Create(Target { number, path, kind, metadata, length, offset, flags })
                }
                // The PUT is kept until storage has prepared the file.
                Ok(_) | Err(_) => return None,
            },
            Operation::Write { offset, len } => ReceiveRequest::Write { offset, len },
            Operation::Commit { digest } => ReceiveRequest::Commit { digest },
            Operation::Discard(cause) => ReceiveRequest::Discard(cause),
        })
    }

    fn answer_receive(&mut self, answer: ReceiveAnswer) -> Result<(), Unasked> {
        let Put { number, incoming } = self.receiving.as_mut().ok_or(Unasked)?;
        match incoming.answer(answer)? {
            Update::Progress => {}
            Update::Queued => {
                let _fits = self.queued.push_back(*number);
            }
            Update::Failed(error) => {
                if self.peer != Peer::Lost {
                    self.refuse_put(error.into(), Cause::Storage);
                }
            }
        }
        self.finish_put();
        self.settle();
        Ok(())
    }

    fn poll_send(&mut self, room: usize) -> Option<SendRequest<'_>> {
        // Answers to PUTs that are due do not wait for the end of a long file.
        self.advance();
        if !self.writer.is_ready() {
            return None;
        }
        match &mut self.sending {
            Task::Send(outgoing) => outgoing.poll(room),
            Task::NextEntry => {
                self.sending = Task::EntryAsked;
                Some(SendRequest::NextEntry)
            }
            Task::Ask => {
                self.sending = Task::Asked;
                // Paths that break a rule were refused, and only these requests start the task.
                match self.read.message().ok().flatten()? {
                    SessionMessage::Get { path, have, .. } => {
                        Some(SendRequest::Open { path: path.check().ok()?, have })
                    }
                    SessionMessage::Stat { flags, path } => Some(SendRequest::Stat { flags, path: path.check().ok()? }),
                    SessionMessage::List { flags, folder, after } => {
                        Some(SendRequest::List { flags, folder: checked(folder), after: checked(after) })
                    }
                    _ => None,
                }
            }
            Task::Idle | Task::Asked | Task::EntryAsked | Task::Refuse(_) => None,
        }
    }

    fn answer_send(&mut self, answer: SendAnswer<'_>) -> Result<(), Unasked> {
        self.handle_sent(&answer)
    }

    fn handle_committed(&mut self, result: Committed) -> Result<(), Unasked> {
        let number = self.queued.pop_front().ok_or(Unasked)?;
        let answer = match result {
            Committed::Durable => None,
            Committed::Failed(error) => Some(error.into()),
            // ERROR would say that the path keeps its previous content.
            Committed::Uncertain(error) => {
                self.abort(error.into());
                return Ok(());
            }
        };
        if self.peer != Peer::Lost {
            let _fits = self.answers.push_back((number, answer));
        }
        Ok(())
    }

    fn poll_output(&mut self) -> Option<FileOutput<'_>> {
        self.advance();
        self.writer.poll()
    }

    fn output_sent(&mut self, len: usize) -> Result<(), Unasked> {
        self.writer.sent(len)
    }

    fn is_done(&self) -> bool {
        self.writer.is_gone() && !self.is_busy()
    }
}

fn checked(path: Option<RawPath<'_>>) -> Option<FilePath<'_>> {
    path.and_then(|path| path.check().ok())
}
