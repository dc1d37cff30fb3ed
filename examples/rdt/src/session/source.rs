//! What a client sends, and how it is compared with what the server has. All calls here may block.

use super::chunk::Chunk;
use super::content::Content;
use super::note::{Note, Side};
use super::skip::{Skip, is_same};
use crate::files::{BlockTree, Outgoing, StatusBuf};
use crate::local_failure::{SEND_AGAIN, cannot_read, cannot_send};
use crate::messages::error_text;
use crate::standard_streams::Input;
use rdt_proto::files::{Digest, Metadata};
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
    /// It cannot be read.
    pub(super) fn unread(&self, error: &io::Error) -> String {
        match self {
            Self::File(path) => cannot_read(path, error),
            Self::Folder(_) | Self::StandardInput => cannot_send(&self.text(), &error_text(error), SEND_AGAIN),
        }
    }

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
    pub(super) note: Option<Note>,
}

/// Opens a file and reads its first chunk. It may block.
pub(super) fn open(source: &Source) -> Result<Chunk, String> {
    let content = match source {
        Source::File(path) => Content::File(Outgoing::file(path)?),
        Source::Folder(metadata) => Content::Folder(*metadata),
        Source::StandardInput => Content::StandardInput(Input::open()?, BlockTree::new()),
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
    let (chunk, offset) = chunk.go_on_from(peaks).map_err(|error| source.unread(&error))?;
    let note = Note::of(name, (offset, opened.length, opened.metadata), status, skip, Side::Server);
    Ok(Some(Placed { chunk, note }))
}

/// The digest of a file, from what is remembered or by reading it. It may block.
fn digest_of(source: &Source) -> Result<Option<Digest>, String> {
    match source {
        Source::File(path) => {
            let digest = Outgoing::file(path)?.digest_of_all();
            digest.map(Some).map_err(|error| source.unread(&error))
        }
        Source::Folder(_) | Source::StandardInput => Ok(None),
    }
}
