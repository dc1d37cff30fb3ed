//! The client's side of a session.
//!
//! ```text
//! sending     Idle ──PUT──→ DATA… ──→ END ──→ Idle            CONFIRM or ERROR comes later
//! receiving   Idle ──FILE─→ Create, DATA… ──→ END, Commit ──→ Idle
//! ```
//!
//! Requests leave one after the other, without waiting for answers. Those to GET, STAT and LIST come in the order of
//! the requests, those to PUT whenever a file is durable.

mod open;
mod requests;
mod session;

pub use open::MAX_OPEN_REQUESTS;
pub use requests::PutRequest;

use heapless::Deque;

use super::encoded::Encoded;
use super::event::{Failure, SessionEnd, SessionEvent};
use super::incoming::Incoming;
use super::message::{SESSION_VERSION, SessionMessage, is_border};
use super::outgoing::Outgoing;
use super::request::{Cause, Committed};
use super::stream::{Content, Parsed, Reader, Writer};
use crate::ftp::ErrorCode;
use open::{OpenRequests, Slot};

/// The number of received files that wait to be durable. Further content waits in the stream.
const MAX_QUEUED: usize = 256;

/// The client's side of a session, driven through [`FileSession`](super::FileSession).
#[derive(Clone, Debug)]
pub struct FileClient {
    reader: Reader,
    writer: Writer,
    is_greeted: bool,
    open: OpenRequests,
    sending: Option<Put>,
    receiving: Option<Get>,
    /// The FILE, which storage needs until it has prepared the file.
    file: Encoded,
    /// The GETs whose files are queued.
    queued: Deque<u32, MAX_QUEUED>,
    /// The files that were queued, with what has become of them.
    committed: Deque<(u32, Committed), MAX_QUEUED>,
    event: Pending,
    /// A file that did not arrive.
    not_received: Option<(u32, Failure)>,
    state: State,
    /// How the stream has ended while the last message of the server waits for storage.
    stream_end: Option<SessionEnd>,
}

/// The PUT whose content leaves.
#[derive(Clone, Debug)]
struct Put {
    number: u32,
    outgoing: Outgoing,
}

/// The file that arrives.
#[derive(Clone, Debug)]
struct Get {
    number: u32,
    incoming: Incoming,
    failure: Option<Failure>,
}

/// The event that a message has brought. Input waits until it is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    None,
    Event(SessionEvent<'static>),
    /// The reader holds the STATUS or ENTRY.
    Message,
    /// The same, and it was polled.
    Polled,
}

/// The state of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// No request follows.
    Finishing,
    /// Nothing more can arrive or leave. The event is due.
    Ending(SessionEnd),
    /// The last event was polled.
    Over,
}

impl Default for FileClient {
    fn default() -> Self {
        Self::new()
    }
}

