//! The server's side of a session.
//!
//! ```text
//! receiving   Idle ──PUT──→ Create, DATA… ──→ END, Commit ──→ queued: CONFIRM or ERROR follows
//!               ↑                  └── refused, failed ──→ ERROR, content is dropped until END or CANCEL
//!               └──────────────────────── the next PUT
//!
//! sending     Idle ──GET───→ Open ──→ FILE, DATA… ──→ END ──→ Idle
//!             Idle ──STAT──→ Stat ──→ STATUS ──→ Idle
//!             Idle ──LIST──→ List ──→ ENTRY… ──→ LISTED ──→ Idle
//! ```
//!
//! Both halves work at once. A request waits in the stream while its half serves an earlier one. PUTs are answered when
//! their files are durable, so that one flush may serve many.

mod sending;
mod session;
mod task;

use heapless::Deque;

use super::config::FileServerConfig;
use super::encoded::Encoded;
use super::incoming::Incoming;
use super::message::{FileKind, SESSION_VERSION, SessionMessage};
use super::request::Cause;
use super::stream::{Content, Parsed, ParsedPut, Reader, Writer};
use crate::ftp::ErrorCode;
use task::Task;

/// The number of PUTs whose answers are open. Further ones wait.
pub const MAX_OPEN_PUTS: usize = 256;

/// The server's side of a session, driven through [`FileSession`](super::FileSession).
#[derive(Clone, Debug)]
pub struct FileServer {
    config: FileServerConfig,
    reader: Reader,
    writer: Writer,
    /// Whether the client's VERSION has arrived.
    is_greeted: bool,
    /// The number of the next request.
    number: u32,
    receiving: Option<Put>,
    /// The PUT, which storage needs until it has prepared the file.
    put: Encoded,
    /// The bytes of content dropped since the last PUT.
    dropped: u64,
    /// The WORKING messages since the last other one.
    working: u16,
    sending: Task,
    /// The request that the sending half serves, and its number.
    read: Encoded,
    read_number: u32,
    /// The PUTs whose files are queued.
    queued: Deque<u32, MAX_OPEN_PUTS>,
    /// The answers to PUTs that have not left: `None` for CONFIRM.
    answers: Deque<(u32, Option<ErrorCode>), MAX_OPEN_PUTS>,
    peer: Peer,
    /// Whether the last input was consumed whole.
    is_drained: bool,
    leaving: Leaving,
}

/// The file that arrives.
#[derive(Clone, Debug)]
struct Put {
    number: u32,
    incoming: Incoming,
}

/// What is known of the peer's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Open,
    Closed,
    Lost,
}

/// Whether further requests are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// LEAVE is due.
    Due(ErrorCode),
    Said(ErrorCode),
}

impl Leaving {
    const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::No => None,
            Self::Due(code) | Self::Said(code) => Some(code),
        }
    }
}

impl FileServer {
    /// A server that waits for requests.
    #[must_use]
    pub fn new(config: FileServerConfig) -> Self {
        Self {
            config,
            reader: Reader::default(),
            writer: Writer::new(&SessionMessage::Version { version: SESSION_VERSION }),
            is_greeted: false,
            number: 0,
            receiving: None,
            put: Encoded::new(),
            dropped: 0,
            working: 0,
            sending: Task::Idle,
            read: Encoded::new(),
            read_number: 0,
            queued: Deque::new(),
            answers: Deque::new(),
            peer: Peer::Open,
            is_drained: true,
            leaving: Leaving::No,
        }
    }

