//! A client and a server whose streams are vectors.

use crate::disk::{Disk, LEAST_ROOM, common, peaks};
use rdt_proto::files::{
    FileClient, FileKind, FileOutput, FilePath, FileServer, FileServerConfig, FileSession, Flags, Metadata, Peaks,
    PutRequest, SessionEvent,
};
use rdt_proto::ftp::ErrorCode;

/// A session with its disk, and the bytes that it has not consumed.
pub(crate) struct Side<S> {
    pub(crate) session: S,
    pub(crate) disk: Disk,
    pub(crate) input: Vec<u8>,
    /// Whether the peer has closed, aborted or lost its direction.
    pub(crate) ended: Option<End>,
    is_reported: bool,
    /// A server drops what has arrived of a lost connection.
    is_server: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Aborted(ErrorCode),
    Lost,
}

impl<S: FileSession> Side<S> {
    fn new(session: S, disk: Disk, is_server: bool) -> Self {
        Self { session, disk, input: Vec::new(), ended: None, is_reported: false, is_server }
    }

    /// Makes one round: input, a request of each half, an output. Returns whether anything changed.
    ///
    /// At most `most` bytes of the input are shown, and the stream takes at most `room` bytes, or none once it is lost.
    pub(crate) fn turn(&mut self, most: usize, room: usize, out: &mut Vec<u8>) -> (bool, Option<End>) {
        let shown = most.min(self.input.len());
        let taken = self.session.handle_input(&self.input[..shown]);
        self.input.drain(..taken);
        let mut changed = taken > 0;
        let is_lost = matches!(self.ended, Some(End::Aborted(_) | End::Lost));
        let is_due = self.input.is_empty() || is_lost && self.is_server;
        if let (Some(ended), true, false) = (self.ended, is_due, self.is_reported) {
            self.is_reported = true;
            changed = true;
            match ended {
                End::Closed => self.session.handle_peer_closed(),
                End::Aborted(code) => self.session.handle_lost(Some(code)),
                End::Lost => self.session.handle_lost(None),
            }
        }
        if let Some(request) = self.session.poll_receive() {
            let answer = self.disk.receive(&request, &self.input);
            self.session.answer_receive(answer).unwrap();
            changed = true;
        }
        if let Some(request) = self.session.poll_send(if is_lost { 0 } else { room.max(LEAST_ROOM) }) {
            let answer = self.disk.send(&request, out);
            self.session.answer_send(answer).unwrap();
            changed = true;
        }
        match self.session.poll_output() {
            None => (changed, None),
            Some(FileOutput::Message(_)) if is_lost => (changed, None),
            Some(FileOutput::Message(bytes)) => {
                let len = bytes.len().min(room.max(1));
                out.extend(&bytes[..len]);
                self.session.output_sent(len).unwrap();
                (true, None)
            }
            Some(FileOutput::Close) => (true, Some(End::Closed)),
            Some(FileOutput::Abort(code)) => (true, Some(End::Aborted(code))),
        }
    }

    /// The connection is lost: what has arrived may still be read.
    pub(crate) fn lose(&mut self) {
        self.ended = Some(End::Lost);
    }

    /// Makes the oldest queued file durable.
    pub(crate) fn commit(&mut self) -> bool {
        let Some(result) = self.disk.commit() else { return false };
        self.session.handle_committed(result).unwrap();
        true
    }
}

/// An event in words.
pub(crate) fn words(event: SessionEvent<'_>) -> String {
    match event {
        SessionEvent::Confirmed { number } => format!("{number} confirmed"),
        SessionEvent::Refused { number, code } => format!("{number} refused: {code}"),
        SessionEvent::NotSent { number, error } => format!("{number} not sent: {error}"),
        SessionEvent::Received { number } => format!("{number} received"),
        SessionEvent::NotReceived { number, failure } => format!("{number} not received: {failure:?}"),
        SessionEvent::Status { number, status } => format!("{number} is {:?} {}", status.kind, status.length),
        SessionEvent::Entry { number, entry } => format!("{number} has {} {}", entry.path, entry.length),
        SessionEvent::Listed { number, .. } => format!("{number} listed"),
        SessionEvent::Leaving { code } => format!("leaving: {code}"),
        SessionEvent::Ended { unanswered, end } => format!("ended: {end:?}, {unanswered} unanswered"),
    }
}

