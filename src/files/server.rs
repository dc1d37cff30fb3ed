//! The server's side of a session.
//!
//! ```text
//!          PUT ──→ Put: Create, [RESUME, START,] DATA… ──→ END, Commit ──→ queued: CONFIRM or ERROR follows
//! Request ─GET ──→ Get: Open ──→ FILE, DATA… ──→ END
//!    ↑    LIST ──→ List ──→ ENTRY… ──→ LISTED
//!    │    CHECK ─→ Check ──→ ENTRY
//!    └──────────── the next request
//! ```
//!
//! Answers leave in the order of the requests. A PUT is queued, and the next request is served while the file is made
//! durable. All other requests wait until the earlier ones are answered.

use heapless::Deque;

mod session;

use super::config::ServerConfig;
use super::incoming::{Incoming, Stop};
use super::message::{Message, Prefix, Wish};
use super::outgoing::Outgoing;
use super::request::Answer;
use super::stream::{Parsed, Reader, Writer};
use crate::ftp::{ErrorCode, Unasked};

/// The number of PUTs whose answers are open. Further requests wait.
pub const MAX_OPEN_PUTS: usize = 256;

/// The server's side of a session, driven through [`Session`](super::Session).
#[derive(Clone, Debug)]
pub struct Server {
    config: ServerConfig,
    reader: Reader,
    writer: Writer,
    task: Task,
    /// The answers to the PUTs that are complete, in their order.
    replies: Deque<Reply, MAX_OPEN_PUTS>,
    peer: Peer,
    /// Whether the last input was consumed whole.
    is_drained: bool,
}

/// What the server works on.
#[derive(Clone, Debug)]
enum Task {
    /// It waits for a request.
    Request,
    Put(Incoming, Begin),
    Open(Asked),
    Send(Outgoing),
    List(Asked),
    /// The next ENTRY.
    Entry(Asked),
    Check(Asked),
    /// ERROR follows the earlier answers.
    Refuse(ErrorCode),
}

/// Whether storage has the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    Yes,
}

/// How the content of a PUT begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// With DATA.
    Data,
    /// RESUME is due once storage has prepared the file.
    Resumes,
    /// RESUME with this prefix is due.
    Announces(Prefix),
    /// START follows RESUME with this prefix.
    Awaits(Prefix),
}

/// The answer to a PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    /// The file is queued.
    Open,
    Confirm,
    Error(ErrorCode),
}

/// What is known of the peer's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Open,
    Closed,
    Lost,
}

