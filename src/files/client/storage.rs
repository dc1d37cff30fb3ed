//! The answers of storage.

use super::{Client, Failure, Peer, Sending};
use crate::files::incoming::{Stop, Update};
use crate::files::request::Answer;
use crate::ftp::Unasked;

impl Client {
    pub(super) fn answer_receiving(&mut self, answer: &Answer<'_>) -> Result<(), Unasked> {
        let receiving = self.receiving.as_mut().ok_or(Unasked)?;
        let needed_file = receiving.incoming.needs_path();
        let update = receiving.incoming.answer(answer)?;
        if needed_file {
            self.reader.message.clear();
        }
        match update {
            Update::Progress | Update::Prepared(_) => {}
            Update::Queued => self.queued = self.queued.saturating_add(1),
            Update::Failed(error) => {
                receiving.incoming.stop(Stop::Discard);
                receiving.failure.get_or_insert(Failure::Storage(error));
            }
        }
        self.asked = None;
        self.finish_receiving();
        Ok(())
    }

    pub(super) fn answer_sending(&mut self, answer: &Answer<'_>) -> Result<(), Unasked> {
        match (&mut self.sending, answer) {
            (&mut Sending::Compare { length, prefix }, Answer::Compared(_) | Answer::Failed(_)) => {
                let offset = if *answer == Answer::Compared(true) { prefix.length } else { 0 };
                self.start_content(offset, prefix, length);
            }
            (Sending::Content(outgoing), _) => {
                // A PUT that was refused meanwhile has no more use for the comparison.
                let _ = outgoing.answer(answer);
            }
            (Sending::Idle | Sending::Resume { .. } | Sending::Compare { .. }, _) => return Err(Unasked),
        }
        self.asked = None;
        if self.peer == Peer::Lost {
            self.sending = Sending::Idle;
        }
        Ok(())
    }
}
