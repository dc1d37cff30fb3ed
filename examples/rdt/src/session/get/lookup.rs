//! What this side has of the next files.

use super::{AHEAD, Get, State};
use crate::disk::Work;
use crate::files::StatusBuf;
use crate::messages::error_text;
use crate::session::cause::SharedCause;
use crate::session::client::ClientExchange;
use crate::session::failure_text::{cannot_write, not_a_folder};
use crate::session::wanted::{Local, look_up};

impl Get {
    /// Looks up what this side has of the next files.
    pub(super) fn look_up(&mut self, exchange: &ClientExchange) -> bool {
        let mut started = false;
        while self.next.len() < AHEAD
            && let Some(wanted) = self.waiting.pop_front()
        {
            let looked_up = wanted.clone();
            let call = exchange.disk().call(Work::Read, move || look_up(&looked_up));
            self.next.push_back((wanted, State::LookingUp(call)));
            started = true;
        }
        started
    }

    /// Takes the results of the disk.
    pub(super) fn take_results(&mut self) -> bool {
        if !std::mem::replace(&mut self.is_due, false) {
            return false;
        }
        let mut changed = false;
        for (wanted, state) in std::mem::take(&mut self.next) {
            let state = match state {
                State::LookingUp(mut call) => match call.take() {
                    None => State::LookingUp(call),
                    // Without what is there, the file is fetched whole.
                    Some(result) => match result.and_then(|local| local).unwrap_or(Local::Blocks(StatusBuf::default()))
                    {
                        Local::Blocks(here) => State::Ready(here),
                        Local::Same => {
                            self.done += wanted.entry.as_ref().map_or(0, |entry| entry.length);
                            self.outcomes.skip(wanted.path.as_path());
                            changed = true;
                            continue;
                        }
                        Local::NoRoom(error) => {
                            let kind = error.kind().into();
                            let why = cannot_write(&wanted.destination, &error_text(&error), kind);
                            self.fail_for(SharedCause::of_storage(kind), &wanted, why);
                            changed = true;
                            continue;
                        }
                        Local::NoFolder(folder, blocker) => {
                            self.fail(&wanted, not_a_folder(&wanted.destination.text_of(&folder), blocker));
                            changed = true;
                            continue;
                        }
                    },
                },
                state @ State::Ready(_) => state,
            };
            changed |= matches!(state, State::Ready(_));
            self.next.push_back((wanted, state));
        }
        changed
    }
}
