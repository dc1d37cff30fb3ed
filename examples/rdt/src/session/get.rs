//! Fetches files from a server.
//!
//! ```text
//! Waiting ──→ what is there of it? ──→ GET ──→ content, END
//!                                       └── refused: a folder? ── STAT ──→ LIST ──→ Waiting, for each entry
//! a pattern ──→ LIST ──→ Waiting, for each file that matches; LIST, for each folder
//! ```

mod folder;
mod left;
mod lookup;
mod lost;
mod matching;

pub(crate) use matching::Matching;

use super::answer::{Answer, NotReceived};
use super::cause::SharedCause;
use super::client::{ClientExchange, Requests};
use super::count::One;
use super::destinations;
use super::ended::Failure;
use super::failure_text::{not_a_file, not_received};
use super::folders::{Folders, Made};
use super::outcome::{Outcomes, Transferred};
use super::skip::{FileOptions, Skip};
use super::stopped::{After, Known, Part, Shows, after_stop};
use super::wanted::{Local, Wanted};
use crate::destination::Here;
use crate::disk::Call;
use crate::files::StatusBuf;
use crate::folder_copy::FolderCopy;
use crate::progress::Step;
use crate::progress_line::PathView;
use matching::Listing;
use rdt_proto::Instant;
use rdt_proto::files::{BLOCK_BYTES, FileKind, FilePathBox};
use rdt_proto::ftp::{ErrorCode, StorageError};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;

/// The number of files that are looked up ahead.
const AHEAD: usize = 32;

pub(crate) struct Get {
    /// The number of names and patterns that the command has.
    names: usize,
    waiting: VecDeque<Wanted>,
    next: VecDeque<(Wanted, State)>,
    options: FileOptions,
    /// What is to be asked before the next file.
    pending: VecDeque<Pending>,
    open: HashMap<u32, Open>,
    /// The folders to make behind the files in them, which change their times of modification.
    folders: Folders,
    /// The records of the folders that it makes.
    copies: Vec<FolderCopy>,
    /// The names in the folder of this side that patterns may not take again.
    local: HashSet<FilePathBox>,
    server: Option<SocketAddr>,
    pub(crate) outcomes: Outcomes,
    /// The bytes of all files that are known, and of those that are done.
    total: u64,
    done: u64,
    /// Whether the disk may have answered.
    is_due: bool,
    /// Whether the server has sent a list that cannot be.
    has_invalid_list: bool,
    /// Whether a file begins again, and nothing was asked for since: the connection may have to end for it.
    has_begun_again: bool,
}

enum State {
    LookingUp(Call<io::Result<Local>>),
    /// With what is here of it.
    Ready(StatusBuf),
}

/// A request that waits until the session is ready.
enum Pending {
    /// What is under a path whose GET was refused with this code, or cannot be made? Or whose entry cannot be read?
    Stat { wanted: Wanted, code: Option<ErrorCode> },
    /// What is in a folder, behind this entry?
    List { folder: Wanted, last: Option<FilePathBox> },
    /// What matches a pattern?
    Match(Listing),
}

/// A request that is open.
enum Open {
    Get {
        wanted: Wanted,
        started: Instant,
    },
    /// The GET was refused with this code, or cannot be made.
    Stat {
        wanted: Wanted,
        code: Option<ErrorCode>,
    },
    List {
        folder: Wanted,
        last: Option<FilePathBox>,
        /// Whether the page has an entry.
        has_entry: bool,
    },
    Match(Listing),
}

impl Get {
    pub(crate) fn new(wanted: Vec<Wanted>, options: FileOptions, outcomes: Outcomes) -> Self {
        let (names, waiting) = (wanted.len(), wanted.into());
        let mut get = Self {
            names,
            waiting,
            next: VecDeque::new(),
            options,
            pending: VecDeque::new(),
            open: HashMap::new(),
            folders: Folders::default(),
            copies: Vec::new(),
            local: HashSet::new(),
            server: None,
            outcomes,
            total: 0,
            done: 0,
            is_due: false,
            has_invalid_list: false,
            has_begun_again: false,
        };
        get.look_up_several();
        get
    }

    /// Asks first what several names are, so that the length of all is known before their content.
    fn look_up_several(&mut self) {
        if self.names > 1 {
            let stats = self.waiting.drain(..).map(|wanted| Pending::Stat { wanted, code: None });
            self.pending.extend(stats);
        }
    }

