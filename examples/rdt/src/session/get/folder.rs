//! What a client does about names that may be those of folders.

use super::{Get, Open, Pending};
use crate::destination::{Here, Request};
use crate::files::{Blocker, EntryBuf, StatusBuf};
use crate::folder_copy::FolderCopy;
use crate::local_failure::cannot_write;
use crate::messages::refused;
use crate::session::cause::SharedCause;
use crate::session::client::ClientExchange;
use crate::session::count::One;
use crate::session::destinations::Destination;
use crate::session::failure_text::{not_a_file, not_a_folder};
use crate::session::folders::Folder;
use crate::session::skip::Skip;
use crate::session::wanted::Wanted;
use rdt_proto::files::{FileKind, FilePath, FilePathBox, Flags};
use rdt_proto::ftp::ErrorCode;
use std::net::SocketAddr;

impl Get {
    /// A refused GET may have named a folder.
    pub(super) fn handle_refusal(
        &mut self,
        exchange: &mut ClientExchange,
        number: u32,
        code: ErrorCode,
        server: SocketAddr,
    ) {
        exchange.place.remove(number);
        match self.open.remove(&number) {
            Some(Open::Get { wanted, .. }) => {
                let may_be_folder = wanted.entry.is_none()
                    && !matches!(
                        code,
                        ErrorCode::NotPermitted
                            | ErrorCode::NoDownloads
                            | ErrorCode::Unavailable
                            | ErrorCode::Cancelled
                            | ErrorCode::Busy
                    );
                if may_be_folder {
                    self.pending.push_back(Pending::Stat { wanted, code: Some(code) });
                } else {
                    self.fail_refused(server, &wanted, code);
                }
            }
            Some(Open::Stat { wanted, .. }) if is_unreadable(&wanted) => {
                self.fail_unreadable(server, &wanted, FileKind::Unreadable);
            }
            Some(Open::Stat { wanted, code: first }) => {
                self.fail_refused(server, &wanted, first.unwrap_or(code));
            }
            Some(Open::List { folder, .. }) => self.fail_list(&folder, refused(server, &folder.path, code)),
            Some(Open::Match(listing)) => self.handle_unlisted(&listing, code, server),
            None => {}
        }
        if code == ErrorCode::NoDownloads {
            // So are all others.
            let left = self.take_rest();
            self.outcomes.leave_out(left, refused(server, "", code));
        }
    }

    /// Handles what is under the path of a GET that was refused, or could not be made.
    pub(super) fn handle_status(
        &mut self,
        wanted: Wanted,
        code: Option<ErrorCode>,
        status: &StatusBuf,
        server: SocketAddr,
    ) {
        let is_folder = status.kind == FileKind::Folder;
        match code {
            _ if is_unreadable(&wanted) => self.fail_unreadable(server, &wanted, status.kind),
            _ if is_folder && wanted.here == Here::File => {
                // None of its files could be stored.
                self.fail_folder(&wanted, not_a_folder(&wanted.destination.text(), Blocker::File));
            }
            _ if is_folder && wanted.is_stored() => {
                self.outcomes.are_many();
                if self.names == 1 {
                    self.outcomes.name_place(Some(wanted.destination.text()));
                }
                // The record comes before the folder, which an interrupted command leaves.
                self.copies.extend(wanted.copy.clone().inspect(FolderCopy::begin));
                if let Destination::File { tree, path, beneath } = &wanted.destination {
                    let (tree, path, beneath) = (tree.clone(), path.clone(), beneath.clone());
                    self.folders.push(Folder { tree, path, beneath, metadata: status.metadata });
                }
                self.pending.push_back(Pending::List { folder: wanted, last: None });
            }
            Some(_) if is_folder => {
                let path = wanted.path.as_path();
                self.fail_folder(&wanted, format!("\"{path}\" at {server} is a folder: give --output FOLDER"));
            }
            Some(code) => self.fail_refused(server, &wanted, code),
            None if wanted.here == Here::Folder => {
                let request = if self.names == 1 { Request::One } else { Request::Several };
                self.fail(&wanted, cannot_write(&wanted.destination.text(), "it is a folder", request.advice()));
            }
            // Now it is known whether this side has the same.
            None => {
                let StatusBuf { kind, metadata, length, digest, .. } = *status;
                let entry = EntryBuf { kind, metadata, length, digest, path: wanted.path.clone() };
                self.total += length;
                self.waiting.push_front(Wanted { entry: Some(entry), ..wanted });
            }
        }
    }

    /// The list of its folder shows it, and it cannot be read. It counts as what it is, as far as the server tells.
    fn fail_unreadable(&mut self, server: SocketAddr, wanted: &Wanted, kind: FileKind) {
        self.outcomes.fail(one_of(kind), not_a_file(server, &wanted.path, FileKind::Unreadable));
    }

    fn fail_refused(&mut self, server: SocketAddr, wanted: &Wanted, code: ErrorCode) {
        self.fail_for(SharedCause::of_refusal(code), wanted, refused(server, &wanted.path, code));
    }

