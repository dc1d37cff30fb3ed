//! What a client has no answer about when its server or its connection ends.

use super::{Get, Open, Pending};
use crate::folder_copy::FolderCopy;
use crate::session::count::{Count, One};
use crate::session::destinations::Destination;
use crate::session::wanted::Wanted;
use rdt_proto::Duration;

impl Get {
    /// Prints the sum. Returns the failure of the command. `is_explained`: a line says why requests are not answered.
    pub(crate) fn finish(mut self, took: Duration, is_explained: bool) -> Result<(), String> {
        // A connection that this side has ended leaves some as well.
        let open: Vec<_> = self.open.drain().map(|(_, open)| open).collect();
        let is_list = |pending: &Pending| matches!(pending, Pending::List { .. } | Pending::Match(_));
        if self.pending.iter().any(is_list)
            || open.iter().any(|open| matches!(open, Open::List { .. } | Open::Match(_)))
        {
            self.outcomes.note_unlisted();
        }
        let mut left = self.take_rest();
        left += open.into_iter().map(|open| self.give_up_open(&open)).sum::<Count>();
        left += Count::of_folders(self.folders.take_unmade());
        self.outcomes.leave_out_unanswered(left, is_explained);
        if !self.outcomes.has_failed() {
            self.copies.iter().for_each(FolderCopy::complete);
        }
        self.outcomes.finish(took)
    }

    /// Asks for no more. Returns how many were left.
    pub(super) fn take_rest(&mut self) -> Count {
        let files = self.waiting.drain(..).count() + self.next.drain(..).count();
        let pending = std::mem::take(&mut self.pending);
        Count::of_files(files as u64) + pending.iter().map(|pending| self.give_up_pending(pending)).sum()
    }

    /// What no request was made about.
    fn give_up_pending(&mut self, pending: &Pending) -> One {
        match pending {
            // It counts as a file as long as it is not known to be none.
            Pending::Stat { .. } => One::File,
            Pending::List { folder, .. } => self.give_up_folder(folder),
            Pending::Match(_) => One::Pattern,
        }
    }

    /// What a request has no answer about.
    fn give_up_open(&mut self, open: &Open) -> One {
        match open {
            Open::Get { .. } | Open::Stat { .. } => One::File,
            Open::List { folder, .. } => self.give_up_folder(folder),
            Open::Match(_) => One::Pattern,
        }
    }

    /// What is in a folder is not known, or not all of it: it does not count as made.
    pub(super) fn give_up_folder(&mut self, folder: &Wanted) -> One {
        if let Destination::File { path, .. } = &folder.destination {
            self.folders.forget(path);
        }
        One::Folder
    }
}
