//! A file to fetch, and what this side has of it.

use super::destinations::Destination;
use super::skip::{Skip, is_same};
use crate::destination::Here;
use crate::files::{Blocker, EntryBuf, StatusBuf, Tree};
use crate::folder_copy::FolderCopy;
use rdt_proto::files::{BLOCK_BYTES, FilePathBox, Flags};
use std::io::{self, ErrorKind};

/// A file to fetch.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// The path at the server.
    pub(crate) path: FilePathBox,
    pub(crate) destination: Destination,
    /// What a list says about it.
    pub(crate) entry: Option<EntryBuf>,
    pub(crate) here: Here,
    /// Whether this side may have it already.
    pub(crate) skip: Skip,
    /// The record of a folder that this command makes, or goes on with.
    pub(crate) copy: Option<FolderCopy>,
}

impl Wanted {
    /// Whether it becomes a file of this machine.
    pub(super) fn is_stored(&self) -> bool {
        matches!(self.destination, Destination::File { .. })
    }
}

/// What this side has of a file.
pub(super) enum Local {
    /// What a transfer can go on with: a part, or the blocks of a file.
    Blocks(StatusBuf),
    Same,
    /// It cannot be stored.
    NoRoom(io::Error),
    /// Nor can any other file of this folder, in whose place is something else.
    NoFolder(FilePathBox, Blocker),
}

/// What this side has of a file. It may block.
pub(super) fn look_up(wanted: &Wanted) -> io::Result<Local> {
    let Destination::File { tree, path, .. } = &wanted.destination else {
        return Ok(Local::Blocks(StatusBuf::default()));
    };
    if let Some(entry) = &wanted.entry
        && is_same_file(tree, path, entry, wanted.skip)?
    {
        return Ok(Local::Same);
    }
    let length = wanted.entry.as_ref().map(|entry| entry.length);
    let has_block = length.is_none_or(|length| length >= BLOCK_BYTES);
    let here = match has_block.then(|| tree.status(path.as_path(), Flags::KEEP)).transpose() {
        // The server refuses such a name, too.
        Err(error) if error.kind() == ErrorKind::InvalidFilename => return Err(error),
        // What cannot be read is not compared.
        here => here.ok().flatten().unwrap_or_default(),
    };
    // The blocks of a file are copied.
    let of_part = if here.metadata.modified.is_none() { here.peaks.as_peaks().blocks() * BLOCK_BYTES } else { 0 };
    let rest = length.unwrap_or_default().saturating_sub(of_part);
    // The content of a file that is asked for cannot be stopped without the connection.
    match tree.check_room(path.as_path(), rest) {
        Err(error) if wanted.here != Here::Folder => {
            Ok(match path.rsplit_once('/').and_then(|(folder, _)| tree.blocker(folder)) {
                Some((folder, blocker)) => Local::NoFolder(folder, blocker),
                None => Local::NoRoom(error),
            })
        }
        Ok(()) | Err(_) => Ok(Local::Blocks(here)),
    }
}

fn is_same_file(tree: &Tree, path: &FilePathBox, entry: &EntryBuf, skip: Skip) -> io::Result<bool> {
    let flags = match skip {
        Skip::Nothing => return Ok(false),
        Skip::SameTime => Flags::empty(),
        Skip::SameContent => Flags::DIGEST,
    };
    let here = tree.status(path.as_path(), flags)?;
    Ok(is_same(
        skip,
        (here.kind, here.length, here.metadata, here.digest),
        (entry.kind, entry.length, entry.metadata, entry.digest),
    ))
}
