//! The calls of a driver.

use super::{Asked, Begin, Peer, Reply, Server, Task};
use crate::files::incoming::{Operation, Update};
use crate::files::message::Message;
use crate::files::request::{Answer, Output, Request, Session};
use crate::files::sealed::Sealed;
use crate::ftp::{ErrorCode, StorageError, Unasked};

impl Sealed for Server {}

impl Session for Server {
    fn handle_input(&mut self, unread: &[u8]) -> usize {
        let mut taken = 0;
        while self.peer != Peer::Lost {
            let rest = unread.get(taken..).unwrap_or_default();
            if self.reader.expects_content() {
                let len = self.reader.content_in(rest.len());
                let Task::Put(incoming, _) = &mut self.task else { break };
                if incoming.is_exceeded_by(len) {
                    self.refuse_put(ErrorCode::TooLarge);
                    continue;
                }
                let consumed = incoming.offer(len);
                self.reader.consume(consumed);
                taken += consumed;
                if consumed < len || len == 0 {
                    break;
                }
            } else {
                if !self.takes_message() {
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
        if self.peer == Peer::Lost && !matches!(&self.task, Task::Put(incoming, _) if incoming.is_writing()) {
            taken = unread.len();
        }
        self.is_drained = taken == unread.len();
        self.settle();
        taken
    }

    fn handle_peer_closed(&mut self) {
        if self.peer == Peer::Open {
            self.peer = Peer::Closed;
        }
        self.settle();
    }

    fn handle_lost(&mut self) {
        self.writer.lose();
        self.lose();
    }

    fn handle_answer(&mut self, answer: Answer<'_>) -> Result<(), Unasked> {
        let Task::Put(incoming, begin) = &mut self.task else { return self.handle_other_answer(&answer) };
        let needed_path = incoming.needs_path();
        let update = incoming.answer(&answer)?;
        if needed_path {
            self.reader.message.clear();
        }
        match update {
            Update::Progress => {}
            Update::Prepared(prefix) => {
                if *begin == Begin::Resumes {
                    incoming.start_at(prefix.length);
                    *begin = Begin::Announces(prefix);
                }
            }
            Update::Queued => self.push_reply(Reply::Open),
            Update::Failed(error) => self.refuse_put(error.into()),
        }
        self.finish_put();
        self.settle();
        Ok(())
    }

    fn handle_committed(&mut self, result: Result<(), StorageError>) -> Result<(), Unasked> {
        let reply = self.replies.iter_mut().find(|reply| **reply == Reply::Open).ok_or(Unasked)?;
        *reply = result.map_or_else(|error| Reply::Error(error.into()), |()| Reply::Confirm);
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
        let (has_answered, is_ready) = (self.has_answered(), self.writer.is_ready());
        let message = self.reader.message.message().ok().flatten();
        Some(match (&mut self.task, message) {
            (Task::Put(incoming, _), message) => match (incoming.poll()?, message) {
                (Operation::Prepare, Some(Message::Put { wish, metadata, length, path })) => {
                    Request::Create { path, metadata, length, wish }
                }
                // The reader keeps PUT until storage has prepared the file.
                (Operation::Prepare, _) => return None,
                (Operation::Rewind, _) => Request::Rewind,
                (Operation::Write { offset, len }, _) => Request::Write { offset, len },
                (Operation::Commit { digest }, _) => Request::Commit { digest },
                (Operation::Discard { may_resume }, _) => Request::Discard { may_resume },
            },
            (Task::Open(asked @ Asked::No), Some(Message::Get { have, path })) if has_answered => {
                *asked = Asked::Yes;
                Request::Open { path, have }
            }
            (Task::Send(outgoing), _) if is_ready => outgoing.poll(room)?,
            (Task::List(asked @ Asked::No), Some(Message::List { wish, folder })) if has_answered => {
                *asked = Asked::Yes;
                Request::List { wish, folder }
            }
            (Task::Entry(asked @ Asked::No), _) if is_ready => {
                *asked = Asked::Yes;
                Request::NextEntry
            }
            (Task::Check(asked @ Asked::No), Some(Message::Check { wish, path })) if has_answered => {
                *asked = Asked::Yes;
                Request::Describe { wish, path }
            }
            (
                Task::Request
                | Task::Open(_)
                | Task::Send(_)
                | Task::List(_)
                | Task::Entry(_)
                | Task::Check(_)
                | Task::Refuse(_),
                _,
            ) => return None,
        })
    }

    fn is_done(&self) -> bool {
        let is_open = self.replies.iter().any(|reply| *reply == Reply::Open);
        self.writer.is_gone() && matches!(self.task, Task::Request) && !is_open
    }
}
