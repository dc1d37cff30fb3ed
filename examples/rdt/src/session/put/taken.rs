//! Why the name of a file is taken at the server: what has it there.

use super::Item;
use crate::messages::refusal;
use crate::session::client::ClientExchange;
use rdt_proto::files::{FileKind, Flags};
use rdt_proto::ftp::ErrorCode;
use std::collections::{HashMap, VecDeque};

/// The files that the server refused because something has their names.
#[derive(Default)]
pub(super) struct Taken {
    waiting: VecDeque<Item>,
    /// The STATs.
    asked: HashMap<u32, Item>,
}

impl Taken {
    pub(super) fn push(&mut self, item: Item) {
        self.waiting.push_back(item);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_empty()
    }

    /// Asks what has the name of a file.
    pub(super) fn ask(&mut self, exchange: &mut ClientExchange) -> bool {
        let Some(item) = self.waiting.pop_front() else { return false };
        match exchange.session.stat(item.path.as_path(), Flags::empty()) {
            Ok(number) => self.asked.insert(number, item).is_none(),
            // The session is not ready.
            Err(_) => {
                self.waiting.push_front(item);
                false
            }
        }
    }

    /// The file about which this STAT asked, and why it was refused. `there` is what has its name, if that is known.
    pub(super) fn answer(&mut self, number: u32, there: Option<FileKind>) -> Option<(Item, &'static str)> {
        let item = self.asked.remove(&number)?;
        let why = why(item.is_folder(), there);
        Some((item, why))
    }

    /// Those about which nothing is known.
    pub(super) fn take_unknown(&mut self) -> impl Iterator<Item = (Item, &'static str)> {
        std::mem::take(&mut self.waiting).into_iter().map(|item| (item, refusal(ErrorCode::Exists)))
    }
}

fn why(is_folder: bool, there: Option<FileKind>) -> &'static str {
    match (is_folder, there) {
        (false, Some(FileKind::Folder)) => "it has a folder of this name, which no file replaces; choose another name",
        (true, Some(FileKind::File)) => "it has a file of this name, which no folder replaces; choose another name",
        (false, Some(FileKind::File)) => {
            "it has a file of this name, and replaces none (--no-replace); choose another name"
        }
        (_, _) => refusal(ErrorCode::Exists),
    }
}
