//! What a client sends, and how it is compared with what the server has. All calls here may block.

use super::chunk::Chunk;
use super::content::Content;
use super::skip::{Skip, is_same};
use crate::files::{BlockTree, Outgoing, StatusBuf};
use crate::messages;
use indicatif::HumanBytes;
use rdt_proto::files::{BLOCK_BYTES, Digest, Metadata};
use std::io;
use std::path::PathBuf;

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Folder(Metadata),
    StandardInput,
}

impl Source {
    /// What the user calls it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Folder(_) => "the folder".into(),
            Self::StandardInput => "-".into(),
        }
    }
}

/// What the comparison with the server's content has found.
pub(super) enum Placed {
    /// Nothing is to be sent.
    Same,
    /// The server has a file of the same length, which differs in its last block at most.
    Alike(Chunk),
    /// The content to send, and what to tell the user.
    Chunk { chunk: Chunk, note: Option<String> },
}

/// Opens a file and reads its first chunk. It may block.
pub(super) fn open(source: &Source) -> Result<Chunk, String> {
    let content = match source {
        Source::File(path) => Content::File(Outgoing::file(path)?),
        Source::Folder(metadata) => Content::Folder(*metadata),
        Source::StandardInput => Content::StandardInput(BlockTree::new()),
    };
    Ok(Chunk::first(content))
}

/// Compares the file with what the server has, and goes on at the border that both share.
pub(super) fn place(
    chunk: Chunk,
    status: &StatusBuf,
    skip: Skip,
    (source, name): (&Source, &str),
) -> Result<Placed, String> {
    let opened = chunk.content().opened();
    let fail = |error: io::Error| format!("cannot read \"{name}\" on this machine: {}", messages::error_text(&error));
    let digest = match skip {
        Skip::SameContent if status.digest.is_some() && opened.length == Some(status.length) => digest_of(source)?,
        Skip::Nothing | Skip::SameTime | Skip::SameContent => None,
    };
    let here = (opened.kind, opened.length.unwrap_or_default(), opened.metadata, digest);
    if is_same(skip, here, (status.kind, status.length, status.metadata, status.digest)) {
        return Ok(Placed::Same);
    }
    let peaks = status.peaks.as_peaks();
    if peaks.blocks() == 0 {
        return Ok(Placed::Chunk { chunk, note: None });
    }
    let (chunk, offset) = chunk.go_on_from(peaks).map_err(fail)?;
    // Only a part has no time of modification.
    let is_part = status.metadata.modified.is_none();
    let length = opened.length.unwrap_or_default();
    let note = match offset {
        0 if is_part => Some(format!("\"{name}\" differs from what the server has of it: it is sent from its start")),
        0 => None,
        offset if is_part => Some(goes_on(name, offset, length, "there")),
        offset if offset == length && status.length == length => Some(is_there(name, skip)),
        // Its digest is known, and differs.
        offset if offset + BLOCK_BYTES > length && status.length == length && status.digest.is_none() => {
            return Ok(Placed::Alike(chunk));
        }
        offset => Some(begins_so(name, offset, length)),
    };
    Ok(Placed::Chunk { chunk, note })
}

/// Compares the file with one of the server that is [alike](Placed::Alike).
pub(super) fn compare(
    chunk: Chunk,
    status: &StatusBuf,
    skip: Skip,
    (source, name): (&Source, &str),
) -> Result<Placed, String> {
    let opened = chunk.content().opened();
    let is_same = status.digest.is_some() && status.digest == digest_of(source)?;
    let note =
        if is_same { is_there(name, skip) } else { begins_so(name, opened.offset, opened.length.unwrap_or_default()) };
    Ok(Placed::Chunk { chunk, note: Some(note) })
}

/// What the user learns about an interrupted transfer. `place` has what has arrived.
pub(super) fn goes_on(name: &str, offset: u64, length: u64, place: &str) -> String {
    format!("\"{name}\" goes on at {} %: {} are {place}", percent(offset, length), HumanBytes(offset))
}

/// `place` had a part of the file, which is gone now that its transfer was about to go on.
pub(super) fn begins_again(name: &str, place: &str) -> String {
    format!("\"{name}\" begins again: what was {place} of it is gone")
}

/// The file went on with what `place` had of it, and the whole is another content.
pub(super) fn differs(name: &str, place: &str) -> String {
    format!("\"{name}\" is sent again from its start: what was {place} of it differs")
}

fn is_there(name: &str, skip: Skip) -> String {
    let why = match skip {
        Skip::Nothing => ", and is stored again: --update skips such files",
        Skip::SameTime => " and another time, and is stored again",
        Skip::SameContent => ", and is stored again",
    };
    format!("\"{name}\" is there already, with the same content{why}")
}

fn begins_so(name: &str, offset: u64, length: u64) -> String {
    format!("\"{name}\" is there with the same content up to {} %: the rest is sent", percent(offset, length))
}

fn percent(offset: u64, length: u64) -> u128 {
    u128::from(offset) * 100 / u128::from(length.max(1))
}

/// The digest of a file, from what is remembered or by reading it. It may block.
fn digest_of(source: &Source) -> Result<Option<Digest>, String> {
    match source {
        Source::File(path) => {
            let digest = Outgoing::file(path)?.digest_of_all();
            digest.map(Some).map_err(|error| {
                format!("cannot read {} on this machine: {}", path.display(), messages::error_text(&error))
            })
        }
        Source::Folder(_) | Source::StandardInput => Ok(None),
    }
}