    /// Whether the files that are wanted, and their lengths, are known.
    fn are_looked_up(&self) -> bool {
        let is_known = |wanted: &Wanted| self.names == 1 || wanted.entry.is_some();
        self.pending.is_empty()
            && self.waiting.iter().chain(self.next.iter().map(|(wanted, _)| wanted)).all(is_known)
            && self.open.values().all(|open| matches!(open, Open::Get { wanted, .. } if is_known(wanted)))
    }

    /// Also wants what matches these patterns. All of it is stored in one folder, where the other files take these names.
    pub(crate) fn matching(mut self, all: Vec<Matching>, taken: Vec<FilePathBox>) -> Self {
        self.names += all.len();
        self.pending.extend(all.into_iter().map(|matching| Pending::Match(Listing::new(matching))));
        self.local.extend(taken);
        self.look_up_several();
        self
    }

    fn explain(&mut self, exchange: &mut ClientExchange) {
        exchange.place.take_notes().into_iter().for_each(|note| self.outcomes.explain(note));
    }

    fn have_files_ended(&self) -> bool {
        self.waiting.is_empty() && self.next.is_empty() && self.pending.is_empty() && self.open.is_empty()
    }

    /// Makes the folders once all files are there.
    fn make_folders(&mut self, exchange: &ClientExchange) -> bool {
        if !self.have_files_ended() {
            return false;
        }
        let changed = self.folders.start(exchange.disk());
        let Some(Made { count, failures }) = self.folders.take() else { return changed };
        self.server.into_iter().for_each(|server| self.outcomes.make(count, server));
        failures.into_iter().for_each(|why| self.outcomes.fail(One::Folder, why));
        true
    }

    /// Asks for the first file.
    fn ask(&mut self, now: Instant, exchange: &mut ClientExchange) -> bool {
        if !exchange.session.is_ready() {
            return false;
        }
        if let Some(pending) = self.pending.pop_front() {
            return self.make_pending(exchange, pending);
        }
        let Some((wanted, State::Ready(here))) = self.next.front() else { return false };
        if wanted.here == Here::Folder || wanted.skip != Skip::Nothing && wanted.entry.is_none() && wanted.is_stored() {
            let Some((wanted, _)) = self.next.pop_front() else { return false };
            self.pending.push_back(Pending::Stat { wanted, code: None });
            return true;
        }
        let peaks = here.peaks.as_peaks();
        let Ok(number) = exchange.session.get(wanted.path.as_path(), peaks) else { return false };
        self.has_begun_again = false;
        let (skip, here) = (wanted.skip, here.clone());
        let goes_on = (peaks.blocks() > 0 && self.outcomes.explains()).then(|| destinations::GoesOn {
            name: wanted.path.clone(),
            here,
            skip,
        });
        let Some((wanted, _)) = self.next.pop_front() else { return false };
        exchange.place.insert(number, destinations::Open { destination: wanted.destination.clone(), goes_on });
        self.open.insert(number, Open::Get { wanted, started: now });
        true
    }

    fn fail(&mut self, wanted: &Wanted, why: String) {
        self.done += wanted.entry.as_ref().map_or(0, |entry| entry.length);
        self.outcomes.fail(One::File, why);
    }

    /// The same, for a cause that others may share.
    fn fail_for(&mut self, cause: Option<SharedCause>, wanted: &Wanted, why: String) {
        self.done += wanted.entry.as_ref().map_or(0, |entry| entry.length);
        self.outcomes.fail_for(cause, One::File, &format!("\"{}\"", wanted.path.as_path()), why);
    }

    fn fail_folder(&mut self, wanted: &Wanted, why: String) {
        self.done += wanted.entry.as_ref().map_or(0, |entry| entry.length);
        self.outcomes.fail(One::Folder, why);
    }
}

impl Requests for Get {
    fn advance(&mut self, now: Instant, exchange: &mut ClientExchange) -> bool {
        self.explain(exchange);
        let mut changed = self.take_results() | self.make_folders(exchange);
        changed |= self.ask(now, exchange);
        changed | self.look_up(exchange)
    }

    fn handle_wake(&mut self) {
        self.is_due = true;
    }

