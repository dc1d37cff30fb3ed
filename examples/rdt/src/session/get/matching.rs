//! What a client does about patterns: it lists a folder, and wants what matches.

use super::folder::one_of;
use super::{Get, Open, Pending};
use crate::destination::Here;
use crate::files::{EntryBuf, Tree};
use crate::messages::{barred, refusal, refused};
use crate::path_pattern::PathPattern;
use crate::session::client::ClientExchange;
use crate::session::count::One;
use crate::session::destinations::Destination;
use crate::session::failure_text::{not_a_file, nothing_matches};
use crate::session::folders::Folder;
use crate::session::skip::Skip;
use crate::session::wanted::Wanted;
use rdt_proto::files::{FileKind, FilePath, FilePathBox, Flags};
use rdt_proto::ftp::ErrorCode;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Files and folders to fetch, by a pattern. Each is stored under its path behind the folder in which the list begins.
#[derive(Clone)]
pub(crate) struct Matching {
    pub(crate) pattern: PathPattern,
    /// The folder to store them in, and what the user calls it.
    pub(crate) tree: Tree,
    pub(crate) beneath: PathBuf,
}

/// The list of the folder in which a pattern begins, as far as it has come.
pub(super) struct Listing {
    matching: Matching,
    last: Option<FilePathBox>,
    /// Whether the page has an entry.
    has_entry: bool,
    has_match: bool,
    /// The last folder that matches. What is in it comes with it.
    folder: Option<FilePathBox>,
}

impl Listing {
    pub(super) fn new(matching: Matching) -> Self {
        Self { matching, last: None, has_entry: false, has_match: false, folder: None }
    }

    fn is_covered(&self, path: &str) -> bool {
        let behind = self.folder.as_ref().and_then(|folder| path.strip_prefix(&**folder));
        behind.is_some_and(|rest| rest.starts_with('/'))
    }
}

impl Get {
    /// Asks for the next page of a list.
    pub(super) fn list_matching(&mut self, exchange: &mut ClientExchange, mut listing: Listing) -> bool {
        listing.has_entry = false;
        let pattern = &listing.matching.pattern;
        let flags = if pattern.is_recursive() { Flags::RECURSIVE } else { Flags::empty() };
        let [folder, after] = [pattern.folder(), listing.last.as_ref()].map(|path| path.map(FilePathBox::as_path));
        // The session is ready.
        let asked = exchange.session.list(folder, after, flags);
        asked.is_ok_and(|number| self.open.insert(number, Open::Match(listing)).is_none())
    }

    /// Handles an entry of a list. They ascend, so that no list goes on for ever.
    pub(super) fn handle_candidate(&mut self, number: u32, entry: EntryBuf, server: SocketAddr) {
        let Some(Open::Match(listing)) = self.open.get_mut(&number) else { return };
        let outer = listing.matching.pattern.folder();
        let is_beneath = outer.is_none_or(|outer| strip_folder(&entry.path, outer).is_some());
        if !is_beneath || listing.last.as_ref().is_some_and(|last| entry.path <= *last) {
            self.open.remove(&number);
            return self.end_list(server, None);
        }
        (listing.last, listing.has_entry) = (Some(entry.path.clone()), true);
        if listing.is_covered(&entry.path) || !listing.matching.pattern.matches(&entry.path) {
            return;
        }
        listing.has_match = true;
        if entry.kind == FileKind::Folder {
            listing.folder = Some(entry.path.clone());
        }
        let matching = listing.matching.clone();
        self.want_match(&matching, entry, server);
    }

    fn want_match(&mut self, matching: &Matching, entry: EntryBuf, server: SocketAddr) {
        self.outcomes.are_many();
        let path = entry.path.clone();
        let local = matching.pattern.folder().map_or(Some(&*path), |outer| strip_folder(&path, outer));
        let Some(local) = local.and_then(|local| FilePath::new(local).ok()).map(FilePathBox::from) else { return };
        if !self.local.insert(local.clone()) {
            let why = "becomes the same file on this machine as another one: fetch it alone";
            return self.outcomes.fail(one_of(entry.kind), format!("\"{path}\" {why}"));
        }
        let (tree, beneath) = (matching.tree.clone(), matching.beneath.clone());
        let destination = Destination::File { tree: tree.clone(), path: local.clone(), beneath: beneath.clone() };
        match entry.kind {
            FileKind::Folder => {
                let folder =
                    Wanted { path, destination, entry: None, here: Here::Unknown, skip: self.options.skip, copy: None };
                self.folders.push(Folder { tree, path: local, beneath, metadata: entry.metadata });
                self.pending.push_back(Pending::List { folder, last: None });
            }
            FileKind::File => {
                // The list has no digest, which the server would compute for what does not match as well.
                let entry = Some(entry).filter(|_| self.options.skip != Skip::SameContent);
                self.total += entry.as_ref().map_or(0, |entry| entry.length);
                self.waiting.push_back(Wanted {
                    path,
                    destination,
                    entry,
                    here: Here::Unknown,
                    skip: self.options.skip,
                    copy: None,
                });
            }
            FileKind::Unreadable => {
                let (entry, here, skip) = (Some(entry), Here::Unknown, self.options.skip);
                let wanted = Wanted { path, destination, entry, here, skip, copy: None };
                self.pending.push_back(Pending::Stat { wanted, code: None });
            }
            FileKind::Link | FileKind::Nothing | FileKind::Other(_) => {
                self.outcomes.fail(One::File, not_a_file(server, &path, entry.kind));
            }
        }
    }

    /// Handles the end of a page.
    pub(super) fn handle_matched(&mut self, listing: Listing, has_more: bool, server: SocketAddr) {
        match (has_more, listing.has_entry) {
            (true, true) => self.pending.push_back(Pending::Match(listing)),
            (true, false) => self.end_list(server, None),
            (false, _) if listing.has_match => self.outcomes.match_pattern(),
            (false, _) => {
                self.outcomes.fail(One::Pattern, nothing_matches(server, &listing.matching.pattern));
            }
        }
    }

    /// The folder cannot be listed.
    pub(super) fn handle_unlisted(&mut self, listing: &Listing, code: ErrorCode, server: SocketAddr) {
        let why = match listing.matching.pattern.folder() {
            Some(folder) => refused(server, folder, code),
            None => barred(server, code)
                .unwrap_or_else(|| format!("{server} refused to list its folder: {}", refusal(code))),
        };
        self.outcomes.fail(One::Pattern, why);
    }
}

/// The rest of a path behind a folder.
fn strip_folder<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}
