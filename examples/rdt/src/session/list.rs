//! Lists what a server has.

use super::answer::Answer;
use super::client::{ClientExchange, Requests};
use super::failure_text::nothing_matches;
use crate::disk::{Call, Work};
use crate::files::{EntryBuf, StatusBuf};
use crate::messages;
use crate::output;
use crate::path_pattern::PathPattern;
use crate::progress::Step;
use rdt_proto::Instant;
use rdt_proto::files::{FileKind, FilePathBox, Flags};
use rdt_proto::ftp::ErrorCode;
use std::net::SocketAddr;
use std::sync::Arc;

/// The entries of a folder, or those beneath it that a pattern matches.
pub(crate) struct List {
    /// `None`: the outermost one.
    folder: Option<FilePathBox>,
    pattern: Option<PathPattern>,
    /// Whether what lies in the folders is listed with them.
    with_below: bool,
    /// Prints entries. It may block.
    print: Arc<Print>,
    /// What has arrived of a page.
    page: Vec<EntryBuf>,
    /// Whether the page has an entry that the pattern may not match.
    has_entry: bool,
    has_match: bool,
    state: State,
    failure: Option<String>,
}

/// Prints entries.
type Print = dyn Fn(&[EntryBuf]) + Send + Sync;

enum State {
    /// The next page is due, behind this entry.
    Due(Option<FilePathBox>),
    Asked {
        number: u32,
        last: Option<FilePathBox>,
    },
    /// The server refused to list the path with this code: what is under it?
    Looking {
        number: u32,
        code: ErrorCode,
    },
    /// A page is printed, and another is due behind this entry.
    Printing {
        call: Call<()>,
        next: Option<FilePathBox>,
    },
    Complete,
    /// The server sent what cannot be, and may go on with it for ever.
    Invalid,
}

impl List {
    pub(crate) fn new(
        path: Option<&FilePathBox>,
        with_below: bool,
        print: impl Fn(&[EntryBuf]) + Send + Sync + 'static,
    ) -> Self {
        let pattern = path.and_then(|path| PathPattern::of(path));
        let folder = pattern.as_ref().map_or(path, PathPattern::folder).cloned();
        Self {
            folder,
            pattern,
            with_below,
            print: Arc::new(print),
            page: Vec::new(),
            has_entry: false,
            has_match: false,
            state: State::Due(None),
            failure: None,
        }
    }

    /// Takes an entry of a page, or the file that the path names.
    fn take(&mut self, entry: EntryBuf) {
        self.has_entry = true;
        let is_match = self.pattern.as_ref().is_none_or(|pattern| {
            if self.with_below { pattern.covers(&entry.path) } else { pattern.matches(&entry.path) }
        });
        if is_match {
            self.has_match = true;
            self.page.push(entry);
        }
    }

    pub(crate) fn failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn fail(&mut self, server: SocketAddr, code: ErrorCode) {
        self.state = State::Complete;
        let why = || {
            let refusal = messages::refusal_of(self.folder.as_deref().unwrap_or_default(), code);
            format!("{server} did not list {}: {refusal}", self.name())
        };
        self.failure = Some(messages::barred(server, code).unwrap_or_else(why));
    }

    fn end_invalid(&mut self, server: SocketAddr) {
        self.state = State::Invalid;
        self.failure = Some(format!("{server} sent an invalid list: do not trust it"));
    }

    /// Handles what is under the path. A file is a list of its own.
    fn handle_look(
        &mut self,
        exchange: &ClientExchange,
        (asked, code): (u32, ErrorCode),
        answer: Answer,
        server: SocketAddr,
    ) {
        match (answer, &self.folder) {
            (Answer::Status { number, status }, Some(path))
                if number == asked && matches!(status.kind, FileKind::File | FileKind::Link) =>
            {
                let StatusBuf { kind, metadata, length, digest, .. } = status;
                let path = path.clone();
                self.take(EntryBuf { kind, metadata, length, digest, path });
                self.print_page(exchange, None, server);
            }
            (Answer::Status { number, .. } | Answer::Refused { number, .. }, _) if number == asked => {
                self.fail(server, code);
            }
            (_, _) => {}
        }
    }

    /// Prints the page on a thread, since the reader of the output may stall. The next page waits for that.
    fn print_page(&mut self, exchange: &ClientExchange, next: Option<FilePathBox>, server: SocketAddr) {
        if let Some(pattern) = &self.pattern
            && next.is_none()
            && !self.has_match
        {
            self.failure = Some(nothing_matches(server, pattern));
        }
        self.has_entry = false;
        let (page, print) = (std::mem::take(&mut self.page), self.print.clone());
        let call = exchange.disk().call(Work::Write, move || print(&page));
        self.state = State::Printing { call, next };
    }

