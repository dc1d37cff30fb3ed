//! Lists what a server has.

use super::answer::Answer;
use super::client::{ClientExchange, Requests};
use crate::files::{EntryBuf, StatusBuf};
use crate::messages;
use crate::progress::Step;
use rdt_proto::Instant;
use rdt_proto::files::{FileKind, FilePath, FilePathBox, Flags};
use rdt_proto::ftp::ErrorCode;
use std::net::SocketAddr;

/// The entries of a folder, or those beneath it that a pattern matches.
pub(crate) struct List {
    /// `None`: the outermost one.
    folder: Option<FilePathBox>,
    is_recursive: bool,
    /// What is printed of each entry.
    print: Box<dyn FnMut(&EntryBuf)>,
    state: State,
    failure: Option<String>,
}

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
    Complete,
}

impl List {
    pub(crate) fn new(folder: Option<FilePathBox>, is_recursive: bool, print: impl FnMut(&EntryBuf) + 'static) -> Self {
        Self { folder, is_recursive, print: Box::new(print), state: State::Due(None), failure: None }
    }

    pub(crate) fn failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn fail(&mut self, server: SocketAddr, code: ErrorCode) {
        self.state = State::Complete;
        self.failure = Some(format!("{server} did not list {}: {}", self.name(), messages::refusal(code)));
    }

    /// Handles what is under the path. A file is a list of its own.
    fn handle_look(&mut self, asked: u32, code: ErrorCode, answer: Answer, server: SocketAddr) {
        match (answer, &self.folder) {
            (Answer::Status { number, status }, Some(path))
                if number == asked && matches!(status.kind, FileKind::File | FileKind::Link) =>
            {
                let StatusBuf { kind, metadata, length, digest, .. } = status;
                (self.print)(&EntryBuf { kind, metadata, length, digest, path: path.clone() });
                self.state = State::Complete;
            }
            (Answer::Status { number, .. } | Answer::Refused { number, .. }, _) if number == asked => {
                self.fail(server, code);
            }
            (_, _) => {}
        }
    }

    fn name(&self) -> String {
        self.folder.as_ref().map_or("its folder".into(), |folder| format!("\"{}\"", folder.as_path()))
    }
}

impl Requests for List {
    fn advance(&mut self, _now: Instant, exchange: &mut ClientExchange) -> bool {
        let State::Due(last) = &self.state else { return false };
        let flags = if self.is_recursive { Flags::RECURSIVE } else { Flags::empty() };
        let [folder, after] = [&self.folder, last].map(|path| path.as_ref().map(FilePathBox::as_path));
        match exchange.session.list(folder, after, flags) {
            Ok(number) => {
                self.state = State::Asked { number, last: None };
                true
            }
            Err(_) => false,
        }
    }

    fn handle_wake(&mut self) {}

    fn handle_answer(&mut self, _now: Instant, exchange: &mut ClientExchange, answer: Answer, server: SocketAddr) {
        if let State::Looking { number: asked, code } = self.state {
            return self.handle_look(asked, code, answer, server);
        }
        let State::Asked { number: asked, last } = &mut self.state else { return };
        match answer {
            Answer::Entry { number, entry } if number == *asked => {
                (self.print)(&entry);
                *last = FilePath::new(&entry.path).ok().map(FilePathBox::from);
            }
            Answer::Listed { number, has_more } if number == *asked => {
                self.state = if has_more { State::Due(last.take()) } else { State::Complete };
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

    fn aftermath(&self) -> &'static str {
        "try again"
    }
}
