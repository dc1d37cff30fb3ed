//! What becomes of a file before it is sent.
//!
//! ```text
//! Opening ──→ Opened ── STAT ──→ Asked ──→ Placing ──→ Ready
//!               │                             └──→ the same, and to be skipped
//!               └── nothing to save ─────────────────→ Ready
//! Reopening ───────────────────────────────────────────→ Ready, from its start
//! ```

use super::{Item, Put};
use crate::disk::{Call, Work};
use crate::files::StatusBuf;
use crate::session::chunk::Chunk;
use crate::session::client::ClientExchange;
use crate::session::note::{Note, Side};
use crate::session::skip::Skip;
use crate::session::source::{Placed, Source, open, place};
use rdt_proto::files::{BLOCK_BYTES, Flags};
use rdt_proto::ftp::ErrorCode;
use std::io;

/// The number of files that are opened ahead.
const AHEAD: usize = 32;
/// The length from which the server is asked whether it has a part.
pub(super) const RESUMED_FROM: u64 = 4 * BLOCK_BYTES;

/// The answer to a STAT.
pub(super) enum Reply {
    Status(StatusBuf),
    /// A server that shows nothing has nothing to go on with.
    Refused,
}

pub(super) enum State {
    Opening(Call<Result<Chunk, String>>),
    /// It is sent from its start, whatever the server has.
    Reopening(Call<Result<Chunk, String>>),
    Opened(Chunk),
    Asked(u32, Chunk),
    Placing(Call<Result<Option<Placed>, String>>),
    Ready(Chunk),
}

/// What has become of a file that is not yet sent.
enum Moved {
    Waits(State),
    Moves(State),
    Skips,
    Fails(String),
}

impl Put {
    /// Opens the next files.
    pub(super) fn open_ahead(&mut self, exchange: &ClientExchange) -> bool {
        let mut opened = false;
        while self.next.len() < AHEAD
            && let Some(item) = self.waiting.pop_front()
        {
            let source = item.source.clone();
            let call = exchange.disk().call(Work::Read, move || open(&source));
            self.next.push_back((item, State::Opening(call)));
            opened = true;
        }
        opened
    }

    /// Sends a file once more that was refused with this code because of what the server had of it. If that is gone,
    /// the server is asked once what it has now.
    pub(super) fn send_anew(&mut self, exchange: &ClientExchange, item: Item, code: ErrorCode) {
        let is_gone = code == ErrorCode::PrefixGone;
        let note = if is_gone { Note::gone } else { Note::changed };
        self.outcomes.explain(note(&item.path, Side::Server));
        self.done -= item.length;
        let source = item.source.clone();
        let call = exchange.disk().call(Work::Read, move || open(&source));
        let asks = is_gone && self.gone.insert(item.path.clone());
        let state = if asks { State::Opening(call) } else { State::Reopening(call) };
        // It comes before its folder, whose time is set behind the files in it.
        self.next.push_front((item, state));
    }

    /// Takes the results of the disk and of the server, and asks what the server has of the files that are open.
    pub(super) fn move_on(&mut self, exchange: &mut ClientExchange) -> bool {
        let can_ask =
            exchange.session.is_ready() && self.next.iter().any(|(_, state)| matches!(state, State::Opened(_)));
        if !std::mem::replace(&mut self.is_due, false) && !can_ask {
            return false;
        }
        let mut changed = false;
        for (item, state) in std::mem::take(&mut self.next) {
            let step = self.step_item(exchange, &item, state);
            changed |= !matches!(step, Moved::Waits(_));
            match step {
                Moved::Waits(state) | Moved::Moves(state) => self.next.push_back((item, state)),
                Moved::Skips => {
                    self.done += item.length;
                    self.outcomes.skip(item.path.as_path());
                }
                Moved::Fails(why) => {
                    self.done += item.length;
                    self.outcomes.fail(item.one(), why);
                }
            }
        }
        changed
    }

    fn step_item(&mut self, exchange: &mut ClientExchange, item: &Item, state: State) -> Moved {
        match state {
            State::Opening(mut call) => match call.take().map(|result| opened(item, result)) {
                None => Moved::Waits(State::Opening(call)),
                Some(Ok(chunk)) => self.ask(exchange, item, chunk),
                Some(Err(why)) => Moved::Fails(why),
            },
            State::Reopening(mut call) => match call.take().map(|result| opened(item, result)) {
                None => Moved::Waits(State::Reopening(call)),
                Some(Ok(chunk)) => Moved::Moves(State::Ready(chunk)),
                Some(Err(why)) => Moved::Fails(why),
            },
            State::Opened(chunk) => self.ask(exchange, item, chunk),
            State::Asked(number, chunk) => match self.asked.remove(&number).flatten() {
                Some(Reply::Status(status)) => {
                    let (skip, source, name) = (self.options.skip, item.source.clone(), item.path.to_string());
                    let call = exchange.disk().call(Work::Read, move || place(chunk, &status, skip, (&source, &name)));
                    Moved::Moves(State::Placing(call))
                }
                Some(Reply::Refused) => Moved::Moves(State::Ready(chunk)),
                None => {
                    self.asked.insert(number, None);
                    Moved::Waits(State::Asked(number, chunk))
                }
            },
            State::Placing(mut call) => match call.take().map(|result| opened(item, result)) {
                None => Moved::Waits(State::Placing(call)),
                Some(Ok(None)) => Moved::Skips,
                Some(Ok(Some(Placed { chunk, note }))) => {
                    note.into_iter().for_each(|note| self.outcomes.explain(note));
                    Moved::Moves(State::Ready(chunk))
                }
                Some(Err(why)) => Moved::Fails(why),
            },
            State::Ready(chunk) => Moved::Waits(State::Ready(chunk)),
        }
    }

    /// Asks what the server has of a file, if that may save something.
    fn ask(&mut self, exchange: &mut ClientExchange, item: &Item, chunk: Chunk) -> Moved {
        let is_file = matches!(item.source, Source::File(_));
        if !is_file || self.options.skip == Skip::Nothing && item.length <= RESUMED_FROM {
            return Moved::Moves(State::Ready(chunk));
        }
        let digest = if self.options.skip == Skip::SameContent { Flags::DIGEST } else { Flags::empty() };
        match exchange.session.stat(item.path.as_path(), Flags::KEEP | digest) {
            Ok(number) => {
                self.asked.insert(number, None);
                Moved::Moves(State::Asked(number, chunk))
            }
            // The session is not ready.
            Err(_) => Moved::Waits(State::Opened(chunk)),
        }
    }
}

/// The result of the disk, which may have failed itself.
fn opened<T>(item: &Item, result: io::Result<Result<T, String>>) -> Result<T, String> {
    result.unwrap_or_else(|error| Err(item.source.unread(&error)))
}
