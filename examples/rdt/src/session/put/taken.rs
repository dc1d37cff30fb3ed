//! Why the name of a file is taken at the server: what has it there, or has the name of a folder above it.

use super::Item;
use crate::messages::refusal;
use crate::session::client::ClientExchange;
use crate::session::count::{Count, One};
use crate::session::source::Source;
use rdt_proto::files::{FileKind, FilePath, FilePathBox, Flags};
use rdt_proto::ftp::ErrorCode;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

/// The files that the server refused because something has their names.
#[derive(Default)]
pub(super) struct Taken {
    waiting: VecDeque<Asking>,
    /// The STATs.
    asked: HashMap<u32, Asking>,
    /// What the server has in the place of folders.
    blockers: HashSet<Box<str>>,
    /// Whether the command sends one file, so that its name or URL is about it.
    is_single: bool,
}

/// A refused file, and the path that is looked at: its own, or that of a folder above it.
struct Asking {
    item: Item,
    path: FilePathBox,
}

/// Why a file or a folder is not stored: a path that is taken, and by what.
pub(super) struct Why {
    pub(super) one: One,
    pub(super) path: FilePathBox,
    pub(super) text: Cow<'static, str>,
}

/// A folder has the name of a file.
const FOLDER: &str = "it has a folder of this name, which no file replaces; choose another name";
/// A file has the name of a folder.
const FILE: &str = "it has a file of this name, which no folder replaces; choose another name";

impl Taken {
    pub(super) fn new(is_single: bool) -> Self {
        Self { is_single, ..Self::default() }
    }

    /// Adds a file. Returns why its name is taken, if that is known already.
    pub(super) fn push(&mut self, item: Item) -> Option<Why> {
        let mut above = item.path.match_indices('/').filter_map(|(end, _)| item.path.get(..end));
        if let Some(blocker) = above.find(|above| self.blockers.contains(*above)) {
            let path = FilePath::new(blocker).ok()?.into();
            return Some(Why { one: item.one(), path, text: FILE.into() });
        }
        let path = item.path.clone();
        self.waiting.push_back(Asking { item, path });
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_empty()
    }

    /// How many there are.
    pub(super) fn count(&self) -> Count {
        self.waiting.iter().chain(self.asked.values()).map(|asking| asking.item.one()).sum()
    }

    /// Asks what has the name of a file.
    pub(super) fn ask(&mut self, exchange: &mut ClientExchange) -> bool {
        let Some(asking) = self.waiting.pop_front() else { return false };
        match exchange.session.stat(asking.path.as_path(), Flags::empty()) {
            Ok(number) => self.asked.insert(number, asking).is_none(),
            // The session is not ready.
            Err(_) => {
                self.waiting.push_front(asking);
                false
            }
        }
    }

    /// Whether this STAT asked about such a file.
    pub(super) fn has_asked(&self, number: u32) -> bool {
        self.asked.contains_key(&number)
    }

    /// Takes the answer to a STAT: what has the name, if that is known. Returns why it is taken. Otherwise the folder
    /// above is looked at.
    pub(super) fn answer(&mut self, number: u32, there: Option<FileKind>) -> Option<Why> {
        let Asking { item, path } = self.asked.remove(&number)?;
        let (one, is_own) = (item.one(), path == item.path);
        let text = match there {
            Some(FileKind::Nothing) => match path.rsplit_once('/').and_then(|(above, _)| FilePath::new(above).ok()) {
                Some(above) => {
                    self.waiting.push_back(Asking { item, path: above.into() });
                    return None;
                }
                None => refusal(ErrorCode::Exists),
            },
            Some(FileKind::Folder) if is_own && !item.is_folder() => {
                let is_named = self.is_single && matches!(item.source, Source::File(_));
                let inside =
                    if is_named { format!(", or \"{}/\" to store it in there", path.as_path()) } else { String::new() };
                let text = format!("{FOLDER}{inside}").into();
                return Some(Why { one, path, text });
            }
            // It was something else when the server refused the file.
            Some(FileKind::File) if is_own && !item.is_folder() => refusal(ErrorCode::Exists),
            Some(FileKind::File) => {
                self.blockers.insert(path.to_string().into());
                return Some(Why { one, path, text: FILE.into() });
            }
            Some(FileKind::Folder | FileKind::Link | FileKind::Unreadable | FileKind::Other(_)) | None => {
                refusal(ErrorCode::Exists)
            }
        };
        Some(Why { one, path: item.path, text: text.into() })
    }

    /// Those about which nothing is known.
    pub(super) fn take_unknown(&mut self) -> impl Iterator<Item = Why> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|Asking { item, .. }| {
            let text = refusal(ErrorCode::Exists).into();
            Why { one: item.one(), path: item.path, text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the looks at its path and at the folders above it say about a refused file.
    fn looked(there: &[FileKind]) -> String {
        let mut taken = Taken::new(false);
        let path = FilePath::new("a/b").unwrap().into();
        assert!(taken.push(Item { source: Source::File("b".into()), path, length: 1 }).is_none());
        for kind in there {
            let asking = taken.waiting.pop_front().unwrap();
            taken.asked.insert(7, asking);
            if let Some(why) = taken.answer(7, Some(*kind)) {
                return why.text.into();
            }
        }
        panic!("another look is due");
    }

    /// Regression: a folder that had become a file between the refusal and the look made the server one that "replaces
    /// none (--no-replace)".
    #[test]
    fn only_what_explains_the_refusal_is_named() {
        use FileKind::{File, Folder, Nothing};
        for (there, text) in [
            (&[Folder][..], FOLDER),
            (&[Nothing, File], FILE),
            (&[File], refusal(ErrorCode::Exists)),
            (&[Nothing, Nothing], refusal(ErrorCode::Exists)),
            (&[Nothing, Folder], refusal(ErrorCode::Exists)),
        ] {
            assert_eq!(looked(there), text, "{there:?}");
        }
    }
}
