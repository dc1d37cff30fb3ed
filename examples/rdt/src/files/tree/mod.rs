//! Files beneath a folder, by path: the storage of sessions with many requests.
//!
//! | module | subject |
//! |---|---|
//! | `attributes` | times and permission bits |
//! | `block_tree` | BLAKE3, block by block |
//! | `commit` | many files become durable with few flushes |
//! | `failure` | why a file is not stored or sent |
//! | `hidden` | the hidden folder |
//! | `incoming` | a file that arrives |
//! | `journal` | what a file system promises about the order of content and names |
//! | `listing` | the entries of a folder |
//! | `names` | names that are not for requests, targets of links |
//! | `outgoing` | a file that leaves |
//! | `part` | what has arrived of one file |
//! | `parts` | the parts of a tree: in use, kept, expired |
//! | `place` | where a path leads, and new folders |
//! | `remembered` | the chaining values of large files |
//! | `saving` | saves such values while a file is read |
//! | `sealed` | a complete file without a name |
//! | `sidecar` | the chaining values of a part |
//! | `start` | where content goes, and what is there already |
//! | `version` | whether a file has changed |
//!
//! A large file that may be kept arrives under a name in the hidden folder, so that it survives the end of the program.
//! All others have no name until they are complete. Requests cannot name the hidden folder, and lists do not show it.
//!
//! A file that goes on is trusted as follows. The bytes of a part whose values are in its sidecar were flushed before,
//! and are not read again. All other bytes of a part are hashed again, and so are those that are copied from an older
//! file. Remembered values decide where a transfer begins, and what its sender says about the bytes that it leaves out.

mod attributes;
mod block_tree;
mod commit;
mod failure;
mod hidden;
mod incoming;
mod journal;
mod listing;
mod names;
mod outgoing;
mod part;
mod parts;
mod place;
mod remembered;
mod saving;
mod sealed;
mod sidecar;
mod start;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod version;

use self::journal::Journal;
use self::parts::Parts;
use self::place::Folders;
use self::remembered::Remembered;
use super::folder::{Folder, IfTaken, replaceable};
use super::space::Space;
use indicatif::HumanBytes;
use rdt_proto::files::{Digest, Entry, FileKind, FilePath, FilePathBox, Flags, Metadata, Peaks, Status};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use attributes::{of as folder_metadata, time_text};
pub(crate) use block_tree::{BlockTree, PeaksBuf};
pub(crate) use commit::{CommitError, commit};
pub(crate) use failure::{Detail, SealError, storage_error};
pub(crate) use incoming::{Incoming, Wanted};
use listing::Listing;
pub(crate) use names::is_hidden;
pub(crate) use outgoing::Outgoing;
pub(crate) use place::{Blocker, FollowedLinks, LinkTarget};
pub(crate) use sealed::Sealed;

/// Files beneath a folder, by path. Cheap to clone: the clones share the parts that are in use.
#[derive(Clone)]
pub(crate) struct Tree(Arc<Shared>);

struct Shared {
    folders: Folders,
    rules: TreeRules,
    journal: Journal,
    parts: Parts,
    remembered: Remembered,
}

/// How a tree stores and shows files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeRules {
    /// Stored files get the time of modification and the permission bits of their senders.
    pub(crate) preserve: bool,
    /// Interrupted transfers may be kept, and are shown. A drop box keeps none, since it must reveal nothing.
    pub(crate) keeps_parts: bool,
    /// How long they are kept after their last byte.
    pub(crate) keep_parts_for: Duration,
    /// How long a request waits for content that is complete to get its name. Then it does without.
    pub(crate) wait_for_names: Duration,
    /// The values of large files are remembered in the hidden folder, and otherwise in the cache of the user.
    pub(crate) remembers_here: bool,
    /// A link to a regular file of the tree is shown and sent as that file.
    pub(crate) follow_links: bool,
    /// A file may be stored in a folder through such a link to it.
    pub(crate) links_in_paths: FollowedLinks,
}

impl Default for TreeRules {
    fn default() -> Self {
        let keep_parts_for = Duration::from_secs(24 * 3_600);
        Self {
            preserve: false,
            keeps_parts: true,
            keep_parts_for,
            wait_for_names: Duration::from_secs(5),
            remembers_here: true,
            follow_links: true,
            links_in_paths: FollowedLinks::InTree,
        }
    }
}

