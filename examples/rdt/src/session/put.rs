//! Sends files to a server.
//!
//! ```text
//! Waiting ──→ Opening ──→ Opened ───────────────────────────────→ PUT ──→ CONFIRM
//!                           └── STAT ──→ Asked ──→ Placing ─────────↑ from the border that both share
//!                                          └── the same ──→ skipped
//! ```
//!
//! The next files are opened while one is sent, and STAT leaves between two of them. So many small files need no round
//! trip each.

mod taken;

use super::answer::Answer;
use super::client::{ClientExchange, Requests};
use super::outcome::{Outcomes, Transferred};
use super::sending::Chunk;
use super::skip::Skip;
use super::source::{Placed, Source, open, place};
use super::stopped::after_stop;
use crate::disk::{Call, Work};
use crate::files::StatusBuf;
use crate::messages;
use crate::progress::Step;
use crate::progress_line::PathView;
use rdt_proto::Instant;
use rdt_proto::files::{BLOCK_BYTES, FileKind, FilePathBox, Flags, Metadata, PutRequest};
use rdt_proto::ftp::ErrorCode;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use taken::Taken;

/// The number of files that are opened ahead.
const AHEAD: usize = 32;
/// The length from which the server is asked whether it has a part.
const RESUMED_FROM: u64 = 4 * BLOCK_BYTES;

/// A file to send.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) source: Source,
    /// The path at the server.
    pub(crate) path: FilePathBox,
    /// The length that it had when it was found; 0 if it is not known.
    pub(crate) length: u64,
}

impl Item {
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.source, Source::Folder(_))
    }
}

pub(crate) struct Put {
    waiting: VecDeque<Item>,
    next: VecDeque<(Item, State)>,
    skip: Skip,
    /// Whether metadata is sent.
    pub(crate) preserve: bool,
    /// The STATs, with their answers.
    asked: HashMap<u32, Option<Reply>>,
    sent: HashMap<u32, Sent>,
    taken: Taken,
    /// The number of those that are not folders.
    files_open: usize,
    pub(crate) outcomes: Outcomes,
    /// The file whose content leaves.
    current: Option<(u32, Item)>,
    /// The bytes of all files that were found, and of those that are done.
    total: u64,
    is_total_known: bool,
    done: u64,
    /// Whether the disk or the server may have answered.
    is_due: bool,
}

/// The answer to a STAT.
enum Reply {
    Status(StatusBuf),
    /// A server that shows nothing has nothing to go on with.
    Refused,
}

enum State {
    Opening(Call<Result<Chunk, String>>),
    Opened(Chunk),
    Asked(u32, Chunk),
    Placing(Call<Result<Placed, String>>),
    Ready(Chunk),
}

/// What has become of a file that is not yet sent.
enum Moved {
    Waits(State),
    Moves(State),
    Skips,
    Fails(String),
}

/// A PUT that is open.
struct Sent {
    item: Item,
    offset: u64,
    started: Instant,
}

impl Put {
    pub(crate) fn new(items: Vec<Item>, skip: Skip, preserve: bool, outcomes: Outcomes) -> Self {
        let total = items.iter().map(|item| item.length).sum();
        let is_total_known = !items.iter().any(|item| matches!(item.source, Source::StandardInput));
        Self {
            waiting: items.into(),
            next: VecDeque::new(),
            skip,
            preserve,
            asked: HashMap::new(),
            sent: HashMap::new(),
            taken: Taken::default(),
            files_open: 0,
            outcomes,
            current: None,
            total,
            is_total_known,
            done: 0,
            is_due: false,
        }
    }

    /// Opens the next files.
    fn open_ahead(&mut self, exchange: &ClientExchange) -> bool {
        let mut opened = false;
        while self.next.len() < AHEAD
            && let Some(item) = self.waiting.pop_front()
        {
            let source = item.source.clone();
            let call = exchange.disk().call(Work::Read, move || open(&source));
            self.next.push_back((item, State::Opening(call)));
            opened = true;
        }
        opened
    }

    /// Takes the results of the disk and of the server, and asks what the server has of the files that are open.
    fn move_on(&mut self, exchange: &mut ClientExchange) -> bool {
        let can_ask =
            exchange.session.is_ready() && self.next.iter().any(|(_, state)| matches!(state, State::Opened(_)));
        if !std::mem::replace(&mut self.is_due, false) && !can_ask {
            return false;
        }
        let mut changed = false;
        for (item, state) in std::mem::take(&mut self.next) {
            let step = self.step_item(exchange, &item, state);
            changed |= !matches!(step, Moved::Waits(_));
            match step {
                Moved::Waits(state) | Moved::Moves(state) => self.next.push_back((item, state)),
                Moved::Skips => {
                    self.done += item.length;
                    self.outcomes.skip(item.path.as_path());
                }
                Moved::Fails(why) => {
                    self.done += item.length;
                    self.outcomes.fail(why);
                }
            }
        }
        changed
    }