    /// Refuses all further requests with `code`, and tells the client: the server shuts down, for example.
    ///
    /// The requests that have begun go on. The session ends when the client closes.
    pub fn leave(&mut self, code: ErrorCode) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Due(code);
        }
    }

    /// Whether a request is being served, or a file is queued.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !matches!(self.sending, Task::Idle) || self.receiving.is_some() || self.has_open_puts()
    }

    fn has_open_puts(&self) -> bool {
        !self.queued.is_empty() || !self.answers.is_empty()
    }

    /// Whether the half for this message has finished the earlier ones.
    fn may_handle(&self, message: Parsed) -> bool {
        match message {
            // Within the content of another one it is never in place.
            Parsed::Put(_) if self.receiving.as_ref().is_some_and(|put| put.incoming.is_open()) => true,
            Parsed::Put(_) => self.receiving.is_none() && self.queued.len() + self.answers.len() < MAX_OPEN_PUTS,
            Parsed::Read { .. } => matches!(self.sending, Task::Idle),
            Parsed::Content(_) => self.receiving.as_ref().is_none_or(|put| put.incoming.is_ready()),
            Parsed::Version { .. }
            | Parsed::Confirm { .. }
            | Parsed::Error { .. }
            | Parsed::File { .. }
            | Parsed::Status { .. }
            | Parsed::Entry { .. }
            | Parsed::Listed { .. }
            | Parsed::Leave { .. }
            | Parsed::Working => true,
        }
    }

    /// Processes a message. Returns false if it violates the protocol.
    fn handle(&mut self, message: Parsed) -> bool {
        if self.is_greeted == matches!(message, Parsed::Version { .. }) {
            return false;
        }
        self.working = if message == Parsed::Working { self.working.saturating_add(1) } else { 0 };
        match message {
            Parsed::Version { version } => {
                self.reader.next();
                self.is_greeted = true;
                version > 0
            }
            Parsed::Working => {
                self.reader.next();
                self.working <= self.config.max_working
            }
            Parsed::Put(_) if self.receiving.is_some() => false,
            Parsed::Put(put) => {
                self.start_put(put);
                true
            }
            Parsed::Read { flags, is_allowed } => {
                self.start_read(flags, is_allowed);
                true
            }
            Parsed::Content(content) => self.handle_content(content),
            Parsed::Confirm { .. }
            | Parsed::Error { .. }
            | Parsed::File { .. }
            | Parsed::Status { .. }
            | Parsed::Entry { .. }
            | Parsed::Listed { .. }
            | Parsed::Leave { .. } => false,
        }
    }

    fn next_number(&mut self) -> u32 {
        let number = self.number;
        self.number = number.wrapping_add(1);
        number
    }

    fn start_put(&mut self, put: ParsedPut) {
        let ParsedPut { flags, kind, length, offset, is_allowed } = put;
        self.reader.take(&mut self.put);
        self.dropped = 0;
        let number = self.next_number();
        let mut incoming = Incoming::new(offset, length, self.config.max_length);
        if kind == FileKind::Folder {
            incoming.end_without_content();
        }
        self.receiving = Some(Put { number, incoming });
        let refusal = self.leaving.code().or({
            if !self.config.access.may_write() {
                Some(ErrorCode::NoUploads)
            } else if length.unwrap_or(offset).max(offset) > self.config.max_length {
                Some(ErrorCode::TooLarge)
            } else if !is_allowed {
                Some(ErrorCode::NameNotAllowed)
            } else if flags.is_beyond_this_version()
                || length.is_some_and(|length| offset > length)
                || kind == FileKind::Folder && length.unwrap_or(offset) > 0
            {
                Some(ErrorCode::Malformed)
            } else {
                None
            }
        });
        if let Some(code) = refusal {
            self.refuse_put(code, Cause::Invalid);
        }
    }

    /// Processes a message about the content of a PUT. Returns false if there is none.
    fn handle_content(&mut self, content: Content) -> bool {
        self.reader.next();
        let Some(Put { number, incoming }) = &mut self.receiving else { return false };
        let error = match content {
            Content::Data { len } => {
                self.reader.start_content(len);
                None
            }
            Content::End { digest } => (!incoming.end(Some(digest))).then_some(ErrorCode::Malformed),
            Content::Cancel { code } => incoming.cancel(Cause::Interrupted).then_some(code),
        };
        if let Some(code) = error {
            // There is room, since a PUT starts only if there is.
            let _fits = self.answers.push_back((*number, Some(code)));
        }
        self.finish_put();
        true
    }

    /// Answers the present PUT by ERROR. Content that still comes is dropped.
    fn refuse_put(&mut self, code: ErrorCode, cause: Cause) {
        if let Some(Put { number, incoming }) = &mut self.receiving {
            incoming.stop(cause);
            let _fits = self.answers.push_back((*number, Some(code)));
        }
        self.finish_put();
    }

    /// Goes on with the next PUT if the present one is finished.
    fn finish_put(&mut self) {
        if self.receiving.as_ref().is_some_and(|put| put.incoming.is_finished()) {
            self.receiving = None;
        }
    }

    /// Puts the next message that is due.
    fn advance(&mut self) {
        if !self.writer.is_ready() || self.sending.awaits_storage() {
            return;
        }
        if let Some((number, code)) = self.answers.pop_front() {
            let message =
                code.map_or(SessionMessage::Confirm { number }, |code| SessionMessage::Error { number, code });
            return self.writer.put(&message);
        }
        if let Leaving::Due(code) = self.leaving {
            self.leaving = Leaving::Said(code);
            return self.writer.put(&SessionMessage::Leave { code });
        }
        match &self.sending {
            Task::Send(outgoing) => {
                if let Some(message) = outgoing.last_message() {
                    self.sending = Task::Idle;
                    self.writer.put(&message);
                }
            }
            &Task::Refuse(code) => self.answer(&SessionMessage::Error { number: self.read_number, code }, Task::Idle),
            Task::Idle if self.peer == Peer::Closed && self.is_drained && !self.is_busy() => self.writer.close(),
            Task::Idle | Task::Ask | Task::Asked | Task::NextEntry | Task::EntryAsked => {}
        }
    }

    /// Nothing more can arrive or leave.
    fn lose(&mut self) {
        self.peer = Peer::Lost;
        if let Some(put) = &mut self.receiving {
            put.incoming.cancel(Cause::Interrupted);
        }
        self.finish_put();
        self.answers.clear();
        if !self.sending.awaits_storage() {
            self.sending = Task::Idle;
        }
    }

    /// Ends a PUT whose content can no longer arrive.
    fn settle(&mut self) {
        if self.peer == Peer::Closed
            && self.is_drained
            && let Some(Put { number, incoming }) = &mut self.receiving
            && incoming.is_ready()
        {
            if incoming.cancel(Cause::Interrupted) {
                let _fits = self.answers.push_back((*number, Some(ErrorCode::Cancelled)));
            }
            self.finish_put();
        }
    }
}
