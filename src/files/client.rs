//! The client's side of a session.
//!
//! ```text
//! put    Idle ─PUT──→ Content: DATA… ──→ END ──→ Idle             CONFIRM or ERROR comes later
//!          └─PUT, resumed─→ Resume ─RESUME─→ Compare ─START─→ Content
//! get    Idle ─GET──→ Idle                                        FILE, DATA…, END or ERROR comes later
//! ```
//!
//! Requests leave one after the other, without waiting for answers. Answers come in the order of the requests.

use heapless::Deque;

mod session;
mod storage;

use super::event::{Event, Failure};
use super::incoming::{Incoming, Stop};
use super::message::{Message, Metadata, Prefix, Wish};
use super::outgoing::Outgoing;
use super::path::FilePath;
use super::stream::{Parsed, Reader, Writer};
use crate::ftp::{ErrorCode, TooLate};

/// The number of requests whose answers are open. [`Client::is_ready`] is false while there are as many.
pub const MAX_OPEN_REQUESTS: usize = 512;

/// The client's side of a session, driven through [`Session`](super::Session).
#[derive(Clone, Debug)]
pub struct Client {
    reader: Reader,
    writer: Writer,
    sending: Sending,
    receiving: Option<Receiving>,
    /// The requests that are not answered, in their order.
    open: Deque<Expected, MAX_OPEN_REQUESTS>,
    /// Received files that are not durable yet.
    queued: u32,
    event: Option<Pending>,
    /// Whether the reader holds an ENTRY whose event was polled.
    has_polled_entry: bool,
    /// Which half waits for the answer of storage.
    asked: Option<Half>,
    peer: Peer,
    /// No request follows.
    is_finishing: bool,
}

/// The state of the last PUT.
#[derive(Clone, Debug)]
enum Sending {
    /// No PUT is on its way.
    Idle,
    /// RESUME is to come.
    Resume {
        length: Option<u64>,
    },
    /// Storage compares the file with what the server has.
    Compare {
        length: Option<u64>,
        prefix: Prefix,
    },
    Content(Outgoing),
}

/// The file of the oldest GET.
#[derive(Clone, Debug)]
struct Receiving {
    incoming: Incoming,
    failure: Option<Failure>,
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Put,
    Get,
    List,
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Sending,
    Receiving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Open,
    Closed,
    Lost,
}

