//! What a client says about its requests: one by one, or the sum of many.

use super::cause::{SharedCause, SharedCauses};
use super::count::{Count, One};
use super::note::{Note, Notes};
use crate::json::{self, Record};
use crate::messages::{self, it_or_them, to_stderr, to_stdout, was_or_were};
use crate::output;
use rdt_proto::Duration;
use rdt_proto::files::FilePath;
use rdt_proto::ftp::Transfer;
use std::net::SocketAddr;

/// The number of failures that are shown one by one.
const SHOWN: usize = 20;

/// What is printed besides failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Nothing,
    /// The results.
    Results,
    /// What happens meanwhile as well.
    Everything,
}

#[derive(Clone)]
pub(crate) struct Outcomes {
    transfer: Transfer,
    /// What the user calls all of it.
    title: String,
    /// Whether there is one request, whose outcome is that of the command.
    is_single: bool,
    speech: Speech,
    /// Whether the content goes to the standard output, and nothing else may.
    has_content_on_stdout: bool,
    /// The folder in which all of it is stored, in messages.
    place: Option<String>,
    /// What was transferred.
    done: Count,
    skipped: u64,
    bytes: u64,
    failures: Vec<String>,
    /// The failures that are printed. Files that fail for one reason, in the same words, have one line.
    shown: Vec<String>,
    has_omitted: bool,
    failed: Count,
    /// How many of these the end of the connection explains.
    explained: Count,
    /// Whether a list was not whole.
    has_unlisted: bool,
    server: Option<SocketAddr>,
    notes: Notes,
    causes: SharedCauses,
}

/// A request that has succeeded.
pub(crate) struct Transferred<'a> {
    /// The path at the server.
    pub(crate) path: FilePath<'a>,
    /// The file on this machine, or `-`.
    pub(crate) local: String,
    pub(crate) server: SocketAddr,
    /// The number of bytes of the file.
    pub(crate) length: u64,
    /// The number of them that the receiver had.
    pub(crate) offset: u64,
    pub(crate) took: Duration,
}

impl Outcomes {
    pub(crate) fn new(transfer: Transfer, title: String, is_single: bool, speech: Speech) -> Self {
        Self {
            transfer,
            title,
            is_single,
            speech,
            has_content_on_stdout: false,
            place: None,
            done: Count::default(),
            skipped: 0,
            bytes: 0,
            failures: Vec::new(),
            shown: Vec::new(),
            has_omitted: false,
            failed: Count::default(),
            explained: Count::default(),
            has_unlisted: false,
            server: None,
            notes: Notes::default(),
            causes: SharedCauses::default(),
        }
    }

    pub(crate) fn with_content_on_stdout(self) -> Self {
        Self { has_content_on_stdout: true, ..self }
    }

    pub(crate) fn has_content_on_stdout(&self) -> bool {
        self.has_content_on_stdout
    }

    pub(crate) fn title(&self) -> String {
        self.title.clone()
    }

    /// Whether there is one request, whose outcome is that of the command.
    pub(crate) fn is_single(&self) -> bool {
        self.is_single
    }

    fn announces(&self) -> bool {
        match self.speech {
            Speech::Nothing => false,
            Speech::Results | Speech::Everything => true,
        }
    }

    /// Whether the user wants to know why a transfer does not begin at the start of its file.
    pub(super) fn explains(&self) -> bool {
        self.speech == Speech::Everything
    }

    /// Says why a transfer does not begin at the start of its file, or need not have been.
    pub(super) fn explain(&mut self, note: Note) {
        if !self.explains() {
            return;
        }
        // A single file may go on, begin again, and go on once more.
        let line = if self.is_single() { Some(note.into_text()) } else { self.notes.add(note) };
        line.into_iter().for_each(to_stderr);
    }

    /// All of it is stored in a folder, which the user may not have named.
    pub(crate) fn name_place(&mut self, folder: Option<String>) {
        self.place = folder;
    }

    /// Several requests have come of one: a folder.
    pub(crate) fn are_many(&mut self) {
        self.is_single = false;
    }

    /// The files and folders that have an outcome.
    pub(crate) fn count(&self) -> Count {
        self.done + Count::of_files(self.skipped) + self.failed
    }

    pub(crate) fn succeed(&mut self, transferred: Transferred<'_>) {
        let Transferred { path, local, server, length, offset, took } = transferred;
        self.done += One::File;
        self.bytes += length - offset.min(length);
        self.server = Some(server);
        if !self.announces() {
            return;
        }
        if json::is_chosen() {
            let (request, name) = (messages::command(self.transfer), path.as_str());
            let (server, seconds) = (server.to_string(), json::seconds(took));
            return Record::Result { request, name, file: local, server, bytes: length, seconds }.print();
        }
        if !self.is_single {
            return;
        }
        let what = messages::transferred(self.transfer, &format!("\"{path}\""), server);
        self.print(&format!("{what}: {}", messages::amount(length - offset.min(length), took)));
    }