    fn name(&self) -> String {
        self.folder.as_ref().map_or("its folder".into(), |folder| format!("\"{}\"", folder.as_path()))
    }
}

impl Requests for List {
    fn advance(&mut self, _now: Instant, exchange: &mut ClientExchange) -> bool {
        if let State::Printing { call, next } = &mut self.state {
            if call.take().is_none() {
                return false;
            }
            let next = next.take().filter(|_| output::failure().is_none());
            self.state = next.map_or(State::Complete, |next| State::Due(Some(next)));
            return true;
        }
        let State::Due(last) = &self.state else { return false };
        let is_recursive = self.with_below || self.pattern.as_ref().is_some_and(PathPattern::is_recursive);
        let flags = if is_recursive { Flags::RECURSIVE } else { Flags::empty() };
        let [folder, after] = [&self.folder, last].map(|path| path.as_ref().map(FilePathBox::as_path));
        match exchange.session.list(folder, after, flags) {
            Ok(number) => {
                // Also the first entry of a page lies behind the last one of the page before.
                let last = last.clone();
                self.state = State::Asked { number, last };
                true
            }
            Err(_) => false,
        }
    }

    fn handle_wake(&mut self) {}

    fn handle_answer(&mut self, _now: Instant, exchange: &mut ClientExchange, answer: Answer, server: SocketAddr) {
        if let State::Looking { number: asked, code } = self.state {
            return self.handle_look(exchange, (asked, code), answer, server);
        }
        let State::Asked { number: asked, last } = &mut self.state else { return };
        match answer {
            // They ascend, so that no list goes on for ever.
            Answer::Entry { number, entry }
                if number == *asked && last.as_ref().is_some_and(|last| entry.path <= *last) =>
            {
                self.end_invalid(server);
            }
            Answer::Entry { number, entry } if number == *asked => {
                *last = Some(entry.path.clone());
                self.take(entry);
            }
            Answer::Listed { number, has_more } if number == *asked => {
                if has_more && !self.has_entry {
                    self.end_invalid(server);
                } else {
                    let next = last.take().filter(|_| has_more);
                    self.print_page(exchange, next, server);
                }
            }
            Answer::Refused { number, code } if number == *asked => {
                let looked = self.folder.as_ref().map(|path| exchange.session.stat(path.as_path(), Flags::empty()));
                match looked {
                    Some(Ok(number)) => self.state = State::Looking { number, code },
                    Some(Err(_)) | None => self.fail(server, code),
                }
            }
            // Answers to other requests.
            Answer::Entry { .. }
            | Answer::Listed { .. }
            | Answer::Refused { .. }
            | Answer::Confirmed { .. }
            | Answer::NotSent { .. }
            | Answer::Received { .. }
            | Answer::NotReceived { .. }
            | Answer::Status { .. }
            | Answer::Leaving
            | Answer::Ended { .. } => {}
        }
    }

    fn are_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    fn step(&self, _exchange: &ClientExchange, _in_flight: u64) -> Step {
        Step::Asking
    }

    fn is_sender(&self) -> bool {
        false
    }

    fn title(&self) -> String {
        format!("the list of {}", self.name())
    }

    fn gives_up(&self, _exchange: &ClientExchange) -> bool {
        matches!(self.state, State::Invalid)
    }

    fn aftermath(&self) -> &'static str {
        "try again"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::session::committer::Committer;
    use crate::session::destinations::Destinations;
    use crate::session::exchange::SessionExchange;
    use mio::{Poll, Token, Waker};
    use rdt_proto::files::{FileClient, FilePath, Metadata};

    /// Regression: the client waited for the end of a list that repeated an entry for ever.
    #[test]
    fn a_list_that_does_not_ascend_is_given_up() {
        let poll = Poll::new().unwrap();
        let (disk, _finished) = Disk::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()), 1);
        let mut exchange = SessionExchange::new(FileClient::new(), Destinations::default(), disk, Committer::default());
        let server = SocketAddr::from(([192, 0, 2, 1], 6_969));
        for (entries, is_valid) in [(&["a", "b", "b/c"][..], true), (&["a", "a"], false), (&["b", "a"], false)] {
            let mut list = List::new(None, false, |_| {});
            list.state = State::Asked { number: 7, last: None };
            for name in entries {
                let path = FilePath::new(name).unwrap().into();
                let (kind, metadata) = (FileKind::File, Metadata::default());
                let entry = EntryBuf { kind, metadata, length: 5, digest: None, path };
                list.handle_answer(Instant::ZERO, &mut exchange, Answer::Entry { number: 7, entry }, server);
            }
            assert_eq!(list.gives_up(&exchange), !is_valid, "{entries:?}");
            assert_eq!(list.failure().is_some(), !is_valid, "{entries:?}");
        }
    }
}
