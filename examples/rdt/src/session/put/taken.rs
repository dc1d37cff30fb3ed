//! Why the name of a file is taken at the server: what has it there, or has the name of a folder above it.
//!
//! A refusal and the look behind it are two moments. If nothing that is there then explains the refusal, the file is sent
//! once more: what was in its place is gone, or the server replaces no files and refuses it again.

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
    /// The files that were sent once more.
    sent_again: HashSet<FilePathBox>,
    /// Whether the server has refused a file twice in whose place was a file.
    replaces_none: bool,
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

/// What follows from the look at a path.
pub(super) enum Conclusion {
    Taken(Why),
    /// Nothing there explains the refusal.
    SendAgain(Item),
}

/// A folder has the name of a file.
const FOLDER: &str = "it has a folder of this name, which no file replaces; choose another name";
/// The server replaces no files.
const KEPT: &str = "it has a file of this name, and replaces none (--no-replace); choose another name";
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

    /// Takes the answer to a STAT: what has the name, if that is known. Returns what follows. If nothing does yet, the
    /// folder above is looked at.
    pub(super) fn answer(&mut self, number: u32, there: Option<FileKind>) -> Option<Conclusion> {
        let Asking { item, path } = self.asked.remove(&number)?;
        let (one, is_own) = (item.one(), path == item.path);
        let text = match there {
            Some(FileKind::Nothing) => match path.rsplit_once('/').and_then(|(above, _)| FilePath::new(above).ok()) {
                Some(above) => {
                    self.waiting.push_back(Asking { item, path: above.into() });
                    return None;
                }
                None if self.may_send_again(&item) => return Some(Conclusion::SendAgain(item)),
                None => refusal(ErrorCode::Exists),
            },
            Some(FileKind::Folder) if is_own && !item.is_folder() => {
                let is_named = self.is_single && matches!(item.source, Source::File(_));
                let inside =
                    if is_named { format!(", or \"{}/\" to store it in there", path.as_path()) } else { String::new() };
                let text = format!("{FOLDER}{inside}").into();
                return Some(Conclusion::Taken(Why { one, path, text }));
            }
            Some(FileKind::File) if is_own && !item.is_folder() => {
                if !self.replaces_none && self.may_send_again(&item) {
                    return Some(Conclusion::SendAgain(item));
                }
                self.replaces_none |= self.sent_again.contains(&item.path);
                if self.replaces_none { KEPT } else { refusal(ErrorCode::Exists) }
            }
            Some(FileKind::File) => {
                self.blockers.insert(path.to_string().into());
                return Some(Conclusion::Taken(Why { one, path, text: FILE.into() }));
            }
            // A folder replaces a folder, and what lies in one is stored.
            Some(FileKind::Folder) if self.may_send_again(&item) => return Some(Conclusion::SendAgain(item)),
            Some(FileKind::Folder | FileKind::Link | FileKind::Other(_)) | None => refusal(ErrorCode::Exists),
        };
        Some(Conclusion::Taken(Why { one, path: item.path, text: text.into() }))
    }

    /// Whether to send a file once more. What a pipe has given is gone.
    fn may_send_again(&mut self, item: &Item) -> bool {
        !matches!(item.source, Source::StandardInput) && self.sent_again.insert(item.path.clone())
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

    fn item(source: Source) -> Item {
        Item { source, path: FilePath::new("a/b").unwrap().into(), length: 1 }
    }

    /// What the looks at its path and at the folders above it say about a refused file: the reason, or nothing.
    fn looked(taken: &mut Taken, source: Source, there: &[FileKind]) -> Option<String> {
        assert!(taken.push(item(source)).is_none());
        for kind in there {
            let asking = taken.waiting.pop_front().unwrap();
            taken.asked.insert(7, asking);
            match taken.answer(7, Some(*kind)) {
                Some(Conclusion::Taken(why)) => return Some(why.text.into()),
                Some(Conclusion::SendAgain(_)) => return None,
                None => {}
            }
        }
        panic!("another look is due");
    }

    /// Regression: a folder that had become a file between the refusal and the look made the server one that "replaces
    /// none (--no-replace)", and one that was gone was "something of this name".
    #[test]
    fn what_does_not_explain_the_refusal_any_more_sends_the_file_again() {
        use FileKind::{File, Folder, Nothing};
        let file = || Source::File("b".into());
        for there in [&[File][..], &[Nothing, Nothing], &[Nothing, Folder]] {
            let mut taken = Taken::new(false);
            assert_eq!(looked(&mut taken, file(), there), None, "{there:?}");
            // Refused twice, it is the server that does not replace what is there.
            let text = if *there == [File] { KEPT } else { refusal(ErrorCode::Exists) };
            assert_eq!(looked(&mut taken, file(), there).as_deref(), Some(text), "{there:?}");
        }
        let mut taken = Taken::new(false);
        assert_eq!(looked(&mut taken, file(), &[Folder]).as_deref(), Some(FOLDER));
        assert_eq!(looked(&mut taken, file(), &[Nothing, File]).as_deref(), Some(FILE));
    }

    /// The content of a pipe cannot be sent again, so the option is only said once it is known.
    #[test]
    fn what_a_pipe_has_given_is_not_sent_again() {
        let mut taken = Taken::new(false);
        let of_pipe = |taken: &mut Taken| looked(taken, Source::StandardInput, &[FileKind::File]).unwrap();
        assert_eq!(of_pipe(&mut taken), refusal(ErrorCode::Exists));
        taken.replaces_none = true;
        assert_eq!(of_pipe(&mut taken), KEPT);
    }
}