    /// Folders are there.
    pub(crate) fn make(&mut self, folders: u64, server: SocketAddr) {
        self.done += Count::of_folders(folders);
        self.server = Some(server);
    }

    /// A pattern names something.
    pub(crate) fn match_pattern(&mut self) {
        self.done += One::Pattern;
    }

    fn print(&self, line: &str) {
        // Nothing but the content goes there.
        if self.has_content_on_stdout { to_stderr(line) } else { to_stdout(line) }
    }

    /// A file that both sides have.
    pub(crate) fn skip(&mut self, path: FilePath<'_>) {
        self.skipped += 1;
        if self.announces() && json::is_chosen() {
            Record::Skipped { request: messages::command(self.transfer), name: path.as_str() }.print();
        } else if self.announces() && self.is_single {
            self.print(&format!("\"{path}\" is the same on both sides already"));
        }
    }

    /// A file, a folder or a pattern has failed.
    pub(crate) fn fail(&mut self, one: One, why: String) {
        self.failed += one;
        if self.is_single {
            self.failures.push(why);
        } else {
            self.show(why);
        }
    }

    /// The same, for a cause that others may share. Only the first of these has a line of its own.
    pub(super) fn fail_for(&mut self, cause: Option<SharedCause>, one: One, name: &str, why: String) {
        match cause {
            Some(cause) if !self.is_single && !self.causes.add(cause, one, name) => self.failed += one,
            Some(_) | None => self.fail(one, why),
        }
    }

    /// The lines of failures of many requests.
    #[cfg(test)]
    pub(super) fn shown(&self) -> &[String] {
        &self.shown
    }

