//! The folders of a tree: where a path leads, and which new folders are not durable yet.

use super::super::folder::Folder;
use super::super::temporary::remove_leftovers;
use super::names;
use cap_std::fs::Dir;
use rdt_proto::files::{FilePath, FilePathBox};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Component, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a folder is used again that was opened for another file. Meanwhile another program may rename it, as it may
/// between the start of a file and its end.
const REUSED_FOR: Duration = Duration::from_millis(10);

/// Where a path leads: a name in a folder that is open.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) parent: Arc<Dir>,
    path: Box<str>,
}

impl Place {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn name(&self) -> &OsStr {
        OsStr::new(split(&self.path).1)
    }

    /// The number of folders above it, without the outermost one.
    pub(super) fn depth(&self) -> usize {
        self.path.matches('/').count()
    }
}

/// What is in the place of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocker {
    File,
    /// A link that is not followed, since it leads there.
    Link(LinkTarget),
}

/// Where a link leads that is a folder of a path, and not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkTarget {
    Outside,
    Nothing,
    /// A folder of this program.
    Hidden,
}

/// Which links are followed that are folders of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowedLinks {
    /// Those that stay in the tree.
    InTree,
    /// Those that stay in the first folder of the path: what is fetched goes nowhere else.
    InFirstFolder,
}

/// The folders of a tree.
pub(super) struct Folders {
    outermost: Folder,
    followed: FollowedLinks,
    /// The paths of folders that were made, and whose entries may not survive a power failure yet.
    fresh: Mutex<BTreeSet<Box<str>>>,
    /// The folders where what killed programs have left was removed.
    clean: Mutex<BTreeSet<Box<str>>>,
    /// The folder that was opened last. Files that arrive together are often in one folder.
    last: Mutex<Option<Opened>>,
}

struct Opened {
    path: Box<str>,
    folder: Weak<Dir>,
    at: Instant,
}

impl Opened {
    fn reuse(&self, path: &str) -> Option<Arc<Dir>> {
        if *self.path == *path && self.at.elapsed() < REUSED_FOR { self.folder.upgrade() } else { None }
    }
}

impl Folders {
    pub(super) fn new(outermost: Folder, followed: FollowedLinks) -> Self {
        let (fresh, clean, last) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { outermost, followed, fresh, clean, last }
    }

    pub(super) fn outermost(&self) -> &Folder {
        &self.outermost
    }

    pub(super) fn dir(&self) -> &Arc<Dir> {
        self.outermost.dir()
    }

    /// The place of `path`. Its folder must be there.
    pub(super) fn find(&self, path: FilePath<'_>) -> io::Result<Place> {
        names::check(path)?;
        let folder = split(path.as_str()).0;
        self.check_links(folder)?;
        let parent = match folder {
            None => self.dir().clone(),
            Some(folder) => self.open_or_reuse(folder)?,
        };
        Ok(Place { parent, path: path.as_str().into() })
    }