    fn step_item(&mut self, exchange: &mut ClientExchange, item: &Item, state: State) -> Moved {
        match state {
            State::Opening(mut call) => match call.take().map(flatten) {
                None => Moved::Waits(State::Opening(call)),
                Some(Ok(chunk)) => self.ask(exchange, item, chunk),
                Some(Err(why)) => Moved::Fails(why),
            },
            State::Opened(chunk) => self.ask(exchange, item, chunk),
            State::Asked(number, chunk) => match self.asked.remove(&number).flatten() {
                Some(Reply::Status(status)) => {
                    let (skip, source, name) = (self.skip, item.source.clone(), item.path.to_string());
                    let call = exchange.disk().call(Work::Read, move || place(chunk, &status, skip, (&source, &name)));
                    Moved::Moves(State::Placing(call))
                }
                Some(Reply::Refused) => Moved::Moves(State::Ready(chunk)),
                None => {
                    self.asked.insert(number, None);
                    Moved::Waits(State::Asked(number, chunk))
                }
            },
            State::Placing(mut call) => match call.take().map(flatten) {
                None => Moved::Waits(State::Placing(call)),
                Some(Ok(Placed::Chunk(chunk))) => Moved::Moves(State::Ready(chunk)),
                Some(Ok(Placed::Same)) => Moved::Skips,
                Some(Err(why)) => Moved::Fails(why),
            },
            State::Ready(chunk) => Moved::Waits(State::Ready(chunk)),
        }
    }

    /// Asks what the server has of a file, if that may save something.
    fn ask(&mut self, exchange: &mut ClientExchange, item: &Item, chunk: Chunk) -> Moved {
        let is_file = matches!(item.source, Source::File(_));
        if !is_file || self.skip == Skip::Nothing && item.length <= RESUMED_FROM {
            return Moved::Moves(State::Ready(chunk));
        }
        let flags = if self.skip == Skip::SameContent { Flags::DIGEST } else { Flags::empty() };
        match exchange.session.stat(item.path.as_path(), flags) {
            Ok(number) => {
                self.asked.insert(number, None);
                Moved::Moves(State::Asked(number, chunk))
            }
            // The session is not ready.
            Err(_) => Moved::Waits(State::Opened(chunk)),
        }
    }

    /// Sends the first file that is ready.
    fn send(&mut self, now: Instant, exchange: &mut ClientExchange) -> bool {
        if !exchange.session.is_ready() || !matches!(self.next.front(), Some((_, State::Ready(_)))) {
            return false;
        }
        if self.files_open > 0 && matches!(self.next.front(), Some((item, _)) if item.is_folder()) {
            // A file takes its name after its last byte, and changes the time of its folder then.
            return false;
        }
        let Some((item, State::Ready(chunk))) = self.next.pop_front() else { return false };
        let opened = chunk.content().opened();
        let request = PutRequest {
            path: item.path.as_path(),
            kind: opened.kind,
            metadata: if self.preserve { opened.metadata } else { Metadata::default() },
            length: opened.length,
            offset: opened.offset,
            // Content that cannot be read again does not go on.
            flags: if opened.length.is_some() { Flags::REPLACE | Flags::KEEP } else { Flags::REPLACE },
        };
        let Ok(number) = exchange.session.put(&request) else { return false };
        if opened.kind != FileKind::Folder {
            exchange.send_content(now, number, chunk);
        }
        self.total = self.total.saturating_sub(item.length) + opened.length.unwrap_or(item.length);
        let item = Item { length: opened.length.unwrap_or(item.length), ..item };
        self.current = Some((number, item.clone()));
        self.files_open += usize::from(!item.is_folder());
        self.sent.insert(number, Sent { item, offset: opened.offset, started: now });
        true
    }

    fn end(&mut self, number: u32) -> Option<Sent> {
        let sent = self.sent.remove(&number)?;
        self.done += sent.item.length;
        self.files_open -= usize::from(!sent.item.is_folder());
        if self.current.as_ref().is_some_and(|(current, _)| *current == number) {
            self.current = None;
        }
        Some(sent)
    }
}

impl Requests for Put {
    fn advance(&mut self, now: Instant, exchange: &mut ClientExchange) -> bool {
        let mut changed = self.move_on(exchange);
        changed |= self.taken.ask(exchange) | self.send(now, exchange);
        changed | self.open_ahead(exchange)
    }