impl Tree {
    pub(crate) fn new(folder: Folder, rules: TreeRules) -> Self {
        let dir = folder.dir().clone();
        let (journal, parts) = (Journal::of(&dir), Parts::new(dir.clone()));
        let remembered = if rules.remembers_here { Remembered::Hidden(dir) } else { Remembered::of_user() };
        let folders = Folders::new(folder, rules.links_in_paths);
        Self(Arc::new(Shared { folders, rules, journal, parts, remembered }))
    }

    pub(crate) fn folder(&self) -> &Folder {
        self.0.folders.outermost()
    }

    /// Prepares to store a file. With `reserve`, its bytes count in the space of unfinished uploads of this host.
    ///
    /// If the bytes before the offset are not there, the [`storage_error`] is `PrefixGone`.
    pub(crate) fn create(&self, want: &Wanted, reserve: Option<(Arc<Space>, IpAddr)>) -> io::Result<Incoming> {
        self.explain(Incoming::create(self, want, reserve))
    }

    /// Opens a file or a link, and begins behind what the peer has, as far as both are the same.
    pub(crate) fn open(&self, path: FilePath<'_>, have: Peaks<'_>) -> io::Result<Outgoing> {
        self.explain(Outgoing::open(self, path, have))
    }

    /// Describes what is under this path, or, with [`Flags::KEEP`], an interrupted transfer to it.
    ///
    /// A large file whose values are not remembered is read only if its digest is asked for.
    pub(crate) fn status(&self, path: FilePath<'_>, flags: Flags) -> io::Result<StatusBuf> {
        let status = self.explain(self.look_up(path, flags))?;
        if status.kind == FileKind::Nothing {
            self.check_usable()?;
        }
        Ok(status)
    }

    fn look_up(&self, path: FilePath<'_>, flags: Flags) -> io::Result<StatusBuf> {
        names::check(path)?;
        if flags.contains(Flags::KEEP) {
            self.0.parts.wait_for_sealed(&part::Key::of(path.as_str()), self.rules().wait_for_names);
            if let Some((length, peaks)) = self.inspect_part(path) {
                return Ok(StatusBuf { kind: FileKind::File, length, peaks, ..StatusBuf::default() });
            }
        }
        let metadata = match self.folders().dir().symlink_metadata(path.as_str()) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(StatusBuf::default());
            }
            metadata => metadata?,
        };
        let Some(EntryBuf { kind, metadata, length, .. }) = self.describe(path, &metadata) else {
            return Ok(StatusBuf::default());
        };
        let mut status = StatusBuf { kind, metadata, length, ..StatusBuf::default() };
        if kind == FileKind::File {
            let file = self.open(path, Peaks::NONE)?;
            if flags.contains(Flags::DIGEST) || file.is_known_or_short() {
                let (blocks, digest) = file.values()?;
                status.digest = flags.contains(Flags::DIGEST).then_some(digest);
                status.peaks = PeaksBuf::new(&blocks);
            }
        }
        Ok(status)
    }

    /// Begins to list a folder; `None` is the outermost one.
    pub(crate) fn list(
        &self,
        folder: Option<FilePath<'_>>,
        after: Option<FilePath<'_>>,
        flags: Flags,
    ) -> io::Result<Listing> {
        self.explain(Listing::new(self, folder, after, flags))
    }

    /// Checks that a file with `length` more bytes can be stored under this path, as far as is known before.
    pub(crate) fn check_room(&self, path: FilePath<'_>, length: u64) -> io::Result<()> {
        match self.folders().find(path) {
            // Its folders are made.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            place => {
                let place = place?;
                replaceable(&place.parent, place.name(), IfTaken::Replace)?;
            }
        }
        let free = self.folder().free_bytes();
        if length <= free {
            return Ok(());
        }
        let why = format!("{} do not fit: {} free on the disk", HumanBytes(length), HumanBytes(free));
        Err(io::Error::new(ErrorKind::StorageFull, why))
    }

    /// The folder that cannot be used on the way to one, or that one, and what is in its place.
    pub(crate) fn blocker(&self, folder: &str) -> Option<(FilePathBox, Blocker)> {
        self.folders().blocker(folder)
    }

    /// Removes interrupted transfers that are too old, and counts the others in `space`. A server calls it when it
    /// starts, and from time to time. Returns how many were removed.
    pub(crate) fn expire(&self, space: Option<&Arc<Space>>) -> usize {
        self.0.parts.expire(self.0.rules.keep_parts_for, space)
    }

    /// Fails if the whole folder cannot be used any more. Where nothing is found, that may be why.
    fn check_usable(&self) -> io::Result<()> {
        Ok(self.folder().check_usable()?)
    }

    /// The result, or that the whole folder cannot be used any more, which then explains an error.
    fn explain<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| self.explained(error))
    }

    fn explained(&self, error: io::Error) -> io::Error {
        self.check_usable().err().unwrap_or(error)
    }

    fn inspect_part(&self, path: FilePath<'_>) -> Option<(u64, PeaksBuf)> {
        let key = part::Key::of(path.as_str());
        if !self.0.rules.keeps_parts || self.0.parts.is_sealed(&key) {
            return None;
        }
        let hidden = hidden::open(self.folders().dir()).ok()?;
        if self.0.parts.is_of_another_process(&hidden, &key) {
            return None;
        }
        let (length, tree) = part::inspect(&hidden, &key, path.as_str()).ok()?;
        (tree.blocks() > 0).then(|| (length, tree.peaks()))
    }

    /// The digest of a regular file, which is remembered if it is large.
    fn digest(&self, path: FilePath<'_>) -> io::Result<Digest> {
        self.open(path, Peaks::NONE)?.digest_of_all()
    }

    /// What is under a path, without its digest. `None` if it is of a kind that cannot be transferred.
    fn describe(&self, path: FilePath<'_>, entry: &cap_std::fs::Metadata) -> Option<EntryBuf> {
        let target = if entry.is_symlink() && self.0.rules.follow_links {
            self.folders().dir().metadata(path.as_str()).ok().filter(cap_std::fs::Metadata::is_file)
        } else {
            None
        };
        let entry = target.as_ref().unwrap_or(entry);
        let kind = match entry.file_type() {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_dir() => FileKind::Folder,
            kind if kind.is_symlink() => FileKind::Link,
            _ => return None,
        };
        let length = if kind == FileKind::Folder { 0 } else { entry.len() };
        let metadata = attributes::of_entry(entry);
        Some(EntryBuf { kind, metadata, length, digest: None, path: path.into() })
    }

    /// Whether the link under `path` stands for a regular file.
    fn follows(&self, path: FilePath<'_>) -> bool {
        let is_file = |metadata: cap_std::fs::Metadata| metadata.is_file();
        self.0.rules.follow_links && self.folders().dir().metadata(path.as_str()).is_ok_and(is_file)
    }

    fn folders(&self) -> &Folders {
        &self.0.folders
    }

    fn rules(&self) -> &TreeRules {
        &self.0.rules
    }

    fn journal(&self) -> Journal {
        self.0.journal
    }

    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    fn remembered(&self) -> &Remembered {
        &self.0.remembered
    }

    /// What tells this tree from others.
    fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// [`Status`] that owns its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusBuf {
    pub(crate) kind: FileKind,
    pub(crate) metadata: Metadata,
    pub(crate) length: u64,
    pub(crate) digest: Option<Digest>,
    pub(crate) peaks: PeaksBuf,
}

