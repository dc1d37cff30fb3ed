//! The entries of a folder, in the order of the bytes of their paths.
//!
//! `a.txt` comes between `a` and `a/b`, since `.` is before `/`. So a folder is in its list twice: where it is an
//! entry, and where its own entries belong. Only the folders above the next entry are read, and none twice in a page.

use super::{EntryBuf, Page, Tree, names};
use cap_std::fs::Dir;
use rdt_proto::files::{FileKind, FilePath, Flags, Metadata};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 255;
/// The most entries of one list.
const PAGE: usize = 1_000;

/// A page of entries.
pub(crate) struct Listing {
    tree: Tree,
    flags: Flags,
    /// The folders from the outermost to the one that is listed, each with the rest of its entries.
    levels: Vec<Level>,
    left: usize,
    has_more: bool,
    /// The number of entries that no request can name or read.
    unreadable: u64,
}

struct Level {
    /// The path of the folder with a slash behind it; empty for the outermost one.
    prefix: String,
    /// The folder; closed while one below is listed, so that a deep tree takes no more than one open file.
    dir: Option<Arc<Dir>>,
    /// In reverse order.
    items: Vec<Item>,
}

/// An entry, or the entries below it if there is a slash behind its name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    name: String,
    /// The name is no text, and `name` shows it as no other entry is called. No request can name such an entry.
    is_unnamed: bool,
}

impl Item {
    fn named(name: String) -> Self {
        Self { name, is_unnamed: false }
    }
}

impl Listing {
    pub(super) fn new(
        tree: &Tree,
        folder: Option<FilePath<'_>>,
        after: Option<FilePath<'_>>,
        flags: Flags,
    ) -> io::Result<Self> {
        folder.map_or(Ok(()), names::check)?;
        let mut listing =
            Self { tree: tree.clone(), flags, levels: Vec::new(), left: PAGE, has_more: false, unreadable: 0 };
        let prefix = folder.map_or_else(String::new, |folder| format!("{}/", folder.as_str()));
        if let Some(folder) = folder
            && tree.folders().dir().symlink_metadata(folder.as_str())?.is_symlink()
        {
            // The path of an entry would lead through the link.
            return Err(ErrorKind::NotADirectory.into());
        }
        let after = after.map(|after| after.as_str());
        if after.is_none_or(|after| after.starts_with(&prefix) || *after < *prefix) {
            listing.descend(prefix, after)?;
        }
        Ok(listing)
    }

    /// The rest of the page.
    pub(crate) fn page(mut self) -> io::Result<Page> {
        let mut page = Page::default();
        while let Some(entry) = self.next()? {
            page.entries.push(entry);
        }
        if page.entries.is_empty() {
            // That is what a removed folder looks like.
            self.tree.check_usable()?;
        }
        page.has_more = self.has_more;
        page.unreadable = self.unreadable;
        Ok(page)
    }

    /// Returns the next entry. After `None`, [`has_more`](Self::has_more) says whether another list has more.
    pub(crate) fn next(&mut self) -> io::Result<Option<EntryBuf>> {
        while let Some(level) = self.levels.last_mut() {
            let Some(Item { name, is_unnamed }) = level.items.pop() else {
                self.levels.pop();
                continue;
            };
            let path = format!("{}{name}", level.prefix);
            if name.ends_with('/') {
                level.dir = None;
                match self.descend(path, None) {
                    // It was removed or replaced meanwhile, or is not readable: the others are listed.
                    Err(error) if is_passing(&error) => {}
                    descended => descended?,
                }
                continue;
            }
            let entry = if is_unnamed { unreadable(&path) } else { self.entry(&path)? };
            if matches!(entry, Found::Nothing) {
                continue;
            }
            if self.left == 0 {
                self.has_more = true;
                self.levels.clear();
                return Ok(None);
            }
            let Found::Entry(mut entry) = entry else {
                self.unreadable += 1;
                continue;
            };
            self.left -= 1;
            self.unreadable += u64::from(entry.kind == FileKind::Unreadable);
            if self.flags.contains(Flags::DIGEST) && entry.kind == FileKind::File {
                entry.digest = self.tree.digest(entry.path.as_path()).ok();
            }
            return Ok(Some(entry));
        }
        Ok(None)
    }