    fn show(&mut self, why: String) {
        if self.shown.contains(&why) {
            return;
        }
        if self.shown.len() < SHOWN {
            to_stderr(&why);
            self.shown.push(why);
        } else if !std::mem::replace(&mut self.has_omitted, true) {
            to_stderr("more files fail: the number comes at the end");
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed != Count::default()
    }

    /// No request has come to these.
    pub(crate) fn leave_out(&mut self, left: Count, why: String) {
        self.failed += left;
        if left.total() > 0 && self.is_single {
            self.failures.push(why);
        } else if left.total() > 0 && !self.shown.contains(&why) {
            to_stderr(why);
        }
    }

    /// No answer has come to these. `is_explained`: a line says why the connection has ended.
    pub(crate) fn leave_out_unanswered(&mut self, left: Count, is_explained: bool) {
        if is_explained {
            self.failed += left;
            self.explained = left;
        } else {
            let (again, them) = (verb(self.transfer), it_or_them(left.total()));
            self.leave_out(left, format!("nothing came of {left}: {again} {them} again"));
        }
    }

    /// A list was not whole, so there is more than is counted.
    pub(crate) fn note_unlisted(&mut self) {
        self.has_unlisted = true;
    }

    /// No request has come to these before the server ends.
    pub(crate) fn leave_out_at_end(&mut self, left: Count, server: SocketAddr) {
        self.leave_out(left, self.left_at_end(left, server));
    }

    fn left_at_end(&self, left: Count, server: SocketAddr) -> String {
        let what = if self.is_single { self.title.clone() } else { left.to_string() };
        let (were, them) = (was_or_were(left.total()), it_or_them(left.total()));
        let sent = match self.transfer {
            Transfer::Upload => "sent",
            Transfer::Download => "fetched",
        };
        let send = verb(self.transfer);
        format!("{server} is ending before {what} {were} {sent}: {send} {them} again later")
    }

    /// Prints the sum. Returns the failure of the command, which of several requests is how many have failed.
    pub(crate) fn finish(&mut self, took: Duration) -> Result<(), String> {
        self.notes.rest().chain(self.causes.rest()).for_each(to_stderr);
        if self.has_content_on_stdout && output::has_no_reader() {
            // It has what it wants, and the exit code tells the rest.
            return Ok(());
        }
        if self.is_single {
            return self.failures.pop().map_or(Ok(()), Err);
        }
        let server = self.server.map_or(String::new(), |server| server.to_string());
        if self.announces() && json::is_chosen() {
            let request = messages::command(self.transfer);
            let (Count { files, folders, .. }, skipped, failed) = (self.done, self.skipped, self.failed.total());
            let (bytes, seconds) = (self.bytes, json::seconds(took));
            Record::Sum { request, files, folders, skipped, failed, bytes, seconds }.print();
        } else if self.announces() && (self.done.files > 0 || self.done.folders > 0 && self.done == self.count()) {
            let files = self.done.files_or_folders();
            let amount = match self.done.files {
                0 => String::new(),
                _ => format!(": {}", messages::amount(self.bytes, took)),
            };
            let what = messages::transferred(self.transfer, &files, server);
            let skipped = match self.skipped {
                0 => String::new(),
                skipped => format!("; {skipped} {} the same already", was_or_were(skipped)),
            };
            let place = self.place.as_ref().map_or(String::new(), |place| format!(", in {place}"));
            self.print(&format!("{what}{place}{amount}{skipped}"));
        } else if self.announces() && self.skipped > 0 {
            self.print(&format!("{}: the same on both sides already", messages::counted(self.skipped, "file")));
        }
        match self.failed.total() {
            0 => Ok(()),
            // Nothing has come of the command, and one line says why.
            _ if self.explained == self.count() => Ok(()),
            failed => {
                let unlisted = if self.has_unlisted { ", and what was not listed yet" } else { "" };
                Err(format!("{} {} not transferred{unlisted}", self.failed.of(self.count()), was_or_were(failed)))
            }
        }
    }
}

/// What the user does again.
fn verb(transfer: Transfer) -> &'static str {
    match transfer {
        Transfer::Upload => "send",
        Transfer::Download => "get",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(transfer: Transfer, title: &str, is_single: bool) -> Outcomes {
        Outcomes::new(transfer, title.into(), is_single, Speech::Nothing)
    }

    /// Regression: "is ending before 1 file: send the rest again later", also of the only file.
    #[test]
    fn what_a_server_that_ends_leaves_out_has_a_name_or_a_number() {
        let server = SocketAddr::from(([192, 0, 2, 1], 6_969));
        let left = Count { files: 2, folders: 1, patterns: 0 };
        let mut single = outcomes(Transfer::Upload, "\"a\"", true);
        single.leave_out_at_end(One::File.into(), server);
        let expected = "192.0.2.1:6969 is ending before \"a\" was sent: send it again later";
        assert_eq!(single.finish(Duration::ZERO), Err(expected.into()));
        let mut many = outcomes(Transfer::Download, "3 names", false);
        let expected = "192.0.2.1:6969 is ending before 2 files and 1 folder were fetched: get them again later";
        assert_eq!(many.left_at_end(left, server), expected);
        let expected = "192.0.2.1:6969 is ending before 1 file was fetched: get it again later";
        assert_eq!(many.left_at_end(One::File.into(), server), expected);
        many.leave_out_at_end(left, server);
        let expected = "2 of 2 files and 1 of 1 folder were not transferred";
        assert_eq!(many.finish(Duration::ZERO), Err(expected.into()));
    }

    /// Regression: a pattern counted as a file.
    #[test]
    fn each_kind_of_failure_has_its_own_number() {
        let mut many = outcomes(Transfer::Download, "4 names", false);
        many.match_pattern();
        [One::File, One::Folder, One::Pattern].into_iter().for_each(|one| many.fail(one, format!("{one:?}")));
        let expected = "1 of 1 file, 1 of 1 folder and 1 of 2 patterns were not transferred";
        assert_eq!(many.finish(Duration::ZERO), Err(expected.into()));
    }

    #[test]
    fn what_the_end_of_the_connection_leaves_open_counts() {
        let left = Count { files: 2, folders: 1, patterns: 0 };
        let mut many = outcomes(Transfer::Download, "2 names", false);
        many.leave_out_unanswered(left, true);
        assert_eq!(many.finish(Duration::ZERO), Ok(()), "the end of the connection says all");
        let mut many = outcomes(Transfer::Download, "2 names", false);
        many.match_pattern();
        many.leave_out_unanswered(left, true);
        let expected = "2 of 2 files and 1 of 1 folder were not transferred";
        assert_eq!((many.finish(Duration::ZERO), many.shown.len()), (Err(expected.into()), 0));
        // Regression: files behind the part of a list that had come were in neither number, without a word.
        let mut many = outcomes(Transfer::Download, "tree", false);
        many.match_pattern();
        many.note_unlisted();
        many.leave_out_unanswered(left, true);
        let expected = "2 of 2 files and 1 of 1 folder were not transferred, and what was not listed yet";
        assert_eq!(many.finish(Duration::ZERO), Err(expected.into()));
        let mut single = outcomes(Transfer::Download, "\"a\"", true);
        single.leave_out_unanswered(One::File.into(), true);
        assert_eq!((single.finish(Duration::ZERO), single.has_failed()), (Ok(()), true));
        single.leave_out_unanswered(One::File.into(), false);
        assert_eq!(single.finish(Duration::ZERO), Err("nothing came of 1 file: get it again".into()));
    }
}
