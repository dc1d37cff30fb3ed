//! The entries of a folder, in the order of the bytes of their paths.
//!
//! `a.txt` comes between `a` and `a/b`, since `.` is before `/`. So a folder is in its list twice: where it is an
//! entry, and where its own entries belong. Only the folders above the next entry are read, and none twice in a page.

use super::{EntryBuf, Page, Tree, names};
use cap_std::fs::Dir;
use rdt_proto::files::{FileKind, FilePath, Flags};
use std::io::{self, ErrorKind};
use std::sync::Arc;

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
struct Item(String);

impl Listing {
    pub(super) fn new(
        tree: &Tree,
        folder: Option<FilePath<'_>>,
        after: Option<FilePath<'_>>,
        flags: Flags,
    ) -> io::Result<Self> {
        folder.map_or(Ok(()), names::check)?;
        let mut listing = Self { tree: tree.clone(), flags, levels: Vec::new(), left: PAGE, has_more: false };
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
        page.has_more = self.has_more;
        Ok(page)
    }

    /// Returns the next entry. After `None`, [`has_more`](Self::has_more) says whether another list has more.
    pub(crate) fn next(&mut self) -> io::Result<Option<EntryBuf>> {
        while let Some(level) = self.levels.last_mut() {
            let Some(Item(name)) = level.items.pop() else {
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
            let Some(mut entry) = self.entry(&path)? else { continue };
            if self.left == 0 {
                self.has_more = true;
                self.levels.clear();
                return Ok(None);
            }
            self.left -= 1;
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

    /// Describes what is under a path. `None` if it cannot be transferred, or is gone.
    fn entry(&mut self, path: &str) -> io::Result<Option<EntryBuf>> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        let dir = match &mut level.dir {
            Some(dir) => dir,
            closed @ None => match self.tree.folders().open(level.prefix.strip_suffix('/')) {
                Err(error) if is_passing(&error) => return Ok(None),
                dir => closed.insert(dir?),
            },
        };
        let name = path.get(level.prefix.len()..).unwrap_or_default();
        let metadata = match dir.symlink_metadata(name) {
            Err(error) if is_passing(&error) => return Ok(None),
            metadata => metadata?,
        };
        // Too long a path cannot be asked for.
        let Ok(checked) = FilePath::new(path) else { return Ok(None) };
        Ok(self.tree.describe(checked, &metadata).filter(|entry| entry.kind != FileKind::Nothing))
    }

    /// Reads a folder, as far as its entries are behind `after`.
    fn descend(&mut self, prefix: String, after: Option<&str>) -> io::Result<()> {
        let dir = self.tree.folders().open(prefix.strip_suffix('/'))?;
        let recursive = self.flags.contains(Flags::RECURSIVE);
        let mut items = Vec::new();
        let mut below = None;
        for entry in dir.entries()? {
            let entry = entry?;
            // A name that is no text has no path.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_own = names::check(FilePath::new(&name).map_err(io::Error::other)?).is_err();
            if is_own {
                continue;
            }
            if recursive && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let folder = format!("{name}/");
                match after.and_then(|after| after.strip_prefix(&*prefix)) {
                    Some(after) if after.starts_with(&folder) => below = Some(folder),
                    Some(after) if *folder <= *after => {}
                    Some(_) | None => items.push(Item(folder)),
                }
            }
            items.push(Item(name));
        }
        if let Some(after) = after.and_then(|after| after.strip_prefix(&*prefix)) {
            items.retain(|Item(name)| **name > *after);
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

/// Whether an error concerns one entry, and the rest can be listed.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}
