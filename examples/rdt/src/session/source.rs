//! What a client sends, and how it is compared with what the server has. All calls here may block.

use super::chunk::Chunk;
use super::content::Content;
use super::skip::{Skip, is_same, is_same_time};
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

/// The content to send, after the comparison with that of the server.
pub(super) struct Placed {
    pub(super) chunk: Chunk,
    /// What to tell the user.
    pub(super) note: Option<String>,
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

/// Compares the file with what the server has, and goes on at the border that both share. `None`: the server has it.
pub(super) fn place(
    chunk: Chunk,
    status: &StatusBuf,
    skip: Skip,
    (source, name): (&Source, &str),
) -> Result<Option<Placed>, String> {
    let opened = chunk.content().opened();
    let fail = |error: io::Error| format!("cannot read \"{name}\" on this machine: {}", messages::error_text(&error));
    let digest = match skip {
        Skip::SameContent if status.digest.is_some() && opened.length == Some(status.length) => digest_of(source)?,
        Skip::Nothing | Skip::SameTime | Skip::SameContent => None,
    };
    let here = (opened.kind, opened.length.unwrap_or_default(), opened.metadata, digest);
    if is_same(skip, here, (status.kind, status.length, status.metadata, status.digest)) {
        return Ok(None);
    }
    let peaks = status.peaks.as_peaks();
    if peaks.blocks() == 0 {
        return Ok(Some(Placed { chunk, note: None }));
    }
    let (chunk, offset) = chunk.go_on_from(peaks).map_err(fail)?;
    let note = note(name, (offset, opened.length, opened.metadata), status, skip, Side::Server);
    Ok(Some(Placed { chunk, note }))
}

/// Where the content arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Here,
}

/// What the user learns about a transfer from `offset` on, to a side that has `there` of the file: also that it need not
/// have been.
pub(super) fn note(
    name: &str,
    (offset, length, metadata): (u64, Option<u64>, Metadata),
    there: &StatusBuf,
    skip: Skip,
    side: Side,
) -> Option<String> {
    let (place, whose) = match side {
        Side::Server => ("there", "the server"),
        Side::Here => ("here", "this machine"),
    };
    // Only a part has no time of modification.
    let is_part = there.metadata.modified.is_none();
    if offset == 0 {
        return is_part.then(|| format!("\"{name}\" differs from what {whose} has of it: it is sent from its start"));
    }
    let length = length?;
    let share = u128::from(offset) * 100 / u128::from(length.max(1));
    // The last block has no value, and its digest is not worth a request.
    let is_same_time = there.length == length && is_same_time(metadata, there.metadata);
    let is_whole = there.length == length && offset == length;
    let again = |what: &str, option: &str| {
        format!("\"{name}\" is {place} already, with the same {what}, and is stored again: {option} skips such files")
    };
    Some(match offset {
        offset if is_part => format!("\"{name}\" goes on at {share} %: {} are {place}", HumanBytes(offset)),
        _ if is_whole => again("content", if is_same_time { "--update" } else { "--verify" }),
        // If the digests are known, they differ.
        offset if is_same_time && offset + BLOCK_BYTES > length && skip != Skip::SameContent => {
            again("length and time", "--update")
        }
        _ => format!("\"{name}\" is {place} with the same content up to {share} %: the rest is sent"),
    })
}

/// `place` had a part of the file, which is gone now that its transfer was about to go on.
pub(super) fn begins_again(name: &str, place: &str) -> String {
    format!("\"{name}\" begins again: what was {place} of it is gone")
}

/// The file went on with what `place` had of it, and the whole is another content.
pub(super) fn differs(name: &str, place: &str) -> String {
    format!("\"{name}\" is sent again from its start: what was {place} of it differs")
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