    /// Makes a request of a session that is ready.
    pub(super) fn make_pending(&mut self, exchange: &mut ClientExchange, pending: Pending) -> bool {
        let digest = if self.options.skip == Skip::SameContent { Flags::DIGEST } else { Flags::empty() };
        let (asked, open) = match pending {
            Pending::Stat { wanted, code } => {
                (exchange.session.stat(wanted.path.as_path(), digest), Open::Stat { wanted, code })
            }
            Pending::List { folder, last } => {
                let after = last.as_ref().map(FilePathBox::as_path);
                let asked = exchange.session.list(Some(folder.path.as_path()), after, Flags::RECURSIVE | digest);
                (asked, Open::List { folder, last, has_entry: false })
            }
            Pending::Match(listing) => return self.list_matching(exchange, listing),
        };
        // The session is ready.
        asked.is_ok_and(|number| self.open.insert(number, open).is_none())
    }

    /// Handles an entry of a list. They ascend, so that no list goes on for ever.
    pub(super) fn handle_entry(&mut self, number: u32, entry: EntryBuf, server: SocketAddr) {
        let Some(Open::List { folder, last, has_entry }) = self.open.get_mut(&number) else {
            return self.handle_candidate(number, entry, server);
        };
        let is_beneath = entry.path.strip_prefix(&*folder.path).is_some_and(|rest| rest.starts_with('/'));
        if !is_beneath || last.as_ref().is_some_and(|last| entry.path <= *last) {
            let folder = folder.clone();
            self.open.remove(&number);
            return self.end_list(server, Some(&folder));
        }
        (*last, *has_entry) = (Some(entry.path.clone()), true);
        let folder = folder.clone();
        self.want(&folder, entry, server);
    }

    /// Handles the end of a list, or of a page of it.
    pub(super) fn handle_listed(&mut self, number: u32, has_more: bool, server: SocketAddr) {
        let (folder, last, has_entry) = match self.open.remove(&number) {
            Some(Open::List { folder, last, has_entry }) => (folder, last, has_entry),
            Some(Open::Match(listing)) => return self.handle_matched(listing, has_more, server),
            Some(Open::Get { .. } | Open::Stat { .. }) | None => return,
        };
        match (has_more, has_entry) {
            (true, true) => self.pending.push_back(Pending::List { folder, last }),
            (true, false) => self.end_list(server, Some(&folder)),
            (false, _) => {}
        }
    }

    /// Handles a list that cannot be: of a folder, or for a pattern.
    pub(super) fn end_list(&mut self, server: SocketAddr, folder: Option<&Wanted>) {
        let one = folder.map_or(One::Pattern, |folder| self.give_up_folder(folder));
        self.has_invalid_list = true;
        self.outcomes.fail(one, format!("{server} sent an invalid list: do not trust it"));
    }

    /// A folder whose list did not come is none that is there.
    fn fail_list(&mut self, folder: &Wanted, why: String) {
        let one = self.give_up_folder(folder);
        self.outcomes.fail(one, why);
    }

    /// Wants an entry of a folder, in the same place beneath its destination.
    pub(super) fn want(&mut self, folder: &Wanted, entry: EntryBuf, server: SocketAddr) {
        let Destination::File { tree, path: local, beneath: outer } = &folder.destination else { return };
        let Some(beneath) = entry.path.strip_prefix(&*folder.path).and_then(|rest| rest.strip_prefix('/')) else {
            return;
        };
        let (Ok(path), Ok(local)) =
            (FilePath::new(&entry.path), FilePath::new(&format!("{}/{beneath}", &**local)).map(FilePathBox::from))
        else {
            let why = "has too long a path for this machine: get a folder further down alone";
            return self.outcomes.fail(one_of(entry.kind), format!("\"{}\" {why}", entry.path));
        };
        if entry.kind == FileKind::Unreadable {
            let destination = folder.destination.clone();
            let wanted = Wanted { path: path.into(), destination, entry: Some(entry), ..folder.clone() };
            return self.pending.push_back(Pending::Stat { wanted, code: None });
        }
        if !matches!(entry.kind, FileKind::File | FileKind::Folder) {
            return self.outcomes.fail(One::File, not_a_file(server, &entry.path, entry.kind));
        }
        if entry.kind == FileKind::Folder {
            let (tree, beneath) = (tree.clone(), outer.clone());
            return self.folders.push(Folder { tree, path: local, beneath, metadata: entry.metadata });
        }
        let destination = Destination::File { tree: tree.clone(), path: local, beneath: outer.clone() };
        self.total += entry.length;
        self.waiting.push_back(Wanted {
            path: path.into(),
            destination,
            entry: Some(entry),
            here: Here::Unknown,
            ..folder.clone()
        });
    }
}

fn is_unreadable(wanted: &Wanted) -> bool {
    wanted.entry.as_ref().is_some_and(|entry| entry.kind == FileKind::Unreadable)
}

/// What an entry counts as.
pub(super) fn one_of(kind: FileKind) -> One {
    match kind {
        FileKind::Folder => One::Folder,
        FileKind::File | FileKind::Link | FileKind::Unreadable | FileKind::Nothing | FileKind::Other(_) => One::File,
    }
}