    /// Whether there are more entries than fit into this list.
    #[cfg(test)]
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Describes what is under a path.
    fn entry(&mut self, path: &str) -> io::Result<Found> {
        let Some(level) = self.levels.last_mut() else { return Ok(Found::Nothing) };
        let dir = match &mut level.dir {
            Some(dir) => dir,
            closed @ None => match self.tree.folders().open(level.prefix.strip_suffix('/')) {
                Err(error) if is_passing(&error) => return Ok(Found::Nothing),
                dir => closed.insert(dir?),
            },
        };
        let name = path.get(level.prefix.len()..).unwrap_or_default();
        let metadata = match dir.symlink_metadata(name) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(unreadable(path)),
            Err(error) if is_passing(&error) => return Ok(Found::Nothing),
            metadata => metadata?,
        };
        // What is below a folder that cannot be read would be missing without a word.
        let is_closed = metadata.is_dir() && self.flags.contains(Flags::RECURSIVE) && !is_open(dir, name);
        Ok(match FilePath::new(path) {
            Ok(checked) if !is_closed => self.tree.describe(checked, &metadata).map_or(Found::Nothing, Found::Entry),
            Ok(_) | Err(_) => unreadable(path),
        })
    }

    /// Reads a folder, as far as its entries are behind `after`.
    fn descend(&mut self, prefix: String, after: Option<&str>) -> io::Result<()> {
        let dir = self.tree.folders().open(prefix.strip_suffix('/'))?;
        let recursive = self.flags.contains(Flags::RECURSIVE);
        let mut items = Vec::new();
        let mut below = None;
        for entry in dir.entries()? {
            let entry = entry?;
            let name = match entry.file_name().into_string() {
                Ok(name) => name,
                Err(name) => {
                    items.push(Item { name: shown(&name), is_unnamed: true });
                    continue;
                }
            };
            let is_own = names::check(FilePath::new(&name).map_err(io::Error::other)?).is_err();
            if is_own {
                continue;
            }
            if recursive && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let folder = format!("{name}/");
                match after.and_then(|after| after.strip_prefix(&*prefix)) {
                    Some(after) if after.starts_with(&folder) => below = Some(folder),
                    Some(after) if *folder <= *after => {}
                    Some(_) | None => items.push(Item::named(folder)),
                }
            }
            items.push(Item::named(name));
        }
        number_alike(&mut items);
        if let Some(after) = after.and_then(|after| after.strip_prefix(&*prefix)) {
            items.retain(|item| *item.name > *after);
        }
        items.sort_unstable_by(|one, other| other.cmp(one));
        let path = below.map(|below| format!("{prefix}{below}"));
        self.levels.push(Level { prefix, dir: Some(dir), items });
        match path {
            Some(path) => match self.descend(path, after) {
                Err(error) if is_passing(&error) => Ok(()),
                descended => descended,
            },
            None => Ok(()),
        }
    }
}

/// Gives shown names that other entries have a number. The same folder gets the same names for each page.
fn number_alike(items: &mut [Item]) {
    if !items.iter().any(|item| item.is_unnamed) {
        return;
    }
    let mut taken: HashSet<_> = items.iter().filter(|item| !item.is_unnamed).map(|item| item.name.clone()).collect();
    let mut last_numbers: HashMap<String, u64> = HashMap::new();
    let mut unnamed: Vec<_> = items.iter_mut().filter(|item| item.is_unnamed).collect();
    unnamed.sort_unstable();
    for item in unnamed {
        let mut name = item.name.clone();
        while !taken.insert(name.clone()) {
            let number = last_numbers.entry(item.name.clone()).or_insert(1);
            *number += 1;
            let suffix = format!(" ({number})");
            name = format!("{}{suffix}", cut(item.name.clone(), LONGEST_NAME - suffix.len()));
        }
        item.name = name;
    }
}

/// What is under a path.
enum Found {
    Entry(EntryBuf),
    /// It is there, but no entry can have its path.
    TooLong,
    /// It cannot be transferred, or is gone.
    Nothing,
}

/// An entry that no request can read.
fn unreadable(path: &str) -> Found {
    let (kind, metadata) = (FileKind::Unreadable, Metadata::default());
    FilePath::new(path).map_or(Found::TooLong, |path| {
        Found::Entry(EntryBuf { kind, metadata, length: 0, digest: None, path: path.into() })
    })
}

/// Whether the permissions of a folder let this process read what is in it.
#[cfg(unix)]
fn is_open(dir: &Dir, name: &str) -> bool {
    use rustix::fs::{Access, AtFlags, accessat};
    accessat(dir, name, Access::READ_OK | Access::EXEC_OK, AtFlags::empty()) != Err(rustix::io::Errno::ACCESS)
}

#[cfg(not(unix))]
fn is_open(dir: &Dir, name: &str) -> bool {
    !dir.read_dir(name).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Shows a name that is no text: what is no UTF-8 as `\xFF`.
fn shown(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    cut(text, LONGEST_NAME)
}

fn cut(mut text: String, most: usize) -> String {
    while text.len() > most {
        text.pop();
    }
    text
}

/// Whether an error concerns one entry, and the rest can be listed.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}
