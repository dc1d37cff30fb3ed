//! Sends files to a server.
//!
//! ```text
//! Waiting ──→ Opening ──→ Opened ───────────────────────────────→ PUT ──→ CONFIRM
//!                           └── STAT ──→ Asked ──→ Placing ─────────↑ from the border that both share
//!                                          └── the same ──→ skipped
//! ```
//!
//! A file whose PUT is refused because of what was there of it goes back to Opening, and is sent once more.
//!
//! The next files are opened while one is sent, and STAT leaves between two of them. So many small files need no round
//! trip each.

mod prepare;
mod taken;

use super::answer::Answer;
use super::cause::SharedCause;
use super::client::{ClientExchange, Requests};
use super::count::{Count, One};
use super::note::Note;
use super::outcome::{Outcomes, Transferred};
use super::skip::{FileOptions, Skip};
use super::source::Source;
use super::stopped::{After, Known, Part, Shows, after_stop, unsent};
use crate::files::Detail;
use crate::local_failure::{SEND_AGAIN, cannot_send};
use crate::messages;
use crate::progress::Step;
use crate::progress_line::PathView;
use prepare::{RESUMED_FROM, Reply, State};
use rdt_proto::files::{FileKind, FilePathBox, Flags, Metadata, PutRequest};
use rdt_proto::ftp::ErrorCode;
use rdt_proto::{Duration, Instant};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use taken::Taken;

/// A file to send.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(super) source: Source,
    /// The path at the server.
    pub(crate) path: FilePathBox,
    /// The length that it had when it was found; 0 if it is not known.
    pub(super) length: u64,
}

impl Item {
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.source, Source::Folder(_))
    }

    pub(crate) fn one(&self) -> One {
        if self.is_folder() { One::Folder } else { One::File }
    }
}

pub(crate) struct Put {
    waiting: VecDeque<Item>,
    next: VecDeque<(Item, State)>,
    options: FileOptions,
    /// The STATs, with their answers.
    asked: HashMap<u32, Option<Reply>>,
    sent: HashMap<u32, Sent>,
    taken: Taken,
    /// The files that the server was asked about once more, since what it had of them was gone.
    gone: HashSet<FilePathBox>,
    /// Whether the server shows files. One that shows none keeps no parts.
    shows: Shows,
    /// The number of those that are not folders.
    files_open: usize,
    outcomes: Outcomes,
    /// The file whose content leaves.
    current: Option<(u32, Item)>,
    /// The bytes of all files that were found, and of those that are done.
    total: u64,
    is_total_known: bool,
    done: u64,
    /// Whether the disk or the server may have answered.
    is_due: bool,
}

/// A PUT that is open.
struct Sent {
    item: Item,
    offset: u64,
    started: Instant,
    /// Whether the file has permission bits that do not come along.
    loses_bits: bool,
}

impl Put {
    pub(crate) fn new(items: Vec<Item>, options: FileOptions, outcomes: Outcomes) -> Self {
        let total = items.iter().map(|item| item.length).sum();
        let is_total_known = !items.iter().any(|item| matches!(item.source, Source::StandardInput));
        Self {
            waiting: items.into(),
            next: VecDeque::new(),
            options,
            asked: HashMap::new(),
            sent: HashMap::new(),
            taken: Taken::new(outcomes.is_single()),
            gone: HashSet::new(),
            shows: Shows::Unknown,
            files_open: 0,
            outcomes,
            current: None,
            total,
            is_total_known,
            done: 0,
            is_due: false,
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
            metadata: if self.options.preserves { opened.metadata } else { Metadata::default() },
            length: opened.length,
            offset: opened.offset,
            // Content that cannot be read again does not go on.
            flags: if opened.length.is_some() { Flags::REPLACE | Flags::KEEP } else { Flags::REPLACE },
        };
        let Ok(number) = exchange.session.put(&request) else { return false };
        let loses_bits = self.options.preserves && chunk.content().has_special_bits();
        if opened.kind != FileKind::Folder {
            exchange.send_content(now, number, chunk);
        }
        self.total = self.total.saturating_sub(item.length) + opened.length.unwrap_or(item.length);
        let item = Item { length: opened.length.unwrap_or(item.length), ..item };
        self.current = Some((number, item.clone()));
        self.files_open += usize::from(!item.is_folder());
        self.sent.insert(number, Sent { item, offset: opened.offset, started: now, loses_bits });
        true
    }

    /// A file whose name is taken has failed, if it is known by what.
    fn fail_taken(&mut self, server: SocketAddr, why: Option<taken::Why>) {
        if let Some(taken::Why { one, path, text }) = why {
            self.outcomes.fail(one, format!("{server} refused \"{}\": {text}", path.as_path()));
        }
    }

    fn fail_refused(&mut self, server: SocketAddr, item: &Item, code: ErrorCode) {
        let why = messages::refused(server, &item.path, code);
        let name = format!("\"{}\"", item.path.as_path());
        self.outcomes.fail_for(SharedCause::of_refusal(code), item.one(), &name, why.clone());
        if code == ErrorCode::NoUploads {
            // So are all others.
            let left = self.take_rest();
            self.outcomes.leave_out(left, why);
        }
    }

    /// Sends no more to a server that shows no files. It would store them once more with each command.
    fn leave_out_uncompared(&mut self, server: SocketAddr) {
        let why =
            format!("{server} shows no files (--write-only), so none can be skipped: leave out --update and --verify");
        let left = self.take_rest();
        self.outcomes.leave_out(left, why);
    }

