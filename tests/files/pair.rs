//! A client and a server whose streams are vectors.

use crate::disk::{Disk, LEAST_ROOM, digest};
use rdt_proto::files::{Client, Event, FilePath, Output, Prefix, Server, ServerConfig, Session, Wish};
use rdt_proto::ftp::ErrorCode;
use std::collections::VecDeque;

/// A session with its disk, and the bytes that it has not consumed.
pub(crate) struct Side<S> {
    pub(crate) session: S,
    pub(crate) disk: Disk,
    pub(crate) input: Vec<u8>,
    /// Whether the peer has closed, aborted or lost its direction.
    pub(crate) ended: Option<Ended>,
    /// Whether the end was reported.
    is_reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Aborted(ErrorCode),
    Lost,
}

impl<S: Session> Side<S> {
    fn new(session: S, disk: Disk) -> Self {
        Self { session, disk, input: Vec::new(), ended: None, is_reported: false }
    }

    /// Makes one round: input, a request, an output. Returns whether anything changed.
    ///
    /// At most `most` bytes of the input are shown, and the stream takes at most `room` bytes.
    pub(crate) fn turn(&mut self, most: usize, room: usize, out: &mut Vec<u8>) -> (bool, Option<Ended>) {
        let shown = most.min(self.input.len());
        let taken = self.session.handle_input(&self.input[..shown]);
        self.input.drain(..taken);
        let mut changed = taken > 0;
        if let (Some(ended), true, false) = (self.ended, self.input.is_empty(), self.is_reported) {
            self.is_reported = true;
            changed = true;
            match ended {
                Ended::Closed => self.session.handle_peer_closed(),
                Ended::Aborted(_) | Ended::Lost => self.session.handle_lost(),
            }
        }
        if let Some(request) = self.session.poll_request(room.max(LEAST_ROOM)) {
            let answer = self.disk.perform(&request, &self.input, out);
            self.session.handle_answer(answer).unwrap();
            changed = true;
        }
        match self.session.poll_output() {
            None => (changed, None),
            Some(Output::Message(bytes)) => {
                let len = bytes.len().min(room.max(1));
                out.extend(&bytes[..len]);
                self.session.output_sent(len).unwrap();
                (true, None)
            }
            Some(Output::Close) => (true, Some(Ended::Closed)),
            Some(Output::Abort(code)) => (true, Some(Ended::Aborted(code))),
        }
    }

    /// The connection is lost: what has arrived may still be read.
    pub(crate) fn lose(&mut self) {
        self.ended = Some(Ended::Lost);
    }

    /// Makes the oldest queued file durable.
    pub(crate) fn commit(&mut self) -> bool {
        let Some(result) = self.disk.commit() else { return false };
        self.session.handle_committed(result).unwrap();
        true
    }
}

/// An event in words.
pub(crate) fn words(event: Event<'_>) -> String {
    match event {
        Event::Confirmed => "confirmed".into(),
        Event::Refused(code) => format!("refused: {code}"),
        Event::Resumed { offset, had } => format!("resumed at {offset} of {had}"),
        Event::Received => "received".into(),
        Event::NotReceived(failure) => format!("not received: {failure:?}"),
        Event::Entry(entry) => format!("{} {}", entry.path, entry.length),
        Event::Listed => "listed".into(),
    }
}

pub(crate) struct Pair {
    pub(crate) client: Side<Client>,
    pub(crate) server: Side<Server>,
    pub(crate) events: Vec<String>,
    /// The requests that are not answered: whether each is a GET.
    open: VecDeque<bool>,
    /// How many bytes of input a session sees at once, and how many the stream takes.
    pub(crate) most: usize,
    pub(crate) room: usize,
}

impl Pair {
    pub(crate) fn new(client: Disk, server: Disk) -> Self {
        Self::with(ServerConfig::default(), client, server)
    }

    pub(crate) fn with(config: ServerConfig, client: Disk, server: Disk) -> Self {
        let (client, server) = (Side::new(Client::new(), client), Side::new(Server::new(config), server));
        Self { client, server, events: Vec::new(), open: VecDeque::new(), most: usize::MAX, room: 1_000 }
    }

    /// Makes one round of both sides. Returns whether anything changed.
    pub(crate) fn turn(&mut self) -> bool {
        let (most, room) = (self.most, self.room);
        let (to_server, ended) = self.client.turn(most, room, &mut self.server.input);
        self.server.ended = self.server.ended.or(ended);
        let (to_client, ended_too) = self.server.turn(most, room, &mut self.client.input);
        self.client.ended = self.client.ended.or(ended_too);
        let is_aborted = [ended, ended_too].iter().any(|end| matches!(end, Some(Ended::Aborted(_))));
        assert!(!is_aborted, "{ended:?}, {ended_too:?}, {:?}", self.events);
        let Some(event) = self.client.session.poll_event() else { return to_server | to_client };
        let is_answer = match event {
            Event::Resumed { .. } | Event::Entry(_) => false,
            Event::Confirmed | Event::Refused(_) | Event::Received | Event::NotReceived(_) | Event::Listed => true,
        };
        let is_refused = matches!(event, Event::Refused(_));
        self.events.push(words(event));
        if is_answer && self.open.pop_front() == Some(true) && is_refused {
            self.client.disk.expected.pop_front();
        }
        true
    }

    /// Runs until nothing changes. Queued files become durable meanwhile.
    pub(crate) fn run(&mut self) {
        let mut turns = 0;
        while self.turn() || self.server.commit() || self.client.commit() {
            turns += 1;
            assert!(turns < 100_000, "the session makes no progress: {:?}", self.events.iter().rev().take(9));
        }
    }

    /// Sends a file of the client, once it is ready.
    pub(crate) fn put(&mut self, path: &str, wish: Wish) {
        while !self.client.session.is_ready() {
            assert!(self.turn(), "the client is never ready: {:?}", self.events);
        }
        let length = self.client.disk.open(path);
        let metadata = rdt_proto::files::Metadata::default();
        self.client.session.put(FilePath::new(path).unwrap(), metadata, Some(length), wish).unwrap();
        self.open.push_back(false);
    }

    /// Asks for the list of all files.
    pub(crate) fn list(&mut self) {
        while !self.client.session.is_ready() {
            assert!(self.turn(), "the client is never ready: {:?}", self.events);
        }
        self.client.session.list(None, Wish::empty()).unwrap();
        self.open.push_back(false);
    }

    pub(crate) fn get(&mut self, path: &str) {
        while !self.client.session.is_ready() {
            assert!(self.turn(), "the client is never ready: {:?}", self.events);
        }
        let part = self.client.disk.parts.remove(path).unwrap_or_default();
        let have = Prefix { length: part.len() as u64, digest: digest(&part) };
        self.client.session.get(FilePath::new(path).unwrap(), have).unwrap();
        self.client.disk.expected.push_back((path.to_owned(), part));
        self.open.push_back(true);
    }

    /// Ends the session, and asserts that both sides have.
    pub(crate) fn finish(&mut self) {
        self.client.session.finish();
        self.run();
        assert!(self.client.session.is_done(), "{:#?}\n{:?}", self.client.session, self.events);
        assert!(self.server.session.is_done(), "{:#?}", self.server.session);
        self.client.disk.expect_idle();
        self.server.disk.expect_idle();
    }
}