impl Default for StatusBuf {
    fn default() -> Self {
        Self {
            kind: FileKind::Nothing,
            metadata: Metadata::default(),
            length: 0,
            digest: None,
            peaks: PeaksBuf::default(),
        }
    }
}

impl StatusBuf {
    pub(crate) fn as_status(&self) -> Status<'_> {
        let Self { kind, metadata, length, digest, ref peaks } = *self;
        Status { kind, metadata, length, digest, peaks: peaks.as_peaks() }
    }
}

impl From<Status<'_>> for StatusBuf {
    fn from(status: Status<'_>) -> Self {
        let Status { kind, metadata, length, digest, peaks } = status;
        Self { kind, metadata, length, digest, peaks: peaks.into() }
    }
}

/// [`Entry`] that owns its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryBuf {
    pub(crate) kind: FileKind,
    pub(crate) metadata: Metadata,
    pub(crate) length: u64,
    pub(crate) digest: Option<Digest>,
    pub(crate) path: FilePathBox,
}

impl EntryBuf {
    pub(crate) fn as_entry(&self) -> Entry<'_> {
        let Self { kind, metadata, length, digest, ref path } = *self;
        Entry { kind, metadata, length, digest, path: path.as_path() }
    }
}

impl From<Entry<'_>> for EntryBuf {
    fn from(entry: Entry<'_>) -> Self {
        let Entry { kind, metadata, length, digest, path } = entry;
        Self { kind, metadata, length, digest, path: path.into() }
    }
}

/// Some entries of a folder.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<EntryBuf>,
    /// Whether others follow.
    pub(crate) has_more: bool,
    /// The number of entries that no request can name or read.
    pub(crate) unreadable: u64,
}
