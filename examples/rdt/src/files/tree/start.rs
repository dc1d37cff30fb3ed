//! Where the content of a file goes, and what is there already.

use super::super::opening::without_waiting;
use super::super::space::{Reservation, Space};
use super::super::temporary::Temporary;
use super::Tree;
use super::block_tree::{BlockTree, hash};
use super::failure::prefix_gone;
use super::incoming::{Content, Wanted};
use super::part::{Key, Part};
use super::place::Place;
use cap_std::fs::OpenOptions;
use rdt_proto::files::BLOCK_BYTES;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::sync::Arc;

/// The start of a file that arrives.
pub(super) struct Start {
    pub(super) content: Content,
    /// The digest of what is there.
    pub(super) hashed: BlockTree,
    pub(super) reservation: Option<Reservation>,
}

impl Start {
    /// Finds the bytes before the offset, and reserves space for the rest.
    pub(super) fn find(
        tree: &Tree,
        place: &Place,
        want: &Wanted,
        reserve: Option<(Arc<Space>, IpAddr)>,
    ) -> io::Result<Self> {
        if want.offset > 0 {
            // What this goes on with may have been completed meanwhile, and has no name yet.
            let key = Key::of(place.path());
            tree.parts().wait_for_sealed(&key, tree.rules().wait_for_names);
            if tree.parts().is_sealed(&key) {
                // What has the name is replaced in a moment, and is not what this goes on with.
                return Err(prefix_gone());
            }
        }
        let Some(part) = take_part(tree, place, want) else {
            let prefix = prefix_of_file(tree, want)?;
            let mut reservation = make_room(tree, want, reserve, 0)?;
            let file = match prefix {
                None => Temporary::new(place.parent.clone())?,
                Some(_) => Temporary::readable(place.parent.clone())?,
            };
            let hashed = copy(prefix.as_ref(), want.offset, file.file(), reservation.as_mut())?;
            return Ok(Self { content: Content::Unnamed(file), hashed, reservation });
        };
        let space = reserve.as_ref().map(|(space, _)| space.clone());
        let started = in_part(tree, want, reserve, &part);
        match started {
            Ok((hashed, reservation)) => Ok(Self { content: Content::Part(part), hashed, reservation }),
            Err(error) => {
                let len = part.with(|files| Ok(files.data.metadata()?.len())).unwrap_or_default();
                if len >= BLOCK_BYTES {
                    tree.parts().release(part, space.map(|space| space.count_kept(len)));
                } else {
                    tree.parts().remove(&part);
                }
                Err(error)
            }
        }
    }
}

/// Begins in a part: behind its own bytes, or behind those of the file that it will replace.
fn in_part(
    tree: &Tree,
    want: &Wanted,
    reserve: Option<(Arc<Space>, IpAddr)>,
    part: &Part,
) -> io::Result<(BlockTree, Option<Reservation>)> {
    if let Some(hashed) = part.with(|files| files.go_on_from(want.offset))? {
        return Ok((hashed, make_room(tree, want, reserve, want.offset)?));
    }
    let prefix = prefix_of_file(tree, want)?;
    part.with(|files| {
        files.go_on_from(0)?;
        let mut reservation = make_room(tree, want, reserve, 0)?;
        let hashed = copy(prefix.as_ref(), want.offset, &files.data, reservation.as_mut())?;
        Ok((hashed, reservation))
    })
}

/// The part for this file if it gets one. If little follows, it does not need one, unless it goes on with one: so
/// requests that repeat what is there do not take the part from each other. Where there can be none, the transfer works
/// without.
fn take_part(tree: &Tree, place: &Place, want: &Wanted) -> Option<Part> {
    let much_follows = want.length.is_none_or(|length| length.saturating_sub(want.offset) > BLOCK_BYTES);
    let needs_part = much_follows || want.offset > 0 && tree.parts().has(&Key::of(place.path()));
    if !(want.keep && tree.rules().keeps_parts && needs_part && is_on_same_disk(tree, place)) {
        return None;
    }
    tree.parts().take(place.path()).ok().flatten()
}

/// Whether a file of the hidden folder can get a name there.
#[cfg(unix)]
fn is_on_same_disk(tree: &Tree, place: &Place) -> bool {
    let device = |dir: &cap_std::fs::Dir| rustix::fs::fstat(dir).map(|metadata| metadata.st_dev).ok();
    place.depth() == 0 || device(tree.folders().dir()) == device(&place.parent)
}

#[cfg(not(unix))]
fn is_on_same_disk(_tree: &Tree, place: &Place) -> bool {
    place.depth() == 0
}

/// The file that has the bytes before the offset; `None` if there are none.
fn prefix_of_file(tree: &Tree, want: &Wanted) -> io::Result<Option<File>> {
    if want.offset == 0 {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    let opened = tree.folders().dir().open_with(&*want.path, without_waiting(options.read(true)));
    let file = match opened {
        // What the peer may replace, this side need not be able to read.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Err(prefix_gone());
        }
        opened => opened?.into_std(),
    };
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() >= want.offset { Ok(Some(file)) } else { Err(prefix_gone()) }
}

/// Copies the first `len` bytes of a file. On some file systems both share them then.
///
/// What was written is read again: its digest must be that of the bytes that are stored.
fn copy(from: Option<&File>, len: u64, to: &File, reservation: Option<&mut Reservation>) -> io::Result<BlockTree> {
    let mut hashed = BlockTree::new();
    let Some(from) = from else { return Ok(hashed) };
    let mut to = to;
    if io::copy(&mut from.take(len), &mut to)? != len {
        return Err(prefix_gone());
    }
    hash(to, 0, len, |bytes| hashed.update(bytes))?;
    to.seek(SeekFrom::Start(len))?;
    if let Some(reservation) = reservation {
        reservation.write(usize::try_from(len).unwrap_or(usize::MAX));
    }
    Ok(hashed)
}

/// Reserves space for a file of which `written` bytes are there. The oldest parts give way.
fn make_room(
    tree: &Tree,
    want: &Wanted,
    reserve: Option<(Arc<Space>, IpAddr)>,
    written: u64,
) -> io::Result<Option<Reservation>> {
    let Some((space, host)) = reserve else {
        let rest = want.length.unwrap_or_default().saturating_sub(written);
        // A small file is not worth the question.
        let fits = rest <= BLOCK_BYTES || rest <= tree.folder().free_bytes();
        return if fits { Ok(None) } else { Err(ErrorKind::StorageFull.into()) };
    };
    let length = want.length.unwrap_or_default().max(written);
    let reserve = || space.reserve_rest(|| tree.folder().free_bytes(), host, length, written);
    reserve()
        .or_else(|error| match super::super::space::missing(&error) {
            Some(missing) if tree.parts().remove_oldest(missing) => reserve(),
            Some(_) | None => Err(error),
        })
        .map(Some)
}
