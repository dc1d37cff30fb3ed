//! What the user learns about transfers that do not begin at the start of their files, or need not have been.
//!
//! The first file of a kind has a line, and all others of this kind have one at the end.

use super::skip::{Skip, is_same_time};
use crate::files::StatusBuf;
use indicatif::HumanBytes;
use rdt_proto::files::{BLOCK_BYTES, Metadata};

/// Where the content arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Here,
}

/// What is said about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    kind: Kind,
    side: Side,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It goes on with a part.
    Part,
    /// There is a part of other content.
    OtherPart,
    /// A file there begins with the same content.
    Beginning,
    /// It is there, as far as the same `what` shows, and `option` skips it.
    StoredAgain { what: &'static str, option: &'static str },
    /// The part is gone now that the transfer was about to go on.
    Gone,
    /// The file went on with what was there, and the whole is another content.
    Changed,
    /// More was written to the end of the file while it was sent.
    Grown,
    /// The file has permission bits that do not come along.
    SpecialBits,
}

/// The notes about the files of one command.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    /// With the number of files after the first.
    said: Vec<(Kind, Side, u64)>,
}

impl Note {
    /// About a transfer from `offset` on, to a side that has `there` of the file.
    pub(super) fn of(
        name: &str,
        (offset, length, metadata): (u64, Option<u64>, Metadata),
        there: &StatusBuf,
        skip: Skip,
        side: Side,
    ) -> Option<Self> {
        let place = side.place();
        // Only a part has no time of modification.
        let is_part = there.metadata.modified.is_none();
        if offset == 0 {
            let whose = side.owner();
            let text = format!("\"{name}\" differs from what {whose} has of it: it is sent from its start");
            return is_part.then_some(Self { kind: Kind::OtherPart, side, text });
        }
        let length = length?;
        let share = u128::from(offset) * 100 / u128::from(length.max(1));
        // The last block has no value, and its digest is not worth a request.
        let is_same_time = there.length == length && is_same_time(metadata, there.metadata);
        let is_whole = there.length == length && offset == length;
        let again = |what, option| {
            let text = format!(
                "\"{name}\" is {place} already, with the same {what}, and is stored again: {option} skips such files"
            );
            (Kind::StoredAgain { what, option }, text)
        };
        let (kind, text) = match offset {
            offset if is_part => {
                (Kind::Part, format!("\"{name}\" goes on at {share} %: {} are {place}", HumanBytes(offset)))
            }
            _ if is_whole => again("content", if is_same_time { "--update" } else { "--verify" }),
            // If the digests are known, they differ.
            offset if is_same_time && offset + BLOCK_BYTES > length && skip != Skip::SameContent => {
                again("length and time", "--update")
            }
            _ => {
                let text = format!("\"{name}\" is {place} with the same content up to {share} %: the rest is sent");
                (Kind::Beginning, text)
            }
        };
        Some(Self { kind, side, text })
    }

    /// Its line.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// There was a part of the file, which is gone now that its transfer was about to go on.
    pub(super) fn gone(name: &str, side: Side) -> Self {
        let text = format!("\"{name}\" begins again: what was {} of it is gone", side.place());
        Self { kind: Kind::Gone, side, text }
    }

    /// The file went on with what was there of it, and the whole is another content.
    pub(super) fn changed(name: &str, side: Side) -> Self {
        let text = format!("\"{name}\" is sent again from its start: what was {} of it differs", side.place());
        Self { kind: Kind::Changed, side, text }
    }

    /// A file has permission bits that do not come along.
    pub(super) fn special_bits(file: &str) -> Self {
        let text = format!("{file} on this machine loses its set-user-ID, set-group-ID or sticky bit at the server");
        Self { kind: Kind::SpecialBits, side: Side::Server, text }
    }

    /// More was written to the end of the file while it was sent, with the length that it had before.
    pub(crate) fn grown(file: &str, length: u64) -> Self {
        let length = HumanBytes(length);
        let text = format!("{file} on this machine grew while it was sent: its first {length} are stored");
        Self { kind: Kind::Grown, side: Side::Server, text }
    }
}

impl Notes {
    /// Counts a note. Returns its line if it is the first of its kind.
    pub(super) fn add(&mut self, note: Note) -> Option<String> {
        let Note { kind, side, text } = note;
        match self.said.iter_mut().find(|(of, at, _)| (*of, *at) == (kind, side)) {
            Some((_, _, more)) => {
                *more += 1;
                None
            }
            None => {
                self.said.push((kind, side, 0));
                Some(text)
            }
        }
    }

    /// The lines about all other files. They are true as well if the transfer was stopped.
    pub(super) fn rest(&self) -> impl Iterator<Item = String> + '_ {
        self.said.iter().filter(|(_, _, more)| *more > 0).map(|(kind, side, more)| kind.rest(*side, *more))
    }
}

impl Kind {
    fn rest(self, side: Side, more: u64) -> String {
        let (place, whose) = (side.place(), side.owner());
        let (files, were, they, them) = match more {
            1 => ("1 more file".into(), "was", "it", "it"),
            more => (format!("{more} more files"), "were", "they", "them"),
        };
        match self {
            Self::Part => format!("{files} {were} {place} in part, and {they} went on"),
            Self::OtherPart => format!("what {whose} has of {files} differs from {them}"),
            Self::Beginning => format!("{files} {were} {place} with the same beginning"),
            Self::StoredAgain { what, option } => {
                format!("{files} {were} {place} already, with the same {what}: {option} skips such files")
            }
            Self::Gone => format!("{files} began again: what was {place} of {them} is gone"),
            Self::Changed => format!("{files} began again: what was {place} of {them} differs"),
            Self::Grown => format!("{files} grew while {they} {were} sent"),
            Self::SpecialBits => {
                let lose = if more == 1 { "loses" } else { "lose" };
                format!("{files} {lose} the set-user-ID, set-group-ID or sticky bit at the server")
            }
        }
    }
}

impl Side {
    fn place(self) -> &'static str {
        match self {
            Self::Server => "there",
            Self::Here => "here",
        }
    }

    fn owner(self) -> &'static str {
        match self {
            Self::Server => "the server",
            Self::Here => "this machine",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_note_of_a_kind_has_a_line_and_the_others_one() {
        let mut notes = Notes::default();
        let mut add = |note| notes.add(note).is_some();
        assert!(add(Note::gone("a", Side::Here)) && add(Note::gone("b", Side::Server)));
        assert!(add(Note::changed("c", Side::Here)) && !add(Note::gone("d", Side::Here)));
        assert!(!add(Note::gone("e", Side::Server)) && !add(Note::gone("f", Side::Server)));
        let expected = [
            "1 more file began again: what was here of it is gone",
            "2 more files began again: what was there of them is gone",
        ];
        assert_eq!(notes.rest().collect::<Vec<_>>(), expected);
    }
}
