//! Where a client stores what it fetches.

use super::chunk::Chunk;
use super::content::Taker;
use super::note::{Note, Side};
use super::place::{Job, Place};
use super::receiving::Create;
use super::skip::Skip;
use crate::files::{BlockTree, IfTaken, Page, PeaksBuf, StatusBuf, Tree, Wanted};
use crate::standard_streams::Output;
use rdt_proto::files::{FileKind, FilePath, FilePathBox, Flags, Target};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Where the file of a GET goes.
#[derive(Clone)]
pub(crate) enum Destination {
    /// A file of a tree, whose folder the user calls `beneath`.
    File {
        tree: Tree,
        path: FilePathBox,
        beneath: PathBuf,
    },
    StandardOutput,
}

impl Destination {
    /// What the user calls it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::File { path, .. } => self.text_of(path),
            Self::StandardOutput => "-".into(),
        }
    }

    /// What the user calls another file or folder of its tree.
    pub(super) fn text_of(&self, path: &FilePathBox) -> String {
        match self {
            Self::File { beneath, .. } => beneath.join(&**path).display().to_string(),
            Self::StandardOutput => path.to_string(),
        }
    }
}

/// What the server has announced about a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    pub(crate) length: Option<u64>,
    /// The position at which the content begins.
    pub(crate) offset: u64,
    /// Whether it is a file. Nothing else is stored.
    pub(crate) is_file: bool,
}

/// The destinations of the GETs that are open, by their number.
#[derive(Default)]
pub(crate) struct Destinations {
    open: HashMap<u32, (Open, Option<Announced>)>,
    current: Option<Announced>,
    /// What the user is to learn.
    notes: Vec<Note>,
}

/// A GET that is open.
pub(crate) struct Open {
    pub(crate) destination: Destination,
    /// What is here of it, if the user wants to know.
    pub(crate) goes_on: Option<GoesOn>,
}

/// A GET of a file of which something is here.
pub(crate) struct GoesOn {
    /// The path at the server.
    pub(crate) name: FilePathBox,
    pub(crate) here: StatusBuf,
    pub(crate) skip: Skip,
}

impl Destinations {
    /// That of the only GET, which begins at the start of its file.
    pub(crate) fn of_one(number: u32, destination: Destination) -> Self {
        let mut destinations = Self::default();
        destinations.insert(number, Open { destination, goes_on: None });
        destinations
    }

    /// Adds a GET.
    pub(crate) fn insert(&mut self, number: u32, get: Open) {
        self.open.insert(number, (get, None));
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<Announced> {
        self.open.remove(&number)?.1
    }

    /// The length of the content of a file, if the server has announced it.
    pub(crate) fn rest_of(&self, number: u32) -> Option<u64> {
        let announced = self.open.get(&number)?.1?;
        announced.length.map(|length| length.saturating_sub(announced.offset))
    }

    /// The bytes that are here of the files that the server has announced. The last one arrives, with `received` bytes
    /// so far, or has arrived.
    pub(crate) fn arrived(&self, received: Option<u64>) -> u64 {
        let whole = |announced: &Announced| announced.length.unwrap_or(announced.offset);
        let all: u64 = self.open.values().filter_map(|(_, announced)| announced.as_ref()).map(whole).sum();
        let left = received
            .zip(self.current)
            .map_or(0, |(received, last)| i128::from(whole(&last)) - i128::from(last.offset) - i128::from(received));
        u64::try_from(i128::from(all) - left).unwrap_or_default()
    }

    /// What the user is to learn about the files that have begun since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The file that arrives, or that arrived last.
    pub(crate) fn current(&self) -> Option<Announced> {
        self.current
    }
}

impl Place for Destinations {
    fn create(&mut self, target: &Target<'_>) -> io::Result<Create> {
        let (get, announced) = self.open.get_mut(&target.number).ok_or(ErrorKind::NotFound)?;
        let (length, offset) = (target.length, target.offset);
        // Only files are asked for. A link could lead the files behind it elsewhere.
        let is_file = target.kind == FileKind::File;
        *announced = Some(Announced { length, offset, is_file });
        self.current = *announced;
        if !is_file {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if let Some(GoesOn { name, here, skip }) = get.goes_on.take() {
            self.notes.extend(Note::of(&name, (offset, length, target.metadata), &here, skip, Side::Here));
        }
        match &get.destination {
            Destination::StandardOutput => {
                Ok(Box::new(|| Ok(Taker::StandardOutput(Output::open()?, BlockTree::new()))))
            }
            Destination::File { tree, path, .. } => {
                let wanted = Wanted {
                    path: path.clone(),
                    kind: target.kind,
                    metadata: target.metadata,
                    length: target.length,
                    offset: target.offset,
                    keep: true,
                    if_taken: IfTaken::Replace,
                };
                let (tree, rest) = (tree.clone(), length.map_or(0, |length| length.saturating_sub(offset)));
                Ok(Box::new(move || {
                    tree.check_room(wanted.path.as_path(), rest)?;
                    tree.create(&wanted, None).map(Taker::File)
                }))
            }
        }
    }

    // A client serves nothing.

    fn open(&mut self, _path: FilePath<'_>, _have: PeaksBuf) -> io::Result<Job<Chunk>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn stat(&mut self, _path: FilePath<'_>, _flags: Flags) -> io::Result<Job<StatusBuf>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn list(
        &mut self,
        _folder: Option<FilePath<'_>>,
        _after: Option<FilePath<'_>>,
        _flags: Flags,
    ) -> io::Result<Job<Page>> {
        Err(ErrorKind::Unsupported.into())
    }
}