    fn handle_wake(&mut self) {
        self.is_due = true;
    }

    fn handle_answer(&mut self, now: Instant, _exchange: &mut ClientExchange, answer: Answer, server: SocketAddr) {
        match answer {
            Answer::Confirmed { number, bytes } => {
                if let Some(Sent { item, offset, started }) = self.end(number) {
                    if item.is_folder() {
                        return self.outcomes.make(server);
                    }
                    let length = if item.length == 0 { bytes } else { item.length };
                    let took = now.saturating_since(started);
                    let (local, path) = (item.source.text(), item.path.as_path());
                    self.outcomes.succeed(Transferred { path, local, server, length, offset, took });
                }
            }
            Answer::Refused { number, code } => {
                if let Some(reply) = self.asked.get_mut(&number) {
                    *reply = Some(Reply::Refused);
                    self.is_due = true;
                } else if let Some((item, why)) = self.taken.answer(number, None) {
                    self.outcomes.fail(refused(server, &item, why));
                } else if let Some(sent) = self.end(number) {
                    match code {
                        ErrorCode::Exists => self.taken.push(sent.item),
                        code => self.outcomes.fail(refused(server, &sent.item, messages::refusal(code))),
                    }
                }
            }
            Answer::NotSent { number, why } => {
                if let Some(sent) = self.end(number) {
                    let source = match &sent.item.source {
                        Source::StandardInput => "the standard input".into(),
                        source @ (Source::File(_) | Source::Folder(_)) => source.text(),
                    };
                    self.outcomes
                        .fail(format!("cannot read {source} on this machine: {why}: it is not stored; send it again"));
                }
            }
            Answer::Status { number, status } => {
                if let Some((item, why)) = self.taken.answer(number, Some(status.kind)) {
                    return self.outcomes.fail(refused(server, &item, why));
                }
                self.asked.insert(number, Some(Reply::Status(status)));
                self.is_due = true;
            }
            Answer::Leaving => {
                let left = self.waiting.len() + self.next.len();
                (self.waiting, self.next) = (VecDeque::new(), VecDeque::new());
                for (item, why) in self.taken.take_unknown() {
                    self.outcomes.fail(refused(server, &item, why));
                }
                self.outcomes
                    .leave_out(left, format!("{server} is ending, {left} files are left: send them again later"));
            }
            // Answers to other requests.
            Answer::Received { .. }
            | Answer::NotReceived { .. }
            | Answer::Entry { .. }
            | Answer::Listed { .. }
            | Answer::Ended { .. } => {}
        }
    }

    fn are_complete(&self) -> bool {
        self.waiting.is_empty() && self.next.is_empty() && self.sent.is_empty() && self.taken.is_empty()
    }

    fn step(&self, exchange: &ClientExchange, in_flight: u64) -> Step {
        let (sent, _) = exchange.progress();
        if self.done == 0 && sent == 0 {
            return Step::Asking;
        }
        // What was sent of this file, and the files before it that are not confirmed. A file whose content has all been
        // given to the connection is one of these.
        let open: u64 = self.sent.values().map(|sent| sent.item.length).sum();
        let current = self.current.as_ref().filter(|_| exchange.is_sending()).map_or(0, |(number, item)| {
            let offset = self.sent.get(number).map_or(0, |sent| sent.offset);
            item.length.saturating_sub(offset + sent).min(item.length)
        });
        let done = (self.done + open).saturating_sub(current).saturating_sub(in_flight);
        let path = PathView::default();
        if !self.is_total_known {
            return Step::Transferring { done: self.done + sent.saturating_sub(in_flight), total: None, path };
        }
        if done >= self.total {
            return Step::Storing { total: self.total };
        }
        Step::Transferring { done, total: Some(self.total), path }
    }

    fn is_sender(&self) -> bool {
        true
    }

    fn title(&self) -> String {
        self.outcomes.title()
    }

    fn after_stop(&self, _exchange: &ClientExchange, done: u64) -> &'static str {
        let is_part = |item: &Item| matches!(item.source, Source::File(_)) && item.length > RESUMED_FROM;
        after_stop(self.skip, &self.outcomes, done, self.current.as_ref().is_some_and(|(_, item)| is_part(item)))
    }

    fn aftermath(&self) -> &'static str {
        "it may be stored there or not; send it again, and it goes on"
    }
}

fn refused(server: SocketAddr, item: &Item, why: &str) -> String {
    format!("{server} refused \"{}\": {why}", item.path.as_path())
}

fn flatten<T>(result: io::Result<Result<T, String>>) -> Result<T, String> {
    result.unwrap_or_else(|error| Err(messages::error_text(&error)))
}