    /// Sends no more. Returns how many were left.
    fn take_rest(&mut self) -> Count {
        let (waiting, next) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.next));
        waiting.iter().chain(next.iter().map(|(item, _)| item)).map(Item::one).sum()
    }

    /// Prints the sum. Returns the failure of the command. `is_explained`: a line says why requests are not answered.
    pub(crate) fn finish(mut self, took: Duration, is_explained: bool) -> Result<(), String> {
        let open: Count = self.sent.values().map(|sent| sent.item.one()).sum();
        let left = self.take_rest() + open + self.taken.count();
        self.outcomes.leave_out_unanswered(left, is_explained);
        self.outcomes.finish(took)
    }

    /// The bytes that have certainly crossed the network. `sent` of the current file have left, or all of it.
    fn arrived(&self, sent: Option<u64>, in_flight: u64) -> u64 {
        // What was sent of this file, and the files before it that are not confirmed. A file whose content has all been
        // given to the connection is one of these.
        let open: u64 = self.sent.values().map(|sent| sent.item.length).sum();
        let rest = self.current.as_ref().zip(sent).map_or(0, |((number, item), sent)| {
            let offset = self.sent.get(number).map_or(0, |sent| sent.offset);
            item.length.saturating_sub(offset + sent).min(item.length)
        });
        (self.done + open).saturating_sub(rest).saturating_sub(in_flight)
    }

    fn handle_confirmed(&mut self, now: Instant, number: u32, (bytes, has_grown): (u64, bool), server: SocketAddr) {
        let Some(Sent { item, offset, started, loses_bits }) = self.end(number) else { return };
        if loses_bits {
            self.outcomes.explain(Note::special_bits(&item.source.text()));
        }
        if item.is_folder() {
            return self.outcomes.make(1, server);
        }
        let length = if item.length == 0 { bytes } else { item.length };
        let (local, path, took) = (item.source.text(), item.path.as_path(), now.saturating_since(started));
        if has_grown {
            self.outcomes.explain(Note::grown(&local, length));
        }
        self.outcomes.succeed(Transferred { path, local, server, length, offset, took });
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

    fn handle_answer(&mut self, now: Instant, exchange: &mut ClientExchange, answer: Answer, server: SocketAddr) {
        match answer {
            Answer::Confirmed { number, bytes, has_grown } => {
                self.handle_confirmed(now, number, (bytes, has_grown), server);
            }
            Answer::Refused { number, code } => {
                if let Some(reply) = self.asked.get_mut(&number) {
                    if code == ErrorCode::NoDownloads {
                        self.shows = Shows::Nothing;
                        if self.options.skip != Skip::Nothing {
                            return self.leave_out_uncompared(server);
                        }
                    }
                    *reply = Some(Reply::Refused);
                    self.is_due = true;
                } else if self.taken.has_asked(number) {
                    let why = self.taken.answer(number, None);
                    self.fail_taken(server, why);
                } else if let Some(sent) = self.end(number) {
                    match code {
                        ErrorCode::Exists => {
                            let why = self.taken.push(sent.item);
                            self.fail_taken(server, why);
                        }
                        // At offset 0 nothing there matters, so this has an end.
                        ErrorCode::PrefixGone | ErrorCode::DigestMismatch if sent.offset > 0 => {
                            self.send_anew(exchange, sent.item, code);
                        }
                        code => self.fail_refused(server, &sent.item, code),
                    }
                }
            }
            Answer::NotSent { number, why: Detail { text } } => {
                if let Some(sent) = self.end(number) {
                    let source = match &sent.item.source {
                        Source::StandardInput => "the standard input".into(),
                        source @ (Source::File(_) | Source::Folder(_)) => source.text(),
                    };
                    let why = cannot_send(&source, &text, SEND_AGAIN);
                    self.outcomes.fail(sent.item.one(), why);
                }
            }
            Answer::Status { number, status } => {
                self.shows = Shows::Files;
                if self.taken.has_asked(number) {
                    let why = self.taken.answer(number, Some(status.kind));
                    return self.fail_taken(server, why);
                }
                self.asked.insert(number, Some(Reply::Status(status)));
                self.is_due = true;
            }
            Answer::Leaving => {
                let left = self.take_rest();
                self.taken.take_unknown().for_each(|why| self.fail_taken(server, Some(why)));
                self.outcomes.leave_out_at_end(left, server);
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
        let done = self.arrived(exchange.is_sending().then_some(sent), in_flight);
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

    fn after_stop(&self, _exchange: &ClientExchange, done: u64) -> After {
        let is_part = |item: &Item| matches!(item.source, Source::File(_)) && item.length > RESUMED_FROM;
        let has_part = self.shows != Shows::Nothing && self.current.as_ref().is_some_and(|(_, item)| is_part(item));
        let part = if has_part { Part::AtServer } else { Part::Nowhere };
        let known = Known { options: self.options, has_record: false, shows: self.shows };
        after_stop(known, &self.outcomes, done, part)
    }

    fn unsent(&self, exchange: &ClientExchange, in_flight: u64) -> Option<String> {
        let cut = exchange.cut_short();
        if cut.is_none() && self.waiting.is_empty() && self.next.is_empty() {
            // END has left.
            return None;
        }
        let done = match (self.is_total_known, cut) {
            (true, cut) => self.arrived(cut, in_flight),
            (false, cut) => (self.done + cut.unwrap_or_default()).saturating_sub(in_flight),
        };
        let advice = self.after_stop(exchange, done);
        Some(unsent(done, self.is_total_known.then_some(self.total), advice))
    }

    fn aftermath(&self) -> &'static str {
        "it may be stored there or not; send it again"
    }
}