    /// Checks that no folder of a path is a link that is not followed.
    fn check_links(&self, folder: Option<&str>) -> io::Result<()> {
        // Those that leave the tree cannot be opened.
        let Some(folder) = folder.filter(|_| self.followed != FollowedLinks::InTree) else { return Ok(()) };
        for (end, _) in folder.match_indices('/').chain([(folder.len(), "")]) {
            let part = folder.get(..end).unwrap_or_default();
            match self.dir().symlink_metadata(part) {
                Ok(there) if there.is_symlink() && self.follow(part).is_err() => return Err(not_followed(part)),
                Ok(_) => {}
                // Neither are those in it.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Checks that the link under `path` may be a folder of a longer one.
    fn follow(&self, path: &str) -> Result<(), LinkTarget> {
        match self.followed {
            FollowedLinks::InTree => return Ok(()),
            FollowedLinks::InFirstFolder => {}
        }
        let first = path.split('/').next().unwrap_or_default();
        let real: PathBuf = match self.dir().canonicalize(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(LinkTarget::Nothing),
            real => real.map_err(|_| LinkTarget::Outside)?,
        };
        let mut names = real.components().map(Component::as_os_str);
        if names.next() != Some(first.as_ref()) {
            return Err(LinkTarget::Outside);
        }
        if names.any(|name| name.to_str().is_some_and(names::is_hidden)) {
            return Err(LinkTarget::Hidden);
        }
        Ok(())
    }

    /// The outermost folder on the way to a folder, or that one, in whose place is something else.
    pub(super) fn blocker(&self, folder: &str) -> Option<(FilePathBox, Blocker)> {
        let paths = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        paths.filter_map(|end| folder.get(..end)).find_map(|path| {
            let there = self.dir().symlink_metadata(path).ok()?;
            let blocker = match there.is_symlink() {
                true => Blocker::Link(self.follow(path).err()?),
                false if there.is_dir() => return None,
                false => Blocker::File,
            };
            Some((FilePath::new(path).ok()?.into(), blocker))
        })
    }

    /// The place of `path`, whose folders are made.
    pub(super) fn make(&self, path: FilePath<'_>) -> io::Result<Place> {
        match self.find(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = split(path.as_str()).0.unwrap_or_default();
                let mut fresh = self.fresh();
                for (end, _) in folder.match_indices('/').chain([(folder.len(), "")]) {
                    self.make_one(folder.get(..end).unwrap_or_default(), &mut fresh)?;
                }
                drop(fresh);
                self.find(path)
            }
            found => found,
        }
        .inspect(|place| self.clean(place))
        .map_err(|error| match error.kind() {
            ErrorKind::NotADirectory => io::Error::new(ErrorKind::AlreadyExists, "a folder of the path is a file"),
            _ => error,
        })
    }

    /// Removes what killed programs have left in a folder that is used for the first time. That in the outermost one is
    /// removed when it is opened.
    fn clean(&self, place: &Place) {
        const MOST: usize = 65_536;
        let Some(folder) = split(&place.path).0 else { return };
        let mut clean = self.clean.lock().unwrap_or_else(PoisonError::into_inner);
        if clean.contains(folder) {
            return;
        }
        if clean.len() >= MOST {
            clean.clear();
        }
        clean.insert(folder.into());
        drop(clean);
        remove_leftovers(&place.parent);
    }

    /// Makes the folder at `place`. Returns whether it was not there before.
    pub(super) fn make_folder(&self, place: &Place) -> io::Result<bool> {
        self.make_one(&place.path, &mut self.fresh())
    }

    fn make_one(&self, path: &str, fresh: &mut BTreeSet<Box<str>>) -> io::Result<bool> {
        match self.dir().create_dir(path) {
            Ok(()) => Ok(fresh.insert(path.into())),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A link to a folder of the tree is one as well, whether or not something may be stored there.
                if self.dir().metadata(path)?.is_dir() { Ok(false) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a folder of the tree.
    pub(super) fn open(&self, folder: Option<&str>) -> io::Result<Arc<Dir>> {
        match folder {
            None => Ok(self.dir().clone()),
            Some(folder) => self.dir().open_dir(folder).map(Arc::new),
        }
    }

    /// Opens the folder of a file, or uses the one of a file that began a moment ago.
    fn open_or_reuse(&self, folder: &str) -> io::Result<Arc<Dir>> {
        if let Some(dir) = self.last().as_ref().and_then(|last| last.reuse(folder)) {
            return Ok(dir);
        }
        let at = Instant::now();
        let dir = self.open(Some(folder))?;
        *self.last() = Some(Opened { path: folder.into(), folder: Arc::downgrade(&dir), at });
        Ok(dir)
    }

    fn last(&self) -> MutexGuard<'_, Option<Opened>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The new folders on the way to `path`, and `path` itself: their entries have to be flushed with it.
    pub(super) fn fresh_on(&self, path: &str) -> Vec<Box<str>> {
        let fresh = self.fresh();
        if fresh.is_empty() {
            return Vec::new();
        }
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.filter_map(|end| fresh.get(path.get(..end)?).cloned()).collect()
    }

    /// Opens the folder that has the entry `path`.
    pub(super) fn open_parent(&self, path: &str) -> io::Result<Arc<Dir>> {
        self.open(split(path).0)
    }

    /// Notes that the entry of a new folder is durable.
    pub(super) fn is_durable(&self, path: &str) {
        self.fresh().remove(path);
    }

    fn fresh(&self) -> MutexGuard<'_, BTreeSet<Box<str>>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_followed(folder: &str) -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, format!("the folder {folder} in its path is a link, and not followed"))
}

/// The folder, unless it is the outermost one, and the name.
fn split(path: &str) -> (Option<&str>, &str) {
    path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name))
}

/// Whether the folders above `place` are no links, so that its depth is that of its path.
pub(super) fn has_no_link_above(folders: &Folders, place: &Place) -> io::Result<bool> {
    for (end, _) in place.path.match_indices('/') {
        let folder = place.path.get(..end).unwrap_or_default();
        if folders.dir().symlink_metadata(folder)?.is_symlink() {
            return Ok(false);
        }
    }
    Ok(true)
}