pub(crate) struct Pair {
    pub(crate) client: Side<FileClient>,
    pub(crate) server: Side<FileServer>,
    pub(crate) events: Vec<String>,
    /// How many bytes of input a session sees at once, and how many the stream takes.
    pub(crate) most: usize,
    pub(crate) room: usize,
    /// What the last STAT said of the blocks: their number, and the values of their peaks.
    status: Option<(u64, Vec<u8>)>,
}

impl Pair {
    pub(crate) fn new(client: Disk, server: Disk) -> Self {
        Self::with(FileServerConfig::default(), client, server)
    }

    pub(crate) fn with(config: FileServerConfig, client: Disk, server: Disk) -> Self {
        let (client, server) =
            (Side::new(FileClient::new(), client, false), Side::new(FileServer::new(config), server, true));
        Self { client, server, events: Vec::new(), most: usize::MAX, room: 1_000, status: None }
    }

    /// Makes one round of both sides. Returns whether anything changed.
    pub(crate) fn turn(&mut self) -> bool {
        let (most, room) = (self.most, self.room);
        let (to_server, end) = self.client.turn(most, room, &mut self.server.input);
        self.server.ended = self.server.ended.or(end);
        let (to_client, end_too) = self.server.turn(most, room, &mut self.client.input);
        self.client.ended = self.client.ended.or(end_too);
        let is_aborted = [end, end_too].iter().any(|end| matches!(end, Some(End::Aborted(_))));
        assert!(!is_aborted, "{end:?}, {end_too:?}, {:?}", self.events);
        let Some(event) = self.client.session.poll_event() else { return to_server | to_client };
        if let SessionEvent::Status { status, .. } = event {
            let values = status.peaks.iter().flat_map(|(_, value)| value.0).collect();
            self.status = Some((status.peaks.blocks(), values));
        }
        self.events.push(words(event));
        true
    }

    /// Runs until nothing changes. Queued files become durable meanwhile.
    pub(crate) fn run(&mut self) {
        let mut turns = 0;
        while self.turn() || self.server.commit() || self.client.commit() {
            turns += 1;
            assert!(turns < 100_000, "the session makes no progress");
        }
    }

    pub(crate) fn wait(&mut self) {
        while !self.client.session.is_ready() {
            assert!(self.turn() || self.server.commit() || self.client.commit(), "never ready: {:?}", self.events);
        }
    }

    /// Sends a file of the client, once it is ready.
    pub(crate) fn put(&mut self, path: &str, flags: Flags) -> u32 {
        self.wait();
        let length = Some(self.client.disk.open(path));
        self.put_as(path, length, 0, flags)
    }

    /// Sends the open file.
    pub(crate) fn put_as(&mut self, path: &str, length: Option<u64>, offset: u64, flags: Flags) -> u32 {
        let (path, metadata) = (FilePath::new(path).unwrap(), Metadata::default());
        self.client.session.put(&PutRequest { path, kind: FileKind::File, metadata, length, offset, flags }).unwrap()
    }

    /// Sends a file behind what the server has of it. Returns the offset.
    pub(crate) fn resume(&mut self, path: &str) -> u64 {
        self.wait();
        self.client.session.stat(FilePath::new(path).unwrap(), Flags::empty()).unwrap();
        while self.status.is_none() {
            assert!(self.turn());
        }
        self.wait();
        let (blocks, values) = self.status.take().unwrap();
        let length = Some(self.client.disk.open(path));
        let offset = common(&self.client.disk.files[path], Peaks::new(blocks, &values).unwrap());
        self.put_as(path, length, offset, Flags::REPLACE | Flags::KEEP);
        offset
    }

    pub(crate) fn get(&mut self, path: &str) -> u32 {
        self.wait();
        let part = self.client.disk.parts.remove(path).unwrap_or_default();
        let (blocks, values) = peaks(&part);
        let have = Peaks::new(blocks, &values).unwrap();
        let number = self.client.session.get(FilePath::new(path).unwrap(), have).unwrap();
        self.client.disk.expected.insert(number, (path.to_owned(), part));
        number
    }

    pub(crate) fn list(&mut self) -> u32 {
        self.wait();
        self.client.session.list(None, None, Flags::RECURSIVE).unwrap()
    }

    /// Ends the session, and asserts that both sides have.
    pub(crate) fn finish(&mut self) {
        self.client.session.finish();
        self.run();
        assert_eq!(self.events.pop().as_deref(), Some("ended: Closed, 0 unanswered"), "{:?}", self.events);
        assert!(self.client.session.is_done(), "{:#?}", self.client.session);
        assert!(self.server.session.is_done(), "{:#?}", self.server.session);
        self.client.disk.expect_idle();
        self.server.disk.expect_idle();
    }
}