impl FileClient {
    /// A client without a request.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reader: Reader::default(),
            writer: Writer::new(&SessionMessage::Version { version: SESSION_VERSION }),
            is_greeted: false,
            open: OpenRequests::new(),
            sending: None,
            receiving: None,
            file: Encoded::new(),
            queued: Deque::new(),
            committed: Deque::new(),
            event: Pending::None,
            not_received: None,
            state: State::Open,
            stream_end: None,
        }
    }

    /// Whether the next request may follow.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.sending.is_none() && self.writer.is_ready() && !self.open.is_full() && self.state == State::Open
    }

    /// Closes after the last request. The answers that are open still come.
    pub fn finish(&mut self) {
        if self.state == State::Open {
            self.state = State::Finishing;
        }
    }

    /// The number of requests without an answer.
    #[must_use]
    pub const fn unanswered(&self) -> usize {
        self.open.unanswered()
    }

    /// Returns the next event. Input waits until it is polled.
    pub fn poll_event(&mut self) -> Option<SessionEvent<'_>> {
        if let Some((number, committed)) = self.committed.pop_front() {
            return Some(match committed {
                Committed::Durable => SessionEvent::Received { number },
                Committed::Failed(error) => SessionEvent::NotReceived { number, failure: Failure::Storage(error) },
                Committed::Uncertain(error) => SessionEvent::NotReceived { number, failure: Failure::Uncertain(error) },
            });
        }
        if let Some((number, failure)) = self.not_received.take() {
            return Some(SessionEvent::NotReceived { number, failure });
        }
        match core::mem::replace(&mut self.event, Pending::None) {
            Pending::Event(event) => Some(event),
            Pending::Message => {
                self.event = Pending::Polled;
                match self.reader.message().message().ok().flatten()? {
                    SessionMessage::Status { number, status } => Some(SessionEvent::Status { number, status }),
                    SessionMessage::Entry { number, entry } => Some(SessionEvent::Entry { number, entry }),
                    _ => None,
                }
            }
            polled @ (Pending::None | Pending::Polled) => {
                self.event = polled;
                let State::Ending(end) = self.state else { return None };
                if self.is_at_work() {
                    return None;
                }
                self.state = State::Over;
                Some(SessionEvent::Ended { unanswered: self.open.unanswered(), end })
            }
        }
    }

    /// Whether storage works, or an output is due.
    fn is_at_work(&self) -> bool {
        self.sending.is_some() || self.receiving.is_some() || !self.queued.is_empty() || !self.writer.is_gone()
    }

    /// Whether input waits for an event.
    fn has_event(&self) -> bool {
        matches!(self.event, Pending::Event(_) | Pending::Message)
    }

    /// The request is answered.
    fn answer(&mut self, number: u32, event: SessionEvent<'static>) -> bool {
        self.open.answer(number);
        self.reader.next();
        self.event = Pending::Event(event);
        true
    }

    /// Whether the half for this message has finished the earlier ones.
    fn may_handle(&self, message: Parsed) -> bool {
        match message {
            // Within the content of another one it is never in place.
            Parsed::File { .. } if self.receiving.as_ref().is_some_and(|get| get.incoming.is_open()) => true,
            Parsed::File { .. } => self.receiving.is_none() && self.not_received.is_none() && !self.is_queue_full(),
            Parsed::Content(_) => self.receiving.as_ref().is_none_or(|get| get.incoming.is_ready()),
            Parsed::Version { .. }
            | Parsed::Put(_)
            | Parsed::Read { .. }
            | Parsed::Confirm { .. }
            | Parsed::Error { .. }
            | Parsed::Status { .. }
            | Parsed::Entry { .. }
            | Parsed::Listed { .. }
            | Parsed::Leave { .. }
            | Parsed::Working => true,
        }
    }

    fn is_queue_full(&self) -> bool {
        self.queued.len() + self.committed.len() >= MAX_QUEUED
    }

    /// Whether the content of this PUT still leaves.
    fn is_sending(&self, number: u32) -> bool {
        self.sending.as_ref().is_some_and(|put| put.number == number)
    }

    /// Processes a message. Returns false if it violates the protocol.
    fn handle(&mut self, message: Parsed) -> bool {
        if self.is_greeted == matches!(message, Parsed::Version { .. }) {
            return false;
        }
        match message {
            Parsed::Version { version } => {
                self.reader.next();
                self.is_greeted = true;
                version > 0
            }
            Parsed::Confirm { number } => match self.open.get(number) {
                Some(Slot::Put { failed: None }) if !self.is_sending(number) => {
                    self.answer(number, SessionEvent::Confirmed { number })
                }
                Some(_) | None => false,
            },
            Parsed::Error { number, code } => self.handle_error(number, code),
            Parsed::File { .. } if self.receiving.is_some() => false,
            Parsed::File { number, offset, length } => match self.open.oldest_read(number) {
                Some(Slot::Get { have_blocks })
                    if is_border(offset, have_blocks) && length.is_none_or(|length| offset <= length) =>
                {
                    self.reader.take(&mut self.file);
                    let incoming = Incoming::new(offset, length, u64::MAX);
                    self.receiving = Some(Get { number, incoming, failure: None });
                    true
                }
                Some(_) | None => false,
            },
            Parsed::Content(content) => self.handle_content(content),
            // The reader keeps the message until the event is polled.
            Parsed::Status { number } if self.open.oldest_read(number) == Some(Slot::Stat) => {
                self.open.answer(number);
                self.event = Pending::Message;
                true
            }
            Parsed::Entry { number } if self.open.oldest_read(number) == Some(Slot::List) => {
                self.event = Pending::Message;
                true
            }
            Parsed::Listed { number, has_more } if self.open.oldest_read(number) == Some(Slot::List) => {
                self.answer(number, SessionEvent::Listed { number, has_more })
            }
            Parsed::Leave { code } => {
                self.reader.next();
                self.event = Pending::Event(SessionEvent::Leaving { code });
                true
            }
            // A server has no need of it: while it works, its client waits.
            Parsed::Working => {
                self.reader.next();
                true
            }
            Parsed::Put(_)
            | Parsed::Read { .. }
            | Parsed::Status { .. }
            | Parsed::Entry { .. }
            | Parsed::Listed { .. } => false,
        }
    }

    /// Processes ERROR. The content of a PUT that still leaves is cut short.
    fn handle_error(&mut self, number: u32, code: ErrorCode) -> bool {
        let event = match self.open.get(number) {
            None => return false,
            Some(Slot::Put { failed: Some(error) }) => SessionEvent::NotSent { number, error },
            Some(Slot::Put { failed: None }) => SessionEvent::Refused { number, code },
            // Content that has begun ends with CANCEL instead.
            Some(_) if self.open.oldest_read(number).is_none() || self.is_receiving(number) => return false,
            Some(_) => SessionEvent::Refused { number, code },
        };
        if self.is_sending(number) {
            self.cancel_put(code);
        }
        self.answer(number, event)
    }

    fn is_receiving(&self, number: u32) -> bool {
        self.receiving.as_ref().is_some_and(|get| get.number == number)
    }

    /// Processes a message about the content of a GET. Returns false if there is none.
    fn handle_content(&mut self, content: Content) -> bool {
        self.reader.next();
        let Some(Get { number, incoming, failure }) = &mut self.receiving else { return false };
        // The next answer may follow the end of the content, while storage still works.
        match content {
            Content::Data { len } => self.reader.start_content(len),
            Content::End { digest } => {
                if !incoming.end(Some(digest)) {
                    failure.get_or_insert(Failure::Length);
                }
                self.open.answer(*number);
            }
            Content::Cancel { code } => {
                incoming.cancel(Cause::Interrupted);
                failure.get_or_insert(Failure::Server(code));
                self.open.answer(*number);
            }
        }
        self.finish_receiving();
        true
    }

    /// Reports a file whose content has ended, once storage holds no unfinished file.
    fn finish_receiving(&mut self) {
        let Some(Get { number, incoming, failure }) = &self.receiving else { return };
        if incoming.is_finished() {
            let (number, failure) = (*number, *failure);
            self.receiving = None;
            self.open.answer(number);
            self.not_received = failure.map(|failure| (number, failure));
        }
    }

    /// Puts the next message that is due.
    fn advance(&mut self) {
        if !self.writer.is_ready() {
            return;
        }
        match &self.sending {
            Some(put) => {
                if let Some(message) = put.outgoing.last_message() {
                    self.sending = None;
                    self.writer.put(&message);
                }
            }
            None if self.state != State::Open => self.writer.close(),
            None => {}
        }
    }

    /// The stream has ended. What has arrived is processed first.
    fn end_stream(&mut self, end: SessionEnd) {
        if self.event == Pending::None && self.reader.holds_message() {
            self.stream_end.get_or_insert(end);
        } else {
            self.end(end);
        }
    }

    /// Nothing more can arrive or leave.
    fn end(&mut self, end: SessionEnd) {
        if matches!(self.state, State::Ending(_) | State::Over) {
            return;
        }
        self.state = State::Ending(end);
        if self.sending.as_ref().is_some_and(|put| !put.outgoing.is_asked()) {
            self.sending = None;
        }
        if let Some(get) = &mut self.receiving {
            // A file that is complete may still be stored.
            if get.incoming.cancel(Cause::Interrupted) {
                get.failure.get_or_insert(Failure::Ended);
            }
            self.open.answer(get.number);
        }
        self.finish_receiving();
    }
}