    fn handle_answer(&mut self, now: Instant, exchange: &mut ClientExchange, answer: Answer, server: SocketAddr) {
        self.server = Some(server);
        self.explain(exchange);
        match answer {
            Answer::Received { number, bytes } => {
                let announced = exchange.place.remove(number);
                if let Some(Open::Get { wanted, started }) = self.open.remove(&number) {
                    let offset = announced.map_or(0, |announced| announced.offset);
                    let (length, took) = (offset + bytes, now.saturating_since(started));
                    self.done += wanted.entry.as_ref().map_or(length, |entry| entry.length);
                    let (path, local) = (wanted.path.as_path(), wanted.destination.text());
                    self.outcomes.succeed(Transferred { path, local, server, length, offset, took });
                }
            }
            Answer::NotReceived { number, failure } => {
                let announced = exchange.place.remove(number);
                if let Some(Open::Get { wanted, .. }) = self.open.remove(&number) {
                    let went_on = announced.is_some_and(|announced| announced.offset > 0);
                    let wanted = if went_on { self.fetch_anew(wanted, &failure) } else { Some(wanted) };
                    let Some(wanted) = wanted else { return };
                    let cause = match &failure {
                        NotReceived::Storage(error, _) => SharedCause::of_storage(*error),
                        NotReceived::Uncertain(_)
                        | NotReceived::Server(_)
                        | NotReceived::Invalid
                        | NotReceived::Ended => None,
                    };
                    let is_link = announced.is_some_and(|announced| !announced.is_file);
                    let why = if is_link {
                        not_a_file(server, &wanted.path, FileKind::Link)
                    } else {
                        not_received(server, wanted.path.as_path(), &wanted.destination, failure)
                    };
                    self.fail_for(cause, &wanted, why);
                }
            }
            Answer::Refused { number, code } => self.handle_refusal(exchange, number, code, server),
            Answer::Status { number, status } => {
                if let Some(Open::Stat { wanted, code }) = self.open.remove(&number) {
                    self.handle_status(wanted, code, &status, server);
                }
            }
            Answer::Entry { number, entry } => self.handle_entry(number, entry, server),
            Answer::Listed { number, has_more } => self.handle_listed(number, has_more, server),
            Answer::Leaving => {
                let left = self.take_rest();
                self.outcomes.leave_out_at_end(left, server);
            }
            // Answers to other requests.
            Answer::Confirmed { .. } | Answer::NotSent { .. } | Answer::Ended { .. } => {}
        }
    }

    fn are_complete(&self) -> bool {
        self.have_files_ended() && self.folders.are_made()
    }

    fn step(&self, exchange: &ClientExchange, _in_flight: u64) -> Step {
        let (_, received) = exchange.progress();
        let Some(last) = exchange.place.current() else { return Step::Asking };
        let done = self.done + exchange.place.arrived(received);
        // The length of one file is known once the server has announced it.
        let of_all = if self.total > 0 { Some(self.total) } else { last.length };
        match of_all.filter(|_| self.are_looked_up()) {
            Some(total) if done >= total => Step::Storing { total },
            total => {
                let done = total.map_or(done, |total| done.min(total));
                Step::Transferring { done, total, path: PathView::default() }
            }
        }
    }

    fn is_sender(&self) -> bool {
        false
    }

    fn title(&self) -> String {
        self.outcomes.title()
    }

    fn aftermath(&self) -> &'static str {
        if self.outcomes.has_content_on_stdout() {
            "the standard output is incomplete; try again"
        } else {
            "get it again; of a file above 1 MiB, each whole MiB that arrived is kept"
        }
    }

    fn after_stop(&self, exchange: &ClientExchange, done: u64) -> After {
        let is_part = |announced: destinations::Announced| announced.length.is_some_and(|length| length > BLOCK_BYTES);
        if self.outcomes.has_content_on_stdout() {
            return After::OutputIncomplete;
        }
        let has_record = self.copies.len() == self.names;
        // It gives files, so it shows them.
        let known = Known { options: self.options, has_record, shows: Shows::Files };
        let part = if exchange.place.current().is_some_and(is_part) { Part::Here } else { Part::Nowhere };
        after_stop(known, &self.outcomes, done, part)
    }

    /// A GET can be stopped only with the connection.
    fn gives_up(&self, exchange: &ClientExchange) -> bool {
        /// The bytes that are dropped before the connection ends instead.
        const MOST_DROPPED: u64 = 64 << 20;
        self.has_invalid_list
            || exchange.failure_of_received().is_some_and(|(number, failure)| {
                let is_full = matches!(failure, Failure::Storage(StorageError::NoSpace, _));
                is_full || exchange.place.rest_of(number).is_none_or(|rest| rest > MOST_DROPPED)
            })
    }

    fn need_another_connection(&mut self) -> bool {
        std::mem::take(&mut self.has_begun_again) && !self.has_invalid_list
    }

    fn take_back(&mut self) {
        self.take_back_unanswered();
    }
}

#[cfg(test)]
mod tests;
