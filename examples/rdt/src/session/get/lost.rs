//! What was here of a file is gone, or is another, by the time at which its content goes on.

use super::{Get, Open, Pending, State};
use crate::files::StatusBuf;
use crate::session::answer::NotReceived;
use crate::session::note::{Note, Side};
use crate::session::wanted::Wanted;
use rdt_proto::ftp::StorageError;

impl Get {
    /// Fetches a file from its start that went on with what was here, if that is why it did not arrive. Otherwise
    /// returns it. From its start, it depends on nothing here, so this has an end.
    pub(super) fn fetch_anew(&mut self, wanted: Wanted, failure: &NotReceived) -> Option<Wanted> {
        let note = match failure {
            NotReceived::Storage(StorageError::PrefixGone, _) => Note::gone(&wanted.path, Side::Here),
            NotReceived::Invalid => Note::changed(&wanted.path, Side::Here),
            NotReceived::Storage(..) | NotReceived::Uncertain(_) | NotReceived::Server(_) | NotReceived::Ended => {
                return Some(wanted);
            }
        };
        self.outcomes.explain(note);
        self.next.push_front((wanted, State::Ready(StatusBuf::default())));
        self.has_begun_again = true;
        None
    }

    /// Takes back what an ended connection has not answered, in its order.
    pub(super) fn take_back_unanswered(&mut self) {
        let (ready, looked_up): (Vec<_>, Vec<_>) =
            self.next.drain(..).partition(|(_, state)| matches!(state, State::Ready(_)));
        self.next.extend(ready);
        for (wanted, _) in looked_up.into_iter().rev() {
            self.waiting.push_front(wanted);
        }
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (_, open) in open.into_iter().rev() {
            match open {
                Open::Get { wanted, .. } => self.waiting.push_front(wanted),
                Open::Stat { wanted, code } => self.pending.push_front(Pending::Stat { wanted, code }),
                Open::List { folder, last, .. } => self.pending.push_front(Pending::List { folder, last }),
                Open::Match(listing) => self.pending.push_front(Pending::Match(listing)),
            }
        }
    }
}