/// An event whose parts are in the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Event(Event<'static>),
    /// The reader holds the ENTRY.
    Entry,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client without a request.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reader: Reader::default(),
            writer: Writer::default(),
            sending: Sending::Idle,
            receiving: None,
            open: Deque::new(),
            queued: 0,
            event: None,
            has_polled_entry: false,
            asked: None,
            peer: Peer::Open,
            is_finishing: false,
        }
    }

    /// Whether the next request may follow.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.sending, Sending::Idle)
            && self.writer.is_ready()
            && !self.open.is_full()
            && !self.is_finishing
            && self.peer == Peer::Open
    }

    /// Starts to send a file that storage has opened. `length` is its length, if it is known.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn put(
        &mut self,
        path: FilePath<'_>,
        metadata: Metadata,
        length: Option<u64>,
        wish: Wish,
    ) -> Result<(), TooLate> {
        self.start(Expected::Put, &Message::Put { wish, metadata, length, path })?;
        self.sending = if wish.contains(Wish::RESUME) {
            Sending::Resume { length }
        } else {
            Sending::Content(Outgoing::new(0, length))
        };
        Ok(())
    }

    /// Asks for a file. `have` is what storage has of it; an empty prefix if it has nothing.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn get(&mut self, path: FilePath<'_>, have: Prefix) -> Result<(), TooLate> {
        self.start(Expected::Get, &Message::Get { have, path })
    }

    /// Asks for the entries of a folder; `None` for the outermost one.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn list(&mut self, folder: Option<FilePath<'_>>, wish: Wish) -> Result<(), TooLate> {
        self.start(Expected::List, &Message::List { wish, folder })
    }

    /// Asks for the entry of a file or folder.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn check(&mut self, path: FilePath<'_>, wish: Wish) -> Result<(), TooLate> {
        self.start(Expected::Check, &Message::Check { wish, path })
    }

    fn start(&mut self, expected: Expected, message: &Message<'_>) -> Result<(), TooLate> {
        if !self.is_ready() {
            return Err(TooLate);
        }
        self.open.push_back(expected).map_err(|_| TooLate)?;
        self.writer.put(message);
        Ok(())
    }

    /// Closes after the last request. The answers that are open still come.
    pub fn finish(&mut self) {
        self.is_finishing = true;
    }

    /// The number of requests that are not answered.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.open.len()
    }

    /// Returns the next event. Input waits until it is polled.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        match self.event.take()? {
            Pending::Event(event) => Some(event),
            Pending::Entry => {
                self.has_polled_entry = true;
                match self.reader.message.message() {
                    Ok(Some(Message::Entry(entry))) => Some(Event::Entry(entry)),
                    _ => None,
                }
            }
        }
    }

    fn report(&mut self, event: Event<'static>) {
        self.event = Some(Pending::Event(event));
    }

    /// Whether the oldest open request is a PUT whose content has not ended.
    fn is_sending_oldest(&self) -> bool {
        self.open.len() == 1 && !matches!(self.sending, Sending::Idle)
    }

    /// Processes a message. Returns false if it violates the protocol.
    fn handle(&mut self, message: Parsed) -> bool {
        if let Some(receiving) = &mut self.receiving {
            self.reader.message.clear();
            match message {
                Parsed::Data { len } => self.reader.start_content(len),
                Parsed::End { digest } => {
                    if !receiving.incoming.end(digest) {
                        receiving.failure.get_or_insert(Failure::Length);
                    }
                }
                Parsed::Cancel { code } => {
                    receiving.incoming.cancel(Stop::Discard);
                    receiving.failure.get_or_insert(Failure::Server(code));
                }
                _ => return false,
            }
            self.finish_receiving();
            return true;
        }
        match (message, self.open.front()) {
            (Parsed::Confirm, Some(Expected::Put)) if !self.is_sending_oldest() => self.answer(Event::Confirmed),
            (Parsed::Error { code }, Some(expected)) => {
                if *expected == Expected::Put && self.is_sending_oldest() {
                    self.stop_sending(code);
                }
                self.answer(Event::Refused(code));
            }
            (Parsed::Resume(prefix), Some(Expected::Put)) if self.is_sending_oldest() => {
                let Sending::Resume { length } = self.sending else { return false };
                self.reader.message.clear();
                if prefix.length > 0 {
                    self.sending = Sending::Compare { length, prefix };
                } else {
                    self.start_content(0, prefix, length);
                }
            }
            // The reader keeps FILE until storage has its metadata.
            (Parsed::File { offset, length }, Some(Expected::Get)) => {
                let incoming = Incoming::new(offset, Some(length), u64::MAX);
                self.receiving = Some(Receiving { incoming, failure: None });
            }
            // The reader keeps ENTRY until the event is polled.
            (Parsed::Entry, Some(Expected::List)) => self.event = Some(Pending::Entry),
            (Parsed::Entry, Some(Expected::Check)) => {
                self.open.pop_front();
                self.event = Some(Pending::Entry);
            }
            (Parsed::Listed, Some(Expected::List)) => self.answer(Event::Listed),
            (
                Parsed::Put { .. }
                | Parsed::Get
                | Parsed::List
                | Parsed::Check
                | Parsed::Start { .. }
                | Parsed::Data { .. }
                | Parsed::End { .. }
                | Parsed::Cancel { .. }
                | Parsed::Resume(_)
                | Parsed::Confirm
                | Parsed::Error { .. }
                | Parsed::File { .. }
                | Parsed::Entry
                | Parsed::Listed,
                _,
            ) => return false,
        }
        true
    }

    /// The oldest request is answered.
    fn answer(&mut self, event: Event<'static>) {
        self.open.pop_front();
        self.reader.message.clear();
        self.report(event);
    }

    /// Ends the PUT that is on its way, because the server has refused it.
    fn stop_sending(&mut self, code: ErrorCode) {
        match &mut self.sending {
            Sending::Idle => {}
            // The server expects no content after ERROR in place of RESUME.
            Sending::Resume { .. } => self.sending = Sending::Idle,
            // It has sent RESUME, and expects an end.
            &mut Sending::Compare { length, .. } => {
                let mut outgoing = Outgoing::new(0, length);
                outgoing.stop(code);
                self.sending = Sending::Content(outgoing);
            }
            Sending::Content(outgoing) => outgoing.stop(code),
        }
    }

    /// Sends START, and the content behind what the server has.
    fn start_content(&mut self, offset: u64, prefix: Prefix, length: Option<u64>) {
        self.sending = Sending::Content(Outgoing::new(offset, length));
        self.writer.put(&Message::Start { offset });
        self.report(Event::Resumed { offset, had: prefix.length });
    }

    /// Reports a file whose content has ended, once storage holds no unfinished file.
    fn finish_receiving(&mut self) {
        let Some(Receiving { incoming, failure }) = &self.receiving else { return };
        if incoming.is_finished() {
            let event = failure.map_or(Event::Received, Event::NotReceived);
            self.receiving = None;
            self.open.pop_front();
            self.report(event);
        }
    }

    /// Puts the next message that is due.
    fn advance(&mut self) {
        if !self.writer.is_ready() {
            return;
        }
        match &self.sending {
            Sending::Content(outgoing) => {
                if let Some(message) = outgoing.last_message() {
                    self.sending = Sending::Idle;
                    self.writer.put(&message);
                }
            }
            Sending::Idle if self.is_finishing || self.peer != Peer::Open => self.writer.close(),
            Sending::Idle | Sending::Resume { .. } | Sending::Compare { .. } => {}
        }
    }

    /// Nothing more can arrive or leave.
    fn lose(&mut self) {
        self.peer = Peer::Lost;
        self.open.clear();
        if self.asked != Some(Half::Sending) {
            self.sending = Sending::Idle;
        }
        if let Some(receiving) = &mut self.receiving {
            receiving.incoming.cancel(Stop::Lost);
            receiving.failure.get_or_insert(Failure::Length);
        }
        self.finish_receiving();
    }
}