impl Server {
    /// A server that waits for a request.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self {
            config,
            reader: Reader::default(),
            writer: Writer::default(),
            task: Task::Request,
            replies: Deque::new(),
            peer: Peer::Open,
            is_drained: true,
        }
    }

    /// Whether the earlier requests are answered, and their answers are in the stream.
    fn has_answered(&self) -> bool {
        self.replies.is_empty() && self.writer.is_ready()
    }

    /// Whether a message may be processed.
    fn takes_message(&self) -> bool {
        match &self.task {
            Task::Request => !self.replies.is_full(),
            Task::Put(incoming, Begin::Data | Begin::Awaits(_)) => incoming.is_ready(),
            Task::Put(_, Begin::Resumes | Begin::Announces(_))
            | Task::Open(_)
            | Task::Send(_)
            | Task::List(_)
            | Task::Entry(_)
            | Task::Check(_)
            | Task::Refuse(_) => false,
        }
    }

    /// Processes a message. Returns false if it violates the protocol.
    fn handle(&mut self, message: Parsed) -> bool {
        if let Task::Put(..) = self.task {
            self.reader.message.clear();
            return self.handle_content(message);
        }
        let may_read = self.config.access.may_read();
        self.task = match message {
            Parsed::Put { wish, length } => {
                let begin = if wish.contains(Wish::RESUME) { Begin::Resumes } else { Begin::Data };
                self.task = Task::Put(Incoming::new(0, length, self.config.max_length), begin);
                let refusal = if !self.config.access.may_write() {
                    Some(ErrorCode::NotPermitted)
                } else {
                    length.filter(|&length| length > self.config.max_length).map(|_| ErrorCode::TooLarge)
                };
                if let Some(code) = refusal {
                    self.reader.message.clear();
                    self.refuse_put(code);
                }
                return true;
            }
            Parsed::Get | Parsed::List | Parsed::Check if !may_read => Task::Refuse(ErrorCode::NotPermitted),
            Parsed::Get => Task::Open(Asked::No),
            Parsed::List => Task::List(Asked::No),
            Parsed::Check => Task::Check(Asked::No),
            Parsed::Start { .. }
            | Parsed::Data { .. }
            | Parsed::End { .. }
            | Parsed::Cancel { .. }
            | Parsed::Resume(_)
            | Parsed::Confirm
            | Parsed::Error { .. }
            | Parsed::File { .. }
            | Parsed::Entry
            | Parsed::Listed => return false,
        };
        true
    }

    /// Processes a message about the content of a PUT. Returns false if it is out of place.
    fn handle_content(&mut self, message: Parsed) -> bool {
        let Task::Put(incoming, begin) = &mut self.task else { return false };
        match (message, *begin) {
            (Parsed::Start { offset }, Begin::Awaits(prefix)) if offset == 0 || offset == prefix.length => {
                *begin = Begin::Data;
                if offset < prefix.length {
                    incoming.rewind();
                }
            }
            (Parsed::Data { len }, Begin::Data) => self.reader.start_content(len),
            (Parsed::End { digest }, Begin::Data) => {
                if !incoming.end(digest) {
                    self.push_reply(Reply::Error(ErrorCode::Malformed));
                }
            }
            (Parsed::Cancel { code }, Begin::Data | Begin::Awaits(_)) => {
                if incoming.cancel(Stop::Discard) {
                    self.push_reply(Reply::Error(code));
                }
            }
            (_, Begin::Data | Begin::Resumes | Begin::Announces(_) | Begin::Awaits(_)) => return false,
        }
        self.finish_put();
        true
    }

    fn push_reply(&mut self, reply: Reply) {
        // There is room, since a PUT starts only if there is.
        let _fits = self.replies.push_back(reply);
    }

    /// Answers the present PUT by ERROR. Content that still comes is dropped.
    fn refuse_put(&mut self, code: ErrorCode) {
        let Task::Put(incoming, begin) = &mut self.task else { return };
        match begin {
            // The client waits for RESUME, and sends no content after ERROR.
            Begin::Resumes | Begin::Announces(_) => incoming.cancel(Stop::Discard),
            Begin::Data | Begin::Awaits(_) => incoming.stop(Stop::Discard),
        };
        self.push_reply(Reply::Error(code));
        self.finish_put();
    }

    /// Goes on with the next request if the present PUT is finished.
    fn finish_put(&mut self) {
        if matches!(&self.task, Task::Put(incoming, _) if incoming.is_finished()) {
            self.task = Task::Request;
        }
    }

    /// Answers a request that storage has served.
    fn answer(&mut self, message: &Message<'_>, next: Task) {
        if self.peer != Peer::Lost {
            self.writer.put(message);
            self.task = next;
        } else {
            self.task = Task::Request;
        }
        self.reader.message.clear();
    }

    /// Processes the answer to a request for anything but the content of a PUT.
    fn handle_other_answer(&mut self, answer: &Answer<'_>) -> Result<(), Unasked> {
        let (message, next) = match (&mut self.task, *answer) {
            (Task::Open(Asked::Yes), Answer::Opened { metadata, length, offset }) => {
                (Message::File { metadata, length, offset }, Task::Send(Outgoing::new(offset, Some(length))))
            }
            (Task::Send(outgoing), _) => {
                outgoing.answer(answer)?;
                if self.peer == Peer::Lost {
                    self.task = Task::Request;
                }
                return Ok(());
            }
            (Task::List(Asked::Yes), Answer::Ready) => {
                self.reader.message.clear();
                self.task = if self.peer == Peer::Lost { Task::Request } else { Task::Entry(Asked::No) };
                return Ok(());
            }
            (Task::Entry(Asked::Yes), Answer::Entry(entry)) => (Message::Entry(entry), Task::Entry(Asked::No)),
            (Task::Entry(Asked::Yes), Answer::NoMore) => (Message::Listed, Task::Request),
            (Task::Check(Asked::Yes), Answer::Entry(entry)) => (Message::Entry(entry), Task::Request),
            (
                Task::Open(Asked::Yes) | Task::List(Asked::Yes) | Task::Entry(Asked::Yes) | Task::Check(Asked::Yes),
                Answer::Failed(error),
            ) => (Message::Error { code: error.into() }, Task::Request),
            (
                Task::Request
                | Task::Put(..)
                | Task::Open(_)
                | Task::List(_)
                | Task::Entry(_)
                | Task::Check(_)
                | Task::Refuse(_),
                _,
            ) => return Err(Unasked),
        };
        self.answer(&message, next);
        Ok(())
    }

    /// Puts the next message that is due.
    fn advance(&mut self) {
        if !self.writer.is_ready() {
            return;
        }
        let message = match self.replies.front() {
            Some(Reply::Open) => return,
            Some(Reply::Confirm) => Message::Confirm,
            Some(&Reply::Error(code)) => Message::Error { code },
            None => match &mut self.task {
                Task::Put(_, begin @ Begin::Announces(_)) => {
                    let Begin::Announces(prefix) = *begin else { return };
                    *begin = Begin::Awaits(prefix);
                    return self.writer.put(&Message::Resume(prefix));
                }
                Task::Send(outgoing) => {
                    let Some(message) = outgoing.last_message() else { return };
                    self.task = Task::Request;
                    return self.writer.put(&message);
                }
                &mut Task::Refuse(code) => return self.answer(&Message::Error { code }, Task::Request),
                Task::Request if self.peer == Peer::Closed && self.is_drained => return self.writer.close(),
                Task::Request | Task::Put(..) | Task::Open(_) | Task::List(_) | Task::Entry(_) | Task::Check(_) => {
                    return;
                }
            },
        };
        self.replies.pop_front();
        self.writer.put(&message);
    }

    /// Ends the present task, since nothing more can arrive.
    fn lose(&mut self) {
        self.peer = Peer::Lost;
        match &mut self.task {
            Task::Put(incoming, _) => {
                incoming.cancel(Stop::Lost);
            }
            Task::Send(outgoing) if outgoing.is_asked() => {}
            Task::Open(Asked::Yes) | Task::List(Asked::Yes) | Task::Entry(Asked::Yes) | Task::Check(Asked::Yes) => {}
            Task::Request
            | Task::Open(Asked::No)
            | Task::Send(_)
            | Task::List(Asked::No)
            | Task::Entry(Asked::No)
            | Task::Check(Asked::No)
            | Task::Refuse(_) => self.task = Task::Request,
        }
        self.finish_put();
    }

    /// Ends a PUT whose content can no longer arrive.
    fn settle(&mut self) {
        if self.peer == Peer::Closed
            && self.is_drained
            && let Task::Put(incoming, _) = &mut self.task
            && incoming.is_ready()
        {
            incoming.cancel(Stop::Lost);
            self.finish_put();
        }
    }
}
